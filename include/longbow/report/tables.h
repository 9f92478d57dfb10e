// Builds tables from results.jsonl: perplexity by evaluation length, with one row for each model, and how much it grows
// beyond the training length.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/choice.h"
#include "longbow/report/runs.h"

namespace longbow {

// ppl and nll are per token. bpb (bits per byte) and ppl_per_word also compare models with different tokenizers.
enum class Metric { ppl, nll, bpb, ppl_per_word };
template <>
struct ChoiceTable<Metric> {
    static constexpr Choice<Metric> values[] = {{Metric::ppl, "ppl", "perplexity a token"},
                                                {Metric::nll, "nll", "nats a token"},
                                                {Metric::bpb, "bpb", "bits per byte"},
                                                {Metric::ppl_per_word, "ppl_per_word", "perplexity a word"}};
};

// Holds a model's number at one evaluation length. Several seeds give a mean and a standard deviation (n - 1).
struct ReportCell {
    double mean = 0, sd = 0;
    // `seeds` counts those with a value; `tokens` and `blocks` are what the last of them scored.
    std::int64_t seeds = 0, tokens = 0, blocks = 0;
    // Seeds whose loss is not a number, and seeds whose loss is one although this metric is not (exp overflows).
    std::int64_t diverged = 0, valueless = 0;
    std::int64_t unreached = 0;        // seeds whose text has no window of this length
    std::optional<Interval> interval;  // of a single seed's value, 95 %; absent below kLeastBlocks
    // Of the mean over several seeds, 95 %: what to expect of other seeds on this text.
    std::optional<Interval> over_seeds;
    std::string interval_method;  // rows of earlier versions name the older method
    // The lowest of its column, or not clearly worse; set where a column has several rows.
    bool best = false;
};

// Computes a cell from the rows of one model at one length, one row a seed.
ReportCell cell_of(const std::vector<const EvalResult*>& rows, Metric metric);

// Holds the ratio of the perplexity at length `to` to that at length `from`. With one seed, `interval` says what to
// expect on other text of the same kind; it comes from the same blocks at both lengths (absent below kLeastBlocks, and
// when the two lengths did not score the same targets). With several seeds, `sd` is the standard deviation over them.
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
    std::map<std::int64_t, ReportCell> cells;  // by evaluation length
    // The rows behind the cells: by length, one a seed.
    std::map<std::int64_t, std::vector<const EvalResult*>> measurements;
    std::optional<ReportGrowth> growth;
};

// Holds rows that were measured alike. Rows that differ in corpus, protocol and its rules, split, stride, tokens
// scored, documents or dtype never share a table. Rows of different tokenizers share one only where the metric compares
// them, on the same text.
struct ReportTable {
    Metric metric = Metric::ppl;
    std::string split, protocol, stride_text, dtype;
    // Names of the corpus, as the rows give them; empty if they are all of earlier versions.
    std::vector<std::string> data_names;
    std::vector<std::string> data, tokenizers;  // fingerprints; several of each in a table of different tokenizers
    bool within_documents = false;
    std::string rules_text;  // Measurement::rules_text()
    std::string bos;         // the rule's name; empty: the protocol keeps its own
    // Other tables of the report have other tokenizers, so per-token values do not compare with theirs.
    bool own_units = false;
    std::int64_t max_stream_tokens = 0;
    std::map<std::int64_t, std::int64_t> tokens;  // scored, by length; of the first row that has the length
    std::vector<std::int64_t> lengths;
    std::vector<ReportRow> rows;
    // Returns the corpus as "austen/store (xxh3:..)", or the fingerprint alone where no row names it.
    [[nodiscard]] std::string corpus() const;
    // Returns what the table measured, in words: corpus, split, protocol, stride, tokens scored.
    [[nodiscard]] std::string heading() const;
    // Returns whether every length scored the same targets, so that a line may join its points.
    [[nodiscard]] bool same_targets() const;
};

// Groups the rows into tables. Pointers in the tables point into `runs`. If models with different tokenizers were
// measured on one text and `metric` does not compare them, a table of bits per byte, which does, follows the others.
std::vector<ReportTable> make_tables(const std::vector<ReportRun>& runs, Metric metric);

}  // namespace longbow
