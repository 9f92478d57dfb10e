// The paper's tables and figures beside our own measurements: what each published cell measures, at which scale we measure it, and both
// set side by side in the paper's layout.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "longbow/paper/published.h"
#include "longbow/report/report.h"

namespace longbow {

enum class Quantity {
    ppl,
    eval_speed,          // scored tokens a second, one window at a time
    batched_eval_speed,  // scored tokens a second, windows in batches
    train_speed,         // tokens a second
    train_memory,        // peak, bytes
    parameters,
    updates,
    gpu_hours,  // hours of training on one device
};

// What one published cell measures, in the paper's own lengths.
struct Target {
    std::string dataset;  // "wikitext103", "bookcorpus", "cc100"
    std::string method;   // as the position method is called here: "alibi", "sinusoidal", "rotary", "t5"
    std::int64_t train_length = 0;
    Quantity quantity = Quantity::ppl;
    std::int64_t length = 0;   // evaluations: tokens a window
    std::int64_t stride = 0;   // evaluations: 0 is non-overlapping
    std::string split;         // evaluations
    double after_updates = 0;  // the paper stopped this model so early (Table 11); 0: trained to its end
    bool operator==(const Target&) const = default;
};

// nullopt where the paper measured nothing, or quotes another publication.
std::optional<Target> target_of(const PublishedTable& table, std::size_t row, std::size_t column);

// The paper's grid itself, or a small copy of it.
struct Scale {
    std::string name = "paper";
    std::int64_t divisor = 1;            // lengths and strides (but stride 1) are divided by it
    std::size_t rows = 0;                // of the tables by input length; 0: all
    std::int64_t stride_1_tokens = 0;    // scored at stride 1; 0: the whole split
    std::int64_t max_stream_tokens = 0;  // scored by every other evaluation; 0: the whole split
    std::vector<std::string> changes;    // settings that the caller changed, for the label
    [[nodiscard]] std::int64_t length(std::int64_t paper) const { return paper >= divisor ? paper / divisor : 1; }
    [[nodiscard]] std::int64_t stride(const Target& target) const;  // in tokens, never 0
    [[nodiscard]] std::int64_t stream_tokens(const Target& target) const;
    // The rows of a table that this scale measures: all, or about `rows` from the first to the last, no two of one scaled length.
    [[nodiscard]] std::vector<std::size_t> rows_of(const PublishedTable& table) const;
    // What a reader must know before he takes a number for the paper's; empty at the paper's scale.
    [[nodiscard]] std::string banner() const;
};
Scale demo_scale();

struct Measured {
    double value = 0;
    std::optional<double> low, high;  // 95 %
    std::int64_t tokens = 0;          // scored; 0: no evaluation
    std::string corpus = {};          // evaluations: the store's name and the split's fingerprint
};
using Lookup = std::function<std::optional<Measured>(const Target&)>;

// Where in a run the rows lie that tell of a target: results.jsonl; early.jsonl for a model that was stopped early on its way; speed.jsonl
// for windows in batches.
std::string measurement_file(const Target& target);

// Finds targets in what runs left behind; `runs` must outlive it. Rows count when position, training length, length, stride,
// split and token limit are the target's at this scale, and the data set is not another of the paper's by its store's path; of several the
// last one.
Lookup lookup_in(const std::vector<ReportRun>& runs, const Scale& scale);

// format: markdown | csv | latex | json | html. With a lookup that finds nothing: the published table alone.
std::string render_paper_table(const PublishedTable& table, const Scale& scale, const Lookup& ours, const std::string& format);

}  // namespace longbow
