#include "longbow/data/batches.h"

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/data/mixture.h"

namespace longbow {

namespace {

class ShuffledOrder final : public TrainingOrder {
public:
    ShuffledOrder(std::int64_t tokens, const TrainConfig& config)
        : order_(tokens, config.length, config.seed), batch_(config.batch), accumulate_(config.accumulate) {}

    [[nodiscard]] std::vector<TrainingInput> micro_batch(const DataPosition& position,
                                                         std::int64_t micro) const override {
        std::vector<TrainingInput> blocks;
        const auto first = position.samples + micro * batch_;
        for (auto sample = first; sample < first + batch_; ++sample) {
            blocks.push_back({order_.begin(sample), order_.length(), sample / order_.blocks_per_epoch(), sample});
        }
        return blocks;
    }
    [[nodiscard]] double updates_per_epoch() const override {
        return static_cast<double>(order_.blocks_per_epoch()) / static_cast<double>(batch_ * accumulate_);
    }
    [[nodiscard]] double tokens_per_update() const override {
        return static_cast<double>(batch_ * accumulate_ * order_.length());
    }

private:
    SampleOrder order_;
    std::int64_t batch_, accumulate_;
};

class MixedOrder final : public TrainingOrder {
public:
    MixedOrder(const std::vector<StreamPart>& parts, const TrainConfig& config)
        : choice_(weights_of(parts), config.seed), batch_(config.batch), accumulate_(config.accumulate) {
        std::int64_t begin = 0;
        for (const auto& part : parts) {
            begins_.push_back(begin);
            orders_.emplace_back(part.tokens, config.length, seed_of(config.seed, kSource, orders_.size()));
            begin += part.tokens;
        }
    }

    [[nodiscard]] std::vector<TrainingInput> micro_batch(const DataPosition& position,
                                                         std::int64_t micro) const override {
        std::vector<TrainingInput> blocks;
        const auto first = position.samples + micro * batch_;
        for (auto sample = first; sample < first + batch_; ++sample) {
            const auto draw = choice_.at(sample);
            const auto& order = orders_[draw.source];
            blocks.push_back({begins_[draw.source] + order.begin(draw.sample), order.length(),
                              draw.sample / order.blocks_per_epoch(), sample});
        }
        return blocks;
    }
    // Counts all blocks of all stores as one epoch, whatever their weights.
    [[nodiscard]] double updates_per_epoch() const override {
        double blocks = 0;
        for (const auto& order : orders_) blocks += static_cast<double>(order.blocks_per_epoch());
        return blocks / static_cast<double>(batch_ * accumulate_);
    }
    [[nodiscard]] double tokens_per_update() const override {
        return static_cast<double>(batch_ * accumulate_ * orders_.front().length());
    }

private:
    static constexpr std::uint64_t kSource = 0x736f7572;
    static std::vector<double> weights_of(const std::vector<StreamPart>& parts) {
        std::vector<double> weights;
        for (const auto& part : parts) weights.push_back(part.weight);
        return weights;
    }

    MixtureChoice choice_;
    std::vector<SampleOrder> orders_;
    std::vector<std::int64_t> begins_;
    std::int64_t batch_, accumulate_;
};

class FairseqTrainingOrder final : public TrainingOrder {
public:
    FairseqTrainingOrder(std::int64_t tokens, const TrainConfig& config)
        : order_(tokens, config.length, config.batch, config.accumulate, config.seed), tokens_(tokens) {}

    [[nodiscard]] std::vector<TrainingInput> micro_batch(const DataPosition& position,
                                                         std::int64_t micro) const override {
        return order_.micro_batch(position.updates, micro);
    }
    [[nodiscard]] double updates_per_epoch() const override { return static_cast<double>(order_.updates_per_epoch()); }
    [[nodiscard]] double tokens_per_update() const override {
        return static_cast<double>(tokens_) / updates_per_epoch();
    }

private:
    FairseqOrder order_;
    std::int64_t tokens_;
};

// Counts what the stream masks, so that all ranks divide an update's loss by the same number.
class MaskedOrder final : public TrainingOrder {
public:
    MaskedOrder(std::unique_ptr<TrainingOrder> order, const TokenStream& stream)
        : order_(std::move(order)), stream_(stream) {}

    [[nodiscard]] std::vector<TrainingInput> micro_batch(const DataPosition& position,
                                                         std::int64_t micro) const override {
        auto blocks = order_->micro_batch(position, micro);
        std::vector<std::int64_t> targets;
        for (auto& block : blocks) {
            targets.resize(static_cast<std::size_t>(block.length));
            block.masked = stream_.mask(block.begin, block.length, targets.data());
        }
        return blocks;
    }
    [[nodiscard]] double updates_per_epoch() const override { return order_->updates_per_epoch(); }
    [[nodiscard]] double tokens_per_update() const override { return order_->tokens_per_update(); }

private:
    std::unique_ptr<TrainingOrder> order_;
    const TokenStream& stream_;
};

}  // namespace

std::unique_ptr<TrainingOrder> training_order(std::int64_t tokens, const TrainConfig& config) {
    if (config.order == DataOrder::fairseq) return std::make_unique<FairseqTrainingOrder>(tokens, config);
    return std::make_unique<ShuffledOrder>(tokens, config);
}

std::unique_ptr<TrainingOrder> training_order(const TokenStream& stream, const TrainConfig& config) {
    const auto parts = stream.parts();
    if (stream.masks()) return std::make_unique<MaskedOrder>(training_order(stream.size(), config), stream);
    if (parts.size() == 1) return training_order(stream.size(), config);
    if (config.order != DataOrder::shuffled)
        throw ConfigError("train.order: " + std::string(name_of(config.order)) +
                          " takes one store; with data.mixture it is shuffled");
    return std::make_unique<MixedOrder>(parts, config);
}

DataPosition position_of_update(const TrainConfig& config, std::int64_t update) {
    if (update < 1) throw UsageError("updates are numbered from 1");
    return {update - 1, (update - 1) * config.batch * config.accumulate};
}

void fill_batch(const TokenStream& stream, const std::vector<TrainingInput>& blocks, std::int64_t length,
                std::int64_t* inputs, std::int64_t* targets) {
    // With hints for all rows, the disk reads them at once instead of one after the other.
    for (const auto& block : blocks) stream.prefetch(block.begin, block.length);
    for (const auto& block : blocks) {
        stream.read(block.begin, block.length, targets);
        read_inputs(stream, block.begin, 1, inputs);
        std::copy_n(targets, block.length - 1, inputs + 1);
        if (stream.masks()) stream.mask(block.begin, block.length, targets);
        std::fill(inputs + block.length, inputs + length, inputs[block.length - 1]);
        std::fill(targets + block.length, targets + length, kNoTarget);
        inputs += length;
        targets += length;
    }
}

void prefetch(const TokenStream& stream, const std::vector<std::vector<TrainingInput>>& micro_batches) {
    for (const auto& blocks : micro_batches) {
        for (const auto& block : blocks) stream.prefetch(block.begin, block.length);
    }
}

}  // namespace longbow
