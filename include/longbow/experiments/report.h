// Tables and pages from results.jsonl: perplexity by evaluation length, a row a model, with how it grows beyond the training length.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "longbow/eval/eval_result.h"

namespace longbow {

// One run as the report sees it: its rows, and what lies beside its results.jsonl.
struct ReportRun {
    std::string name;     // its folder's
    std::string results;  // path of results.jsonl
    std::vector<EvalResult> rows;
    std::map<std::string, std::string> settings;  // config.yaml, flat ("train.length" -> "64"); empty when there is none
    struct Point {
        double update, value;
    };
    std::vector<Point> train_nll;  // from metrics.jsonl; nats a token
};

// `inputs` are results.jsonl files, run directories, or folders of runs. Throws DataError (nothing there, damaged rows).
std::vector<ReportRun> read_runs(const std::vector<std::string>& inputs);

// Gives runs of two lists that have one name, and their rows, names that tell them apart by the folders above them.
void name_apart(std::vector<ReportRun>& a, std::vector<ReportRun>& b);

enum class Metric { ppl, nll, bpb };
// Throws UsageError naming the known ones.
Metric metric_from(const std::string& name);

// A model at one length; several seeds give a mean and a standard deviation (n - 1).
struct ReportCell {
    double mean = 0, sd = 0;
    std::int64_t seeds = 0, tokens = 0, blocks = 0;  // seeds: those with a value
    std::int64_t diverged = 0, valueless = 0;  // seeds whose loss is no number; whose loss is one, but not this metric (exp overflows)
    std::int64_t unreached = 0;                // seeds whose text has no window of this length
    std::optional<Interval> interval;          // of a single seed's value, 95 %; absent below kLeastBlocks
    std::string interval_method;               // rows of before have the old one
};

// How many times the perplexity at `from` that at `to` is. One seed: `interval` holds for other text of the kind, from the
// same blocks at both lengths (absent below kLeastBlocks, and when the two did not score the same targets); several: sd over the seeds.
struct ReportGrowth {
    std::int64_t from = 0, to = 0;
    double ratio = 0, sd = 0;
    std::optional<Interval> interval;
    std::int64_t seeds = 0, blocks = 0;
};

struct ReportRow {
    std::string label, name, position;
    std::int64_t train_length = 0, updates = 0;
    std::map<std::int64_t, ReportCell> cells;  // by evaluation length
    std::optional<ReportGrowth> growth;
    const EvalResult* longest = nullptr;  // the row at the greatest length, for losses by position (of the first seed)
};

// Rows that were measured alike; what is unlike (protocol, split, stride, data, tokens, documents) never shares a table.
struct ReportTable {
    std::string split, protocol, stride_text, data, tokenizer, dtype;
    bool within_documents = false;
    std::int64_t max_stream_tokens = 0, tokens = 0;  // tokens: of the first row's shortest length
    std::vector<std::int64_t> lengths;
    std::vector<ReportRow> rows;
    [[nodiscard]] std::string heading() const;
};

// Pointers in the tables point into `runs`.
std::vector<ReportTable> make_tables(const std::vector<ReportRun>& runs, Metric metric);

// format: markdown | csv | latex | json | html. Throws UsageError naming them.
std::string render_report(const std::vector<ReportRun>& runs, Metric metric, const std::string& format);

}  // namespace longbow
