#include "longbow/data/batches.h"

#include <algorithm>

#include "longbow/core/error.h"

namespace longbow {

namespace {

class ShuffledOrder final : public TrainingOrder {
public:
    ShuffledOrder(std::int64_t tokens, const TrainConfig& config)
        : order_(tokens, config.length, config.seed), batch_(config.batch), accumulate_(config.accumulate) {}

    [[nodiscard]] std::vector<Block> micro_batch(const DataPosition& position, std::int64_t micro) const override {
        std::vector<Block> blocks;
        const auto first = position.samples + micro * batch_;
        for (auto sample = first; sample < first + batch_; ++sample) {
            blocks.push_back({order_.begin(sample), order_.length(), sample / order_.blocks_per_epoch(), sample});
        }
        return blocks;
    }
    [[nodiscard]] double updates_per_epoch() const override {
        return static_cast<double>(order_.blocks_per_epoch()) / static_cast<double>(batch_ * accumulate_);
    }
    [[nodiscard]] double tokens_per_update() const override { return static_cast<double>(batch_ * accumulate_ * order_.length()); }

private:
    SampleOrder order_;
    std::int64_t batch_, accumulate_;
};

class FrozenBatches final : public TrainingOrder {
public:
    FrozenBatches(std::int64_t tokens, const TrainConfig& config)
        : order_(tokens, config.length, config.batch, config.accumulate, config.seed), tokens_(tokens) {}

    [[nodiscard]] std::vector<Block> micro_batch(const DataPosition& position, std::int64_t micro) const override {
        return order_.micro_batch(position.updates, micro);
    }
    [[nodiscard]] double updates_per_epoch() const override { return static_cast<double>(order_.updates_per_epoch()); }
    [[nodiscard]] double tokens_per_update() const override { return static_cast<double>(tokens_) / updates_per_epoch(); }

private:
    FairseqOrder order_;
    std::int64_t tokens_;
};

}  // namespace

std::unique_ptr<TrainingOrder> training_order(std::int64_t tokens, const TrainConfig& config) {
    if (config.order == "fairseq") return std::make_unique<FrozenBatches>(tokens, config);
    return std::make_unique<ShuffledOrder>(tokens, config);
}

std::unique_ptr<TrainingOrder> training_order(const TokenStream& stream, const TrainConfig& config) { return training_order(stream.size(), config); }

DataPosition position_of_update(const TrainConfig& config, std::int64_t update) {
    if (update < 1) throw UsageError("updates are numbered from 1");
    return {update - 1, (update - 1) * config.batch * config.accumulate};
}

void fill_batch(const TokenStream& stream, const std::vector<Block>& blocks, std::int64_t length, std::int64_t* inputs,
                std::int64_t* targets) {
    for (const auto& block : blocks) {
        stream.read(block.begin, block.length, targets);
        read_inputs(stream, block.begin, 1, inputs);
        std::copy_n(targets, block.length - 1, inputs + 1);
        std::fill(inputs + block.length, inputs + length, inputs[block.length - 1]);
        std::fill(targets + block.length, targets + length, kNoTarget);
        inputs += length;
        targets += length;
    }
}

}  // namespace longbow
