#include "longbow/data/update_share.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/error.h"

namespace longbow {

void check_share(const TrainConfig& config, int world) {
    if (config.batch * config.accumulate >= world) return;
    throw ConfigError(fmt::format(
        "train.batch * train.accumulate = {} inputs an update cannot be shared by {} ranks: start fewer, or raise train.batch",
        config.batch * config.accumulate, world));
}

LargestShare largest_share(const TrainConfig& config, int world) {
    if (config.accumulate % world == 0) return {config.batch, config.accumulate / world};
    const auto inputs = (config.batch * config.accumulate + world - 1) / world;
    return {std::min(config.batch, inputs), (inputs + config.batch - 1) / config.batch};
}

UpdateShare share_of_update(const TrainingOrder& order, const DataPosition& position, const TrainConfig& config,
                            int rank, int world) {
    check_share(config, world);
    const bool whole = config.accumulate % world == 0;
    const auto each = config.accumulate / world;
    UpdateShare share;
    std::vector<TrainingInput> all;
    for (std::int64_t micro = 0; micro < config.accumulate; ++micro) {
        auto blocks = order.micro_batch(position, micro);
        if (blocks.empty()) continue;  // this epoch has no batch left
        if (share.first.empty()) share.first = {blocks.front()};
        share.samples += static_cast<std::int64_t>(blocks.size());
        for (const auto& block : blocks) {
            share.tokens += block.length;
            share.losses += block.length - block.masked;
        }
        if (!whole) {
            all.insert(all.end(), blocks.begin(), blocks.end());
        } else if (micro / each == rank) {
            share.micro_batches.push_back(std::move(blocks));
        }
    }
    if (whole) return share;
    const auto size = static_cast<std::int64_t>(all.size());
    const auto end = size * (rank + 1) / world;
    for (auto begin = size * rank / world; begin < end; begin += config.batch) {
        share.micro_batches.emplace_back(all.begin() + begin, all.begin() + std::min(begin + config.batch, end));
    }
    return share;
}

}  // namespace longbow
