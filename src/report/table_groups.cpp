#include "table_groups.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "longbow/core/strings.h"
#include "longbow/eval/eval_plan.h"
#include "longbow/eval/protocol.h"

namespace longbow {

namespace {

bool scores_all(const EvalResult& row) { return protocol_scores_all(row.protocol); }

// A limit that is larger than the split is no limit.
std::int64_t limit_of(const EvalResult& row) {
    return scores_all(row) && row.max_stream_tokens > row.tokens ? 0 : row.max_stream_tokens;
}

// Identifies the corpus and the scored part of it, as far as one string can. Rows without block_bytes (of earlier
// versions) cannot be matched across tokenizers by their text.
std::string text_key(const EvalResult& row, bool per_text) {
    const auto bytes = std::accumulate(row.block_bytes.begin(), row.block_bytes.end(), 0.0);
    if (per_text && scores_all(row) && bytes > 0) return "bytes " + std::to_string(std::llround(bytes));
    return row.data + "|" + row.tokenizer + "|" + (scores_all(row) ? std::to_string(row.tokens) : "");
}

std::string key_of(const EvalResult& row, bool per_text) {
    // The limit is in tokens, so for different tokenizers equal limits mean different texts: there the text's bytes
    // tell rows apart.
    return row.key(Measurement::kSplit | Measurement::kProtocol | Measurement::kDtype | Measurement::kDocuments |
                   Measurement::kRules) +
           (per_text && limit_of(row) > 0 ? "limited" : std::to_string(limit_of(row))) + "|" + text_key(row, per_text);
}

// Where lengths score different numbers of targets, rows of one length and stride must still agree in theirs.
bool fits(const std::vector<const EvalResult*>& rows, const EvalResult& row) {
    return std::none_of(rows.begin(), rows.end(), [&](const EvalResult* other) {
        return other->length == row.length && other->stride == row.stride && other->tokenizer == row.tokenizer &&
               other->tokens != row.tokens;
    });
}

struct KeyedRows {
    std::string key;
    std::vector<const EvalResult*> rows;
};

std::vector<KeyedRows> keyed_rows(const std::vector<ReportRun>& runs, bool per_text) {
    std::vector<KeyedRows> keyed;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) {
            const auto key = key_of(row, per_text);
            auto found = std::find_if(keyed.begin(), keyed.end(),
                                      [&](const KeyedRows& one) { return one.key == key && fits(one.rows, row); });
            if (found == keyed.end()) found = keyed.insert(keyed.end(), {key, {}});
            found->rows.push_back(&row);
        }
    }
    return keyed;
}

bool default_strides(const EvalResult& row) { return row.stride == default_stride(row.protocol, row.length); }

template <class Belongs>
RowGroup group_of(const std::vector<const EvalResult*>& rows, const std::string& text, Belongs&& belongs) {
    RowGroup group{text, limit_of(*rows.front()), {}};
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(group.rows), belongs);
    return group;
}

bool within(const RowGroup& part, const RowGroup& whole) {
    return std::all_of(part.rows.begin(), part.rows.end(), [&](const EvalResult* row) {
        return std::find(whole.rows.begin(), whole.rows.end(), row) != whole.rows.end();
    });
}

// The group with the protocol's default stride comes first; then those with other relations of stride and length, and
// fixed strides. Of these, a group whose rows are all in another group is dropped.
std::vector<RowGroup> by_stride(const std::vector<const EvalResult*>& rows) {
    const auto& protocol = protocol_named(rows.front()->protocol);
    std::vector<RowGroup> groups, others;
    auto own =
        group_of(rows, protocol.default_stride_title, [](const EvalResult* row) { return default_strides(*row); });
    if (protocol.default_stride) {
        auto apart =
            group_of(rows, "non-overlapping", [](const EvalResult* row) { return row->stride == row->length; });
        if (!within(apart, own)) others.push_back(std::move(apart));  // the default may be the length
    }
    if (!own.rows.empty()) groups.push_back(std::move(own));
    std::set<std::int64_t> seen;
    for (const auto* row : rows) {
        if (default_strides(*row) || !seen.insert(row->stride).second) continue;
        others.push_back(group_of(rows, "stride " + std::to_string(row->stride),
                                  [stride = row->stride](const EvalResult* other) { return other->stride == stride; }));
    }
    for (std::size_t i = 0; i < others.size(); ++i) {
        bool held = others[i].rows.empty();
        for (std::size_t j = 0; j < others.size() && !held; ++j) {
            const bool smaller = others[i].rows.size() < others[j].rows.size() ||
                                 (others[i].rows.size() == others[j].rows.size() && j < i);
            held = j != i && smaller && within(others[i], others[j]);
        }
        if (!held) groups.push_back(others[i]);
    }
    return groups;
}

}  // namespace

std::vector<RowGroup> groups_of(const std::vector<ReportRun>& runs, bool per_text) {
    std::vector<RowGroup> groups;
    for (const auto& keyed : keyed_rows(runs, per_text)) {
        for (auto& group : by_stride(keyed.rows)) groups.push_back(std::move(group));
    }
    return groups;
}

}  // namespace longbow
