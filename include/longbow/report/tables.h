// Tables from results.jsonl: perplexity by evaluation length, a row a model, with how it grows beyond the training length.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "longbow/report/runs.h"

namespace longbow {

// ppl and nll are a token's; bpb (bits a byte) and ppl_per_word compare models of unlike tokenizers too.
enum class Metric { ppl, nll, bpb, ppl_per_word };
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
    bool best = false;                         // the least of its column, or not clearly worse than that; set where rows are compared
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
    std::string data, tokenizer;  // fingerprints
    std::int64_t train_length = 0, updates = 0;
    std::map<std::int64_t, ReportCell> cells;                             // by evaluation length
    std::map<std::int64_t, std::vector<const EvalResult*>> measurements;  // what they come from, by length, one a seed
    std::optional<ReportGrowth> growth;
};

// Rows that were measured alike: what is unlike (corpus, protocol, split, stride, tokens scored, documents, dtype) never shares a table.
// Unlike tokenizers share one only where the metric compares them, over one text.
struct ReportTable {
    Metric metric = Metric::ppl;
    std::string split, protocol, stride_text, dtype;
    std::vector<std::string> data_names;        // of the corpus, as rows call it; none in rows of before
    std::vector<std::string> data, tokenizers;  // fingerprints; several of each in a table of unlike tokenizers
    bool within_documents = false;
    bool own_units = false;  // other tables of the report are of other tokenizers: values a token do not compare with theirs
    std::int64_t max_stream_tokens = 0;
    std::map<std::int64_t, std::int64_t> tokens;  // scored, by length; of the first row that has it
    std::vector<std::int64_t> lengths;
    std::vector<ReportRow> rows;
    // "austen/store (xxh3:..)": the corpus; the fingerprint alone where no row names it.
    [[nodiscard]] std::string corpus() const;
    [[nodiscard]] std::string heading() const;
    // Whether every length scored the same targets, so that a line may join them.
    [[nodiscard]] bool same_targets() const;
};

// Pointers in the tables point into `runs`. Where a metric does not compare the tokenizers of models that were measured on one text, a table
// of bits a byte that does follows the others.
std::vector<ReportTable> make_tables(const std::vector<ReportRun>& runs, Metric metric);

}  // namespace longbow
