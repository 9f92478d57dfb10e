#include "longbow/data/batches.h"

#include <algorithm>

#include "longbow/core/error.h"

namespace longbow {

SampleOrder training_order(const TokenStream& stream, const TrainConfig& config) { return {stream.size(), config.length, config.seed}; }

UpdateSamples samples_of_update(const TrainConfig& config, std::int64_t update, std::int64_t processes) {
    if (update < 1) throw UsageError("updates are numbered from 1");
    const std::int64_t count = config.batch * config.accumulate * processes;
    return {(update - 1) * count, count};
}

void fill_batch(const TokenStream& stream, const SampleOrder& order, std::int64_t first, std::int64_t count, std::int64_t* inputs,
                std::int64_t* targets) {
    const std::int64_t length = order.length();
    for (std::int64_t row = 0; row < count; ++row) {
        const std::int64_t begin = order.begin(first + row);
        std::int64_t* row_inputs = inputs + row * length;
        std::int64_t* row_targets = targets + row * length;
        stream.read(begin, length, row_targets);
        read_inputs(stream, begin, 1, row_inputs);
        std::copy_n(row_targets, length - 1, row_inputs + 1);
    }
}

}  // namespace longbow
