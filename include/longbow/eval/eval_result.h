// Describes one row of results.jsonl: what was measured, on what data, and how. docs/evaluation.md lists the keys.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/interval.h"
#include "longbow/core/json.h"
#include "longbow/eval/measurement.h"

namespace longbow {

// Stands for a number that has no value (the perplexity of a diverged model, bits per byte of no bytes). It is null in
// JSON.
inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

// Holds a measurement with its numbers. Losses are in nats. Sums are computed in fp64 over per-token values, in stream
// order; these are fp32, of an fp64 evaluation fp64.
struct EvalResult : Measurement {
    bool operator==(const EvalResult&) const = delete;  // rows are never compared as a whole; compare measurement()
    [[nodiscard]] const Measurement& measurement() const { return *this; }

    std::string name;   // the run's name, for tables; with its overrides
    std::string model;  // a public model as the command named it ("models/bloom-560m@rounded"); empty for a run
    // Settings that the evaluation changed, as they were given: "position.scaling=yarn position.factor=4".
    std::string overrides;
    // Returns what follows the run's own name in `name`.
    [[nodiscard]] std::string name_suffix() const { return overrides.empty() ? "" : " " + overrides; }
    std::string position;
    std::int64_t train_length = 0, tokens = 0, windows = 0;
    std::int64_t documents_left_out = 0;  // shorter than min_document_tokens
    // tokens; less than `length` if the text or its documents are shorter; 0 in rows of earlier versions.
    std::int64_t longest_window = 0;
    [[nodiscard]] bool reached() const { return longest_window == 0 || longest_window >= length; }
    double nll = 0;  // mean, in nats a token
    double ppl = 0;
    // 95 %, over blocks of 1,024 consecutive targets; absent below kLeastBlocks blocks.
    std::optional<Interval> ppl_ci;
    // kBootstrapMethod in rows of earlier versions, whose file names none.
    std::string ppl_ci_method = kIntervalMethod;
    double bits_per_byte = kNoValue, words = 0, ppl_per_word = kNoValue;
    // Mean over the scored targets of each bucket of places in the window.
    std::vector<double> nll_by_position;
    std::vector<std::int64_t> tokens_by_position;  // scored targets of each bucket; empty in rows of earlier versions
    // First place in the window of each bucket (single places up to 63, then 8 buckets an octave).
    std::vector<std::int64_t> position_begin;
    // What the protocol's own tool would print, if that weighs tokens unevenly (hf); else ppl.
    double tool_ppl = kNoValue;
    std::string device = "cpu";
    double tokens_per_second = 0, peak_memory_mb = 0;
    // Share of attention's blocks of scores that were visited; below 1 if the bias let far ones be skipped.
    double visited_fraction = 1;
    std::string rounded_bias;  // the type to which attention rounded its bias (docs/attention.md); empty: it did not
    std::string data_name;     // the data's readable name (data/store_name.h); empty in rows of earlier versions
    // Fingerprint of the configuration without its seed; reports average rows that differ only in the seed.
    std::string config_group;
    std::uint64_t seed = 0;
    std::int64_t updates = 0;
    // Sums over blocks of 1,024 scored targets, from which intervals of ratios are computed without the model.
    std::vector<double> block_nll;
    // Raw bytes of those blocks, which relate results of different tokenizers on one text.
    std::vector<double> block_bytes;

    // Number of blocks that intervals come from.
    [[nodiscard]] std::int64_t blocks() const { return (tokens + kIntervalBlock - 1) / kIntervalBlock; }
    // Returns whether the mean loss is not finite, or so large that its perplexity overflows.
    [[nodiscard]] bool diverged() const;
};

Json to_json(const EvalResult& result);
// `where` ("FILE:LINE") is used in messages. Throws DataError if a key is missing or has the wrong type.
EvalResult eval_result_from_json(const Json& json, const std::string& where);

// Reads all rows of a results.jsonl. A last line that was cut short (full disk, kill) is dropped with a warning; other
// damage throws DataError. A missing file has no rows.
std::vector<EvalResult> read_results(const std::string& path);
// Appends one row in one write and syncs the file. Throws Error naming the file.
void append_result(const std::string& path, const EvalResult& result);
// Does the same with a row of any file of JSON lines.
void append_row(const std::string& path, const Json& row);

}  // namespace longbow
