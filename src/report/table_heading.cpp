// Says in words what a table measured.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longbow/core/dtype.h"
#include "longbow/core/strings.h"
#include "longbow/report/format.h"
#include "longbow/report/tables.h"

namespace longbow {

namespace {

std::string scored_text(const ReportTable& table) {
    if (table.tokenizers.size() > 1) {
        const auto& bytes = table.rows.front().measurements.begin()->second.front()->block_bytes;
        return "the same " + with_commas(std::llround(std::accumulate(bytes.begin(), bytes.end(), 0.0))) +
               " bytes scored";
    }
    return table.same_targets() ? with_commas(table.tokens.begin()->second) + " tokens scored"
                                : "tokens scored differ by length";
}

}  // namespace

std::string ReportTable::corpus() const {
    if (data.size() > 1) return data_names.empty() ? "one text" : join(data_names, " = ");
    return corpus_text(join(data_names, " = "), data.front());
}

bool ReportTable::same_targets() const {
    return tokenizers.size() > 1 || std::all_of(tokens.begin(), tokens.end(),
                                                [&](const auto& one) { return one.second == tokens.begin()->second; });
}

std::string ReportTable::heading() const {
    std::string text = corpus() + ", " + split + " split, protocol " + protocol;
    if (!stride_text.empty()) text += ", " + stride_text;
    if (within_documents) text += ", within documents";
    text += rules_text;
    if (max_stream_tokens > 0)
        text += tokenizers.size() > 1 ? ", the beginning" : ", first " + with_commas(max_stream_tokens) + " tokens";
    if (dtype != name_of(DType::fp32)) text += ", " + dtype;
    text += " (" + scored_text(*this) + ")";
    if (tokenizers.size() > 1)
        text += fmt::format("; {} tokenizers, lengths in each model's own tokens", tokenizers.size());
    if (own_units) text += "; a token is one of tokenizer " + tokenizers.front() + "'s";
    return text;
}

}  // namespace longbow
