// What each published cell measures, and at which scale we measure it.
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

// The position method that a table of the paper calls so, as it is called here ("t5_bias" is "t5"); empty: none of ours.
std::string method_of(const std::string& published);

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

}  // namespace longbow
