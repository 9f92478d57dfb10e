// Computes whether the difference between two models, or between two methods of several seeds each, is statistically
// significant. Rows are paired by seed, and their blocks by place in the text. docs/evaluation.md states the interval.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/choice.h"
#include "longbow/core/interval.h"
#include "longbow/eval/eval_result.h"
#include "longbow/report/runs.h"

namespace longbow {

struct RowPair {
    const EvalResult *a, *b;  // of one seed, measured alike
};

// The unit of text that a loss is divided by. Words and bytes also compare different tokenizers.
enum class LossUnit { token, word, byte };
template <>
struct ChoiceTable<LossUnit> {
    static constexpr Choice<LossUnit> values[] = {{LossUnit::token, "token", "for models of one tokenizer only"},
                                                  {LossUnit::word, "word", "of the raw text"},
                                                  {LossUnit::byte, "byte", "of the raw text"}};
};

struct Comparison {
    std::vector<RowPair> pairs;  // one a seed
    LossUnit per{};              // the unit of `difference`
    MeanEstimate difference;     // b - a, nats a unit; its mean is NaN if a model diverged
    std::optional<double> p_value;
    std::int64_t diverged_a = 0, diverged_b = 0;  // numbers of seeds
};

// Returns whether two rows were measured in the same way (Measurement::kConditions). It says nothing about the text;
// compare_rows() refuses different texts.
bool measured_alike(const EvalResult& a, const EvalResult& b);
// Returns whether two rows scored the same text: equal data and number of tokens or, for different tokenizers, equal
// numbers of raw bytes.
bool same_text(const EvalResult& a, const EvalResult& b);

// Compares b with a over all pairs. Without `per` the unit is token, or byte where the tokenizers
// differ (b's losses are then mapped to a's blocks by their raw bytes). Throws DataError for rows of different texts,
// rows without blocks, and different tokenizers compared per token.
Comparison compare_rows(const std::vector<RowPair>& pairs, std::optional<LossUnit> per = {});

// Describes one side of a comparison: the rows of one method, from runs of one seed or several.
struct ComparisonSide {
    std::string input;                    // as the user gave it
    std::string name;                     // "alibi"; for a single run "alibi/seed-1"
    std::vector<const EvalResult*> rows;  // the last row of each seed and measurement
    [[nodiscard]] bool has_seed(std::uint64_t seed) const;
};
// Returns the rows of one side. `select` is empty or the part of an input after '@': a method, a run's name, step=N or
// last. Throws DataError for rows of several methods or of two runs of one seed; the message names them and the remedy.
// Pointers point into `runs`.
ComparisonSide comparison_side(const std::vector<ReportRun>& runs, const std::string& input, const std::string& select);

struct PairingRequest {
    std::vector<std::int64_t> lengths;  // empty: all lengths that both sides have
    std::vector<std::uint64_t> seeds;   // empty: all seeds
};
struct Pairing {
    std::vector<std::vector<RowPair>> measurements;  // the pairs of each measurement, in the order of a's rows
    std::vector<std::string> left_out;               // measurements that only one side has, and which side
};
// Throws DataError if the sides have nothing in common, if a side lacks a requested length, or if only one side has a
// seed (named, with the remedy). When each side is a single run, the two need no common seed.
Pairing pair_sides(const ComparisonSide& a, const ComparisonSide& b, const PairingRequest& request);

}  // namespace longbow
