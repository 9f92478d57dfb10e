// Which inputs an update sees, and their ids as a batch. The trainer and `longbow inspect data --update` share these functions,
// so that what is shown is what is trained on.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/data/fairseq_order.h"
#include "longbow/data/sample_order.h"
#include "longbow/data/token_store.h"

namespace longbow {

// What earlier updates have consumed: where an update begins in the data.
struct DataPosition {
    std::int64_t updates = 0;
    std::int64_t samples = 0;
};

class TrainingOrder {
public:
    virtual ~TrainingOrder() = default;
    // The inputs of micro-batch `micro` (0 <= micro < accumulate) of the update at this position. With train.order fairseq the last block
    // of the stream may be short, and the last micro-batches of an epoch may be empty (never the first of an update).
    [[nodiscard]] virtual std::vector<TrainingInput> micro_batch(const DataPosition& position, std::int64_t micro) const = 0;
    [[nodiscard]] virtual double updates_per_epoch() const = 0;
    [[nodiscard]] virtual double tokens_per_update() const = 0;  // mean over an epoch
};

// Of a stream of several parts: the mixture of mixture.h. By train.order, with train.length, batch, accumulate and seed. Throws DataError if the stream is too short.
std::unique_ptr<TrainingOrder> training_order(const TokenStream& stream, const TrainConfig& config);
// The same of a stream of so many tokens.
std::unique_ptr<TrainingOrder> training_order(std::int64_t tokens, const TrainConfig& config);

// Where the update-th update begins (1 is the first).
DataPosition position_of_update(const TrainConfig& config, std::int64_t update);

// Written as the target of places that only fill up a short row.
constexpr std::int64_t kNoTarget = -1;

// Fills inputs and targets, each int64 [blocks, length] row-major. Input i of a row is the token before target i (the boundary id
// before the stream's first). A block shorter than `length` is followed by kNoTarget, and by its last input in `inputs`.
void fill_batch(const TokenStream& stream, const std::vector<TrainingInput>& blocks, std::int64_t length, std::int64_t* inputs,
                std::int64_t* targets);

// Asks for the ids of these micro-batches to be brought from the disk while earlier ones are at work, so that a step never waits for it.
void prefetch(const TokenStream& stream, const std::vector<std::vector<TrainingInput>>& micro_batches);

}  // namespace longbow
