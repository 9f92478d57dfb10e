// Is the difference between two models, or two methods of several seeds each, real? Rows are paired by seed, their blocks by place in the
// text. docs/evaluation.md states the interval.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/interval.h"
#include "longbow/eval/eval_result.h"
#include "longbow/report/runs.h"

namespace longbow {

struct RowPair {
    const EvalResult *a, *b;  // of one seed, measured alike
};

struct Comparison {
    std::vector<RowPair> pairs;  // a seed each
    std::string per;             // token | word | byte: the unit of `difference`
    MeanEstimate difference;     // b - a, nats a unit; its mean is not a number where a model diverged
    std::optional<double> p_value;
    std::int64_t diverged_a = 0, diverged_b = 0;  // seeds
};

// Whether two rows were measured alike (Measurement::kHow). What they were measured on is another question: compare_rows() refuses unlike
// texts.
bool measured_alike(const EvalResult& a, const EvalResult& b);
// Whether two rows scored the same text: data and tokens; of unlike tokenizers the number of raw bytes.
bool same_text(const EvalResult& a, const EvalResult& b);

// `per`: token | word | byte; empty: token, or byte where the tokenizers differ (b's losses are then placed on a's blocks by raw bytes).
// Throws DataError: rows of different texts, without blocks, or of unlike tokenizers per token.
Comparison compare_rows(const std::vector<RowPair>& pairs, const std::string& per = "");

// One side of a comparison: the rows of one method, from runs of one seed or several.
struct ComparisonSide {
    std::string input;                    // as given
    std::string name;                     // "alibi"; of one run: "alibi/seed-1"
    std::vector<const EvalResult*> rows;  // the last of each seed and measurement
    [[nodiscard]] bool has_seed(std::uint64_t seed) const;
};
// `select`: "" or what follows the @ of an input: a method, a run's name, step=N or last. Throws DataError: rows of several methods or of
// two runs of one seed (named, with the remedy). Pointers point into `runs`.
ComparisonSide comparison_side(const std::vector<ReportRun>& runs, const std::string& input, const std::string& select);

struct PairingRequest {
    std::vector<std::int64_t> lengths;  // empty: all that both sides have
    std::vector<std::uint64_t> seeds;   // empty: all
};
struct Pairing {
    std::vector<std::vector<RowPair>> measurements;  // the pairs of each, in the order of a's rows
    std::vector<std::string> left_out;               // measurements that only one side has, with which
};
// Throws DataError: nothing in common, a length asked for that a side lacks, seeds that only one side has (named, with the remedy). One run a
// side needs no common seed.
Pairing pair_sides(const ComparisonSide& a, const ComparisonSide& b, const PairingRequest& request);

}  // namespace longbow
