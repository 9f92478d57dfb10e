// Decides which inputs an update sees, and reads their ids as a batch. The trainer and `longbow inspect data --update`
// share these functions, so that what is shown is what is trained on.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/data/fairseq_order.h"
#include "longbow/data/sample_order.h"
#include "longbow/data/token_store.h"

namespace longbow {

// Where an update begins in the data: what all earlier updates have consumed.
struct DataPosition {
    std::int64_t updates = 0;
    std::int64_t samples = 0;
};

class TrainingOrder {
public:
    virtual ~TrainingOrder() = default;
    // Returns the inputs of micro-batch `micro` (0 <= micro < accumulate) of the update at this position. With
    // train.order fairseq the last block of the stream may be short, and the last micro-batches of an epoch may be
    // empty, but never the first of an update.
    [[nodiscard]] virtual std::vector<TrainingInput> micro_batch(const DataPosition& position,
                                                                 std::int64_t micro) const = 0;
    // Returns how many updates use as many inputs as the stream has. It need not be a whole number.
    [[nodiscard]] virtual double updates_per_epoch() const = 0;
    [[nodiscard]] virtual double tokens_per_update() const = 0;  // mean over an epoch
};

// Makes the order that train.order names, with train.length, batch, accumulate and seed. A stream of several parts is
// ordered by the mixture (mixture.h). The stream must outlive the order. Throws DataError if the stream is too short,
// ConfigError for a mixture in an order other than shuffled.
std::unique_ptr<TrainingOrder> training_order(const TokenStream& stream, const TrainConfig& config);
// Makes the order for a stream of `tokens` tokens in one part.
std::unique_ptr<TrainingOrder> training_order(std::int64_t tokens, const TrainConfig& config);

// Returns where an update begins. Updates are numbered from 1; a smaller number throws UsageError.
DataPosition position_of_update(const TrainConfig& config, std::int64_t update);

// Fills inputs and targets, each int64 [blocks, length] in row-major order. Input i of a row is the token before target
// i (the boundary id before the first of the stream). A block shorter than `length` is padded with kNoTarget in
// `targets` and with its last input in `inputs`; targets that the stream masks are kNoTarget too.
void fill_batch(const TokenStream& stream, const std::vector<TrainingInput>& blocks, std::int64_t length,
                std::int64_t* inputs, std::int64_t* targets);

// Hints that these micro-batches are needed soon, so that their ids are read from the disk while earlier ones are
// computed and no step waits for it.
void prefetch(const TokenStream& stream, const std::vector<std::vector<TrainingInput>>& micro_batches);

}  // namespace longbow
