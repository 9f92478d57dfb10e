// Computes paired differences of rows, and the interval of their mean.
#include "longbow/report/comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "longbow/core/error.h"

namespace longbow {

namespace {

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// Returns the losses of `row` over consecutive stretches of raw text, whose lengths are `bytes`. They are interpolated
// within the row's own blocks.
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
        const double share =
            row.block_bytes[block] > 0 ? std::min(1.0, (end - block_begin) / row.block_bytes[block]) : 1.0;
        const double cumulative = loss_before + share * row.block_nll[block];
        losses.push_back(cumulative - before);
        before = cumulative;
    }
    return losses;
}

void check_blocks(const EvalResult& row) {
    const auto blocks = static_cast<std::size_t>(row.blocks());
    if (row.block_nll.size() == blocks && (row.block_bytes.empty() || row.block_bytes.size() == blocks)) return;
    throw DataError(row.name + ", " + row.text() + ": the row's block_nll does not hold its blocks: measure it again");
}

// Returns whether the rows' targets are the same tokens, or only the same text: losses a token then compare. Given ids
// have no text, and whatever tokenizer the models came with.
bool same_units(const EvalResult& a, const EvalResult& b) {
    const auto without_text = [](const EvalResult& row) {
        return !row.block_bytes.empty() && !(sum(row.block_bytes) > 0);
    };
    return a.tokenizer == b.tokenizer || (a.data == b.data && without_text(a) && without_text(b));
}

void check_texts(const RowPair& pair, LossUnit per) {
    const auto& [a, b] = pair;
    const bool same = same_text(*a, *b);
    if (same_units(*a, *b)) {
        if (same) return;
        throw DataError("the results come from different data (" + a->name + ": " + a->data + ", " + b->name + ": " +
                        b->data + "): evaluate both models on one store and split");
    }
    if (a->block_bytes.empty() || b->block_bytes.empty()) {
        throw DataError(
            "the models have different tokenizers, and a row without block_bytes cannot be placed on the text: measure it again");
    }
    if (!same) {
        throw DataError(fmt::format(
            "the results come from different texts ({:.0f} and {:.0f} bytes scored): evaluate both models on one text",
            sum(a->block_bytes), sum(b->block_bytes)));
    }
    if (per == LossUnit::token) {
        throw DataError(
            "the models have different tokenizers: their losses compare --per byte or --per word, not a token");
    }
}

std::vector<double> units_of(const EvalResult& row, LossUnit per) {
    if (per == LossUnit::token) return block_counts(row.tokens);
    auto units = row.block_bytes;
    if (!(sum(units) > 0)) throw DataError(row.name + " counts no bytes of its text: compare --per token");
    if (per == LossUnit::byte) return units;
    if (!(row.words > 0)) throw DataError(row.name + " counts no words: compare --per byte");
    const double words = row.words / sum(units);
    for (auto& unit : units) unit *= words;
    return units;
}

}  // namespace

bool measured_alike(const EvalResult& a, const EvalResult& b) { return a.matches(b, Measurement::kConditions); }

bool same_text(const EvalResult& a, const EvalResult& b) {
    if (same_units(a, b)) return a.data == b.data && a.tokens == b.tokens;
    return !a.block_bytes.empty() && !b.block_bytes.empty() && std::abs(sum(a.block_bytes) - sum(b.block_bytes)) <= 0.5;
}

Comparison compare_rows(const std::vector<RowPair>& pairs, std::optional<LossUnit> per) {
    if (pairs.empty()) throw DataError("a comparison needs a row on each side");
    Comparison comparison;
    comparison.pairs = pairs;
    const auto& first = *pairs.front().a;
    const bool alike = std::all_of(pairs.begin(), pairs.end(), [&](const RowPair& pair) {
        return same_units(*pair.a, first) && same_units(*pair.b, first);
    });
    comparison.per = per.value_or(alike ? LossUnit::token : LossUnit::byte);
    std::vector<std::vector<double>> differences;
    for (const auto& pair : pairs) {
        for (const auto* row : {pair.a, pair.b}) check_blocks(*row);
        check_texts(pair, comparison.per);
        check_texts({&first, pair.a}, comparison.per);  // all seeds must have the blocks of the first one
        comparison.diverged_a += pair.a->diverged();
        comparison.diverged_b += pair.b->diverged();
        const auto a = same_units(*pair.a, first) ? pair.a->block_nll : losses_over(*pair.a, first.block_bytes);
        auto difference = same_units(*pair.b, first) ? pair.b->block_nll : losses_over(*pair.b, first.block_bytes);
        for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= a[i];
        differences.push_back(std::move(difference));
    }
    const auto units = units_of(first, comparison.per);
    comparison.difference = mean_estimate(differences, units);
    comparison.p_value = p_value(differences, units);
    if (comparison.diverged_a + comparison.diverged_b > 0) {  // the loss of a diverged model may still be finite
        comparison.difference.mean = std::numeric_limits<double>::quiet_NaN();
        comparison.difference.interval.reset();
        comparison.p_value.reset();
    }
    return comparison;
}

}  // namespace longbow
