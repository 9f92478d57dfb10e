// Which samples an update sees, and their ids as a batch. The trainer and `longbow inspect data --update` share these functions,
// so that what is shown is what is trained on.
#pragma once

#include <cstdint>

#include "longbow/config/config.h"
#include "longbow/data/sample_order.h"
#include "longbow/data/token_store.h"

namespace longbow {

// The order of training on this stream with these settings (length, seed).
SampleOrder training_order(const TokenStream& stream, const TrainConfig& config);

// Samples [first, first + count) of the update-th update (1 is the first): batch * accumulate sequences an update and process,
// `processes` processes.
struct UpdateSamples {
    std::int64_t first, count;
};
UpdateSamples samples_of_update(const TrainConfig& config, std::int64_t update, std::int64_t processes = 1);

// Fills inputs and targets, each int64 [count, order.length()] row-major, with samples [first, first + count) of the order. Input
// i of a row is the token before target i (the boundary id before the stream's first).
void fill_batch(const TokenStream& stream, const SampleOrder& order, std::int64_t first, std::int64_t count, std::int64_t* inputs,
                std::int64_t* targets);

}  // namespace longbow
