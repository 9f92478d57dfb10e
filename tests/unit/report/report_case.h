// Makes rows of results.jsonl for tests of tables and figures.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "longbow/report/figure.h"
#include "longbow/report/format.h"

namespace longbow {

// Returns a row of 12,000 targets and 48,000 bytes, which are enough for intervals; every block has 48,000 / 12,000
// bytes per target.
inline EvalResult measured(const std::string& position, std::int64_t length, double ppl, std::uint64_t seed = 1,
                           std::int64_t tokens = 12000) {
    EvalResult row;
    row.name = position;
    row.position = position;
    row.protocol = "paper";
    row.split = "valid";
    row.train_length = 64;
    row.length = row.stride = length;
    row.tokens = tokens;
    row.windows = (tokens + length - 1) / length;
    row.nll = std::log(ppl);
    row.ppl = ppl;
    row.ppl_ci = Interval{ppl * 0.9, ppl * 1.1};
    row.bits_per_byte = row.nll / std::log(2.0) / 4;
    row.words = static_cast<double>(tokens) / 2;
    row.ppl_per_word = ppl * ppl;
    row.seed = seed;
    row.updates = 400;
    row.checkpoint = position + std::to_string(seed);
    row.data = "xxh3:0123456789abcdef";
    row.data_name = "austen/store";
    row.tokenizer = "xxh3:00000000000000aa";
    row.config = position + std::to_string(seed);
    row.config_group = position;
    for (const double weight : block_counts(tokens)) {
        row.block_nll.push_back(weight * row.nll);
        row.block_bytes.push_back(weight * 4);
    }
    row.block_nll[1] += 100;  // makes these passages hard for every model
    row.block_nll[2] -= 100;
    row.position_begin = {0, 1, 2, 4};
    row.nll_by_position = {5, 4.5, 4.2, 4.1};
    row.tokens_by_position = {200, 200, 400, tokens - 800};
    return row;
}

template <class Change>
EvalResult changed(EvalResult row, Change&& change) {
    change(row);
    return row;
}

inline ReportRun run_with(const std::string& name, std::vector<EvalResult> rows) {
    ReportRun run;
    run.name = name;
    run.rows = std::move(rows);
    return run;
}

}  // namespace longbow
