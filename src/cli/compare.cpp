// longbow compare: is the difference between two results real?
#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>

#include "longbow/core/error.h"
#include "longbow/core/interval.h"
#include "longbow/core/strings.h"
#include "longbow/eval/evaluator.h"
#include "longbow/experiments/report.h"
#include "verbs.h"

namespace longbow {

namespace {

struct CompareFlags {
    std::string a, b, per;
    std::vector<std::int64_t> lengths;
    bool json = false;
};

struct Pair {
    const EvalResult *a, *b;
};

bool comparable_settings(const EvalResult& a, const EvalResult& b) {
    return a.length == b.length && a.protocol == b.protocol && a.stride == b.stride && a.split == b.split &&
           a.within_documents == b.within_documents && a.max_stream_tokens == b.max_stream_tokens && a.dtype == b.dtype;
}

std::vector<const EvalResult*> rows_of(const std::vector<ReportRun>& runs, const std::vector<std::int64_t>& lengths) {
    std::vector<const EvalResult*> rows;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) {
            if (lengths.empty() || std::find(lengths.begin(), lengths.end(), row.length) != lengths.end()) rows.push_back(&row);
        }
    }
    return rows;
}

// The latest row of each side for every setting that both have.
std::vector<Pair> pair_rows(const std::vector<const EvalResult*>& a, const std::vector<const EvalResult*>& b) {
    std::vector<Pair> pairs;
    for (const auto* left : a) {
        const EvalResult* right = nullptr;
        for (const auto* row : b) {
            if (comparable_settings(*left, *row)) right = row;
        }
        if (right == nullptr) continue;
        auto same = std::find_if(pairs.begin(), pairs.end(), [&](const Pair& pair) { return comparable_settings(*pair.a, *left); });
        if (same == pairs.end())
            pairs.push_back({left, right});
        else
            *same = {left, right};
    }
    return pairs;
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// Losses of `row` over the stretches of raw text that `bytes` measures out, interpolated within the row's own blocks.
std::vector<double> losses_over(const EvalResult& row, const std::vector<double>& bytes) {
    std::vector<double> losses;
    double end = 0, before = 0;
    std::size_t block = 0;
    double block_begin = 0, loss_before = 0;
    for (const double stretch : bytes) {
        end += stretch;
        while (block + 1 < row.block_nll.size() && block_begin + row.block_bytes[block] < end) {
            loss_before += row.block_nll[block];
            block_begin += row.block_bytes[block++];
        }
        const double share = row.block_bytes[block] > 0 ? std::min(1.0, (end - block_begin) / row.block_bytes[block]) : 1.0;
        const double cumulative = loss_before + share * row.block_nll[block];
        losses.push_back(cumulative - before);
        before = cumulative;
    }
    return losses;
}

std::pair<MeanEstimate, std::optional<double>> compare_pair(const Pair& pair, const std::string& per) {
    const auto& [a, b] = pair;
    if (a->block_nll.empty() || b->block_nll.empty()) throw DataError("a row without block_nll cannot be compared: measure it again");
    const bool alike = a->tokenizer == b->tokenizer;
    if (alike && (a->data != b->data || a->tokens != b->tokens)) {
        throw DataError("the results come from different data (" + a->data + ", " + b->data +
                        "): evaluate both models on one store and split");
    }
    if (!alike && std::abs(sum(a->block_bytes) - sum(b->block_bytes)) > 0.5) {
        throw DataError(strprintf("the results come from different texts (%.0f and %.0f bytes scored): evaluate both models on one text",
                                  sum(a->block_bytes), sum(b->block_bytes)));
    }
    if (!alike && per == "token") {
        throw DataError("the models have different tokenizers: their losses compare --per byte or --per word, not a token");
    }
    auto units = per == "token" ? block_counts(a->tokens) : a->block_bytes;
    if (per == "word") {
        if (a->words <= 0) throw DataError("the first result counts no words: compare --per byte");
        for (auto& unit : units) unit *= a->words / sum(a->block_bytes);
    }
    const auto losses = alike ? b->block_nll : losses_over(*b, a->block_bytes);
    if (losses.size() != a->block_nll.size()) throw DataError("the results have different numbers of blocks: measure both anew");
    std::vector<double> difference(losses.size());
    for (std::size_t i = 0; i < losses.size(); ++i) difference[i] = losses[i] - a->block_nll[i];
    return {mean_estimate({difference}, units), p_value({difference}, units)};
}

int compare(const CompareFlags& flags) {
    const auto runs_a = read_runs({flags.a});
    const auto runs_b = read_runs({flags.b});
    const auto pairs = pair_rows(rows_of(runs_a, flags.lengths), rows_of(runs_b, flags.lengths));
    if (pairs.empty()) {
        throw DataError(flags.a + " and " + flags.b + " share no length, protocol, stride and split: evaluate both alike first");
    }
    std::string text;
    for (const auto& pair : pairs) {
        const auto per = !flags.per.empty() ? flags.per : pair.a->tokenizer == pair.b->tokenizer ? "token" : "byte";
        const auto [c, p] = compare_pair(pair, per);
        if (flags.json) {
            text += Json{{"a", pair.a->name},
                         {"b", pair.b->name},
                         {"length", pair.a->length},
                         {"stride", pair.a->stride},
                         {"protocol", pair.a->protocol},
                         {"split", pair.a->split},
                         {"per", per},
                         {"difference", c.mean},
                         {"ci", c.interval ? Json{c.interval->low, c.interval->high} : Json()},
                         {"p_value", p ? Json(*p) : Json()},
                         {"blocks", c.blocks},
                         {"ppl_a", pair.a->ppl},
                         {"ppl_b", pair.b->ppl}}
                        .dump() +
                    "\n";
            continue;
        }
        const auto* better = c.mean < 0 ? pair.b : pair.a;
        text += strprintf(
            "%s split, protocol %s, length %lld, stride %lld\n  A %s: ppl %.2f, %.4f bits a byte\n  B %s: ppl %.2f, %.4f bits a byte\n",
            pair.a->split.c_str(), pair.a->protocol.c_str(), static_cast<long long>(pair.a->length), static_cast<long long>(pair.a->stride),
            pair.a->name.c_str(), pair.a->ppl, pair.a->bits_per_byte, pair.b->name.c_str(), pair.b->ppl, pair.b->bits_per_byte);
        text += !c.interval
                    ? strprintf("  B - A: %+.5f nats a %s; no interval from %lld blocks\n", c.mean, per.c_str(),
                                static_cast<long long>(c.blocks))
                    : strprintf("  B - A: %+.5f nats a %s, 95 %% interval [%+.5f, %+.5f] over %lld blocks, p = %.3f: %s\n", c.mean,
                                per.c_str(), c.interval->low, c.interval->high, static_cast<long long>(c.blocks), *p,
                                c.clear() ? ((better == pair.a ? "A" : "B") + std::string(" is better")).c_str() : "no clear difference");
    }
    std::cout << text;
    return 0;
}

void add_compare(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<CompareFlags>();
    auto* verb = add_verb(app, context, "compare", "Is the difference between two results real? (paired by blocks of text)",
                          "longbow compare runs/alibi runs/sinusoidal --lengths 1024");
    verb->add_option("RESULT_A", flags->a, "results.jsonl or run directory")->required();
    verb->add_option("RESULT_B", flags->b, "results.jsonl or run directory, measured alike")->required();
    verb->add_option("--lengths", flags->lengths, "Only these evaluation lengths")
        ->delimiter(',')
        ->check(CLI::PositiveNumber)
        ->type_name("L,..");
    verb->add_option("--per", flags->per, "token | word | byte; default: token, or byte when the tokenizers differ")
        ->check(CLI::IsMember({"token", "word", "byte"}))
        ->type_name("UNIT");
    verb->add_flag("--json", flags->json, "JSON lines on standard output");
    run_with(verb, context, [flags](const CommonOptions&) { return compare(*flags); });
}
LONGBOW_REGISTER_VERB(40, add_compare);

}  // namespace

}  // namespace longbow
