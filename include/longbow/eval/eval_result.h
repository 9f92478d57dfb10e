// One row of results.jsonl: what was measured, on what, how. docs/evaluation.md lists the keys.
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

// What a number that has no value is (the perplexity of a diverged model, bits per byte of no bytes): null in JSON, and read back from it.
inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

// A measurement with its numbers. Losses are in nats; sums run in fp64 over per-token fp32 values, in stream order.
struct EvalResult : Measurement {
    bool operator==(const EvalResult&) const = delete;  // rows are never equal as a whole: ask for measurement()
    [[nodiscard]] const Measurement& measurement() const { return *this; }

    std::string name;  // run's name, for tables
    std::string position;
    std::int64_t train_length = 0, tokens = 0, windows = 0;
    std::int64_t longest_window = 0;  // tokens; less than `length` where the text or its documents are shorter; 0: a row of before
    [[nodiscard]] bool reached() const { return longest_window == 0 || longest_window >= length; }
    double nll = 0;  // mean, nats a token
    double ppl = 0;
    std::optional<Interval> ppl_ci;               // 95 %, over blocks of 1,024 consecutive targets; absent below kLeastBlocks of them
    std::string ppl_ci_method = kIntervalMethod;  // rows of before, whose file names none: kOldIntervalMethod
    double bits_per_byte = kNoValue, words = 0, ppl_per_word = kNoValue;
    std::vector<double> nll_by_position;           // mean over the scored targets with as many inputs before them as the bucket says
    std::vector<std::int64_t> tokens_by_position;  // scored targets of each bucket; empty in rows of before
    std::vector<std::int64_t> position_begin;      // first place in the window of each bucket (single places to 63, then 8 an octave)
    double tool_ppl = kNoValue;  // what the protocol's own tool would print where it weighs tokens unevenly (hf); else ppl
    std::string device = "cpu";
    double tokens_per_second = 0, peak_memory_mb = 0;
    double visited_fraction = 1;  // of attention's blocks of scores; below 1 where the bias let far ones be skipped
    std::string data_name;        // what people call the data (data/store_name.h); empty in rows of before
    std::string config_group;     // fingerprint of the configuration without its seed: rows that differ in it alone are averaged
    std::uint64_t seed = 0;
    std::int64_t updates = 0;
    std::vector<double> block_nll;    // sums over blocks of 1,024 scored targets: intervals of ratios need no model
    std::vector<double> block_bytes;  // raw bytes of those blocks: places results of unlike tokenizers on one text

    [[nodiscard]] std::int64_t blocks() const { return (tokens + kIntervalBlock - 1) / kIntervalBlock; }  // that intervals come from
    [[nodiscard]] bool diverged() const;  // the mean loss is no number, or one whose perplexity no number holds
};

Json to_json(const EvalResult& result);
// `where` ("FILE:LINE") stands in messages. Throws DataError on a missing key or a wrong type.
EvalResult eval_result_from_json(const Json& json, const std::string& where);

// All rows of a results.jsonl, skipping none; a last line cut short (a full disk, a kill) is dropped with a warning. Missing file: empty.
std::vector<EvalResult> read_results(const std::string& path);
// Adds one row as one write, synced. Throws Error naming the file.
void append_result(const std::string& path, const EvalResult& result);

}  // namespace longbow
