// Says what each published cell measures, and at which scale we measure it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "longbow/paper/published.h"

namespace longbow {

enum class Quantity {
    ppl,
    eval_speed,          // scored tokens a second, one window at a time
    batched_eval_speed,  // scored tokens a second, windows in batches
    train_speed,         // tokens a second
    train_memory,        // peak, in bytes
    parameters,
    updates,
    gpu_hours,  // hours of training on one device
};

// Describes what one published cell measures. Lengths are the paper's.
struct Target {
    std::string dataset;  // "wikitext103", "bookcorpus", "cc100"
    std::string method;   // named as our position methods: "alibi", "sinusoidal", "rotary", "t5"
    std::int64_t train_length = 0;
    Quantity quantity = Quantity::ppl;
    std::int64_t length = 0;   // of evaluations: tokens of a window
    std::int64_t stride = 0;   // of evaluations; 0: non-overlapping
    std::string split;         // of evaluations
    double after_updates = 0;  // updates at which the paper stopped this model early (Table 11); 0: trained to its end
    bool operator==(const Target&) const = default;
};

// Returns our name for a position method of the paper's tables ("t5_bias" is "t5"); empty if it is none of ours.
// published_method() is the way back.
std::string method_of(const std::string& published);
std::string published_method(const std::string& method);

// Returns nullopt if the paper measured nothing there, or quotes another publication.
std::optional<Target> target_of(const PublishedTable& table, std::size_t row, std::size_t column);

// Describes the scale of a reproduction: the paper's grid itself, or a small copy of it.
struct Scale {
    std::string name = "paper";
    std::int64_t divisor = 1;            // divides lengths and strides (except stride 1)
    std::size_t rows = 0;                // how many rows of the tables by input length; 0: all
    std::int64_t stride_1_tokens = 0;    // scored by evaluations of stride 1; 0: the whole split
    std::int64_t max_stream_tokens = 0;  // scored by every other evaluation; 0: the whole split
    std::string corpus;                  // the corpus of all measurements; empty: the paper's data sets
    std::vector<std::string> changes;    // settings that the caller changed, for the label
    // Returns whether this is a small copy of the grid, and not the paper's models.
    [[nodiscard]] bool reduced() const { return divisor != 1; }
    [[nodiscard]] std::int64_t length(std::int64_t paper) const { return paper >= divisor ? paper / divisor : 1; }
    [[nodiscard]] std::int64_t stride(const Target& target) const;  // in tokens, never 0
    [[nodiscard]] std::int64_t stream_tokens(const Target& target) const;
    // Returns the name by which rows call the data that the target is measured on.
    [[nodiscard]] std::string data_set(const Target& target) const { return corpus.empty() ? target.dataset : corpus; }
    // Returns the rows of a table that this scale measures: all, or about `rows` between the first and the last, no two
    // with the same scaled length.
    [[nodiscard]] std::vector<std::size_t> rows_of(const PublishedTable& table) const;
    // Returns a warning that keeps a reader from taking the numbers for the paper's; empty at the paper's scale.
    [[nodiscard]] std::string banner() const;
};
Scale demo_scale();
// Returns the names of the scales. scale_named() throws UsageError for any other name.
std::vector<std::string> scale_names();
Scale scale_named(const std::string& name);

}  // namespace longbow
