// Decides which parts of a checkpoint's state still hold under new settings, and adjusts the others.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "cadence.h"
#include "fork.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/optim/optimizer.h"
#include "session.h"

namespace longbow {

namespace {

bool has_momentum(const OptimConfig& optim) { return !optimizer_slots(optim).empty(); }

bool has_optimizer_files(const fs::path& checkpoint) {
    const auto entries = fs::directory_iterator(checkpoint);
    return std::any_of(begin(entries), end(entries),
                       [](const auto& entry) { return starts_with(entry.path().filename().string(), "optimizer-"); });
}

class Planner {
public:
    Planner(const fs::path& checkpoint, const Config& config, const TokenStream& train)
        : checkpoint_(checkpoint),
          before_(read_checkpoint_config(checkpoint)),
          after_(config),
          train_(train),
          same_data_(read_manifest(checkpoint).value("data", "") == train.fingerprint()) {
        plan_.state = read_train_state(checkpoint);
        for (const auto& difference : config_differences(before_, after_, registered_config_context())) {
            if (!describes_text(difference.key)) changes_.push_back(difference);
        }
    }

    ForkPlan plan() {
        optimizer();
        place_in_data();
        loss_scale();
        best();
        // If nothing changed, the schedule keeps its length, which may come from an earlier train.stop than the last
        // one.
        plan_.new_period = changed("schedule.") || changed("train.stop") || units_change();
        if (plan_.new_period) plan_.state.schedule_period = 0;
        add_line("changed", changes_.empty() ? "nothing" : changes_text());
        return std::move(plan_);
    }

private:
    void add_line(const char* what, const std::string& text) {
        plan_.lines.push_back(fmt::format("{:<14} ", what) + text);
    }

    [[nodiscard]] bool changed(const std::string& key) const {
        return std::any_of(changes_.begin(), changes_.end(),
                           [&](const auto& change) { return starts_with(change.key, key); });
    }
    [[nodiscard]] std::string changes_text() const {
        std::vector<std::string> texts;
        for (const auto& change : changes_) texts.push_back(change.key + ": " + change.before + " -> " + change.after);
        return join(texts, "; ");
    }
    // Returns whether an update or an epoch differs from what it was in the source run.
    [[nodiscard]] bool units_change() const {
        const auto &a = before_.train, &b = after_.train;
        return !same_data_ || a.length != b.length || a.batch != b.batch || a.accumulate != b.accumulate ||
               a.order != b.order;
    }

    void optimizer() {
        auto& state = plan_.state;
        const auto &a = before_.optim, &b = after_.optim;
        std::string why;
        if (!has_optimizer_files(checkpoint_)) {
            why = "the checkpoint holds no state of an optimizer";
        } else if (a.name != b.name) {
            why = a.name + " -> " + b.name;
        } else if (!has_momentum(a) && has_momentum(b)) {
            why = "there was no momentum";
        }
        plan_.optimizer = why.empty();
        if (plan_.optimizer) {
            const bool drops = has_momentum(a) && !has_momentum(b);
            add_line("optimizer", fmt::format("state of {} after {} steps{}", b.name, state.optimizer_steps,
                                              drops ? ", without its momentum" : ""));
        } else {
            state.optimizer_steps = 0;
            add_line("optimizer", b.name + " starts without state: " + why);
        }
    }

    void place_in_data() {
        auto& state = plan_.state;
        const auto &a = before_.train, &b = after_.train;
        const auto samples = with_commas(state.samples);
        if (!same_data_) {
            rebase(0);
            state.samples = 0;
            state.order_updates = state.updates;
            forget_interval();
            return add_line(
                "data",
                "starts at the beginning, because the checkpoint was trained on other data; epochs count from 0");
        }
        const std::string seed = a.seed == b.seed ? "" : "; another train.seed, so the same place in another order";
        if (!units_change()) return add_line("data", "continues after " + samples + " inputs" + seed);
        const auto order = training_order(train_, a);
        const RunUnits units{order->tokens_per_update(), order->updates_per_epoch(),
                             static_cast<double>(state.base_updates), state.base_tokens, state.base_epochs};
        const double epochs = units.epochs_at(static_cast<double>(state.updates));
        rebase(epochs);
        // train.order fairseq derives its place in the data from the updates, the other order from the inputs.
        state.order_updates =
            state.updates -
            static_cast<std::int64_t>(std::floor(epochs * training_order(train_, b)->updates_per_epoch() + 1e-9));
        if (a.length == b.length && a.order == b.order)
            return add_line("data", "continues after " + samples + " inputs" + seed);
        forget_interval();
        state.samples = state.samples * a.length / b.length;
        add_line(
            "data",
            fmt::format(
                "continues after {:.2f} epochs: {} inputs of {} tokens are {} of {}. The order within the epoch differs, so "
                "some text of this epoch is seen twice and some not at all",
                epochs, samples, a.length, with_commas(state.samples), b.length) +
                seed);
    }
    void rebase(double epochs) {
        auto& state = plan_.state;
        state.base_updates = state.updates;
        state.base_skipped = state.skipped_updates;
        state.base_tokens = static_cast<double>(state.tokens);
        state.base_epochs = epochs;
    }
    void forget_interval() {
        plan_.state.interval_nll = 0;
        plan_.state.interval_tokens = 0;
    }

    void loss_scale() {
        auto& state = plan_.state;
        const auto &a = before_.train, &b = after_.train;
        if (b.dtype == a.dtype && b.loss_scale == a.loss_scale) return;
        state.loss_scale = b.dtype == DType::fp16 ? b.loss_scale : 1.0;
        state.good_updates = 0;
        if (b.dtype == DType::fp16) add_line("loss scale", fmt::format("starts at {:g}", state.loss_scale));
    }

    // Forgets the best validation, unless it is comparable and this checkpoint is the best one: the new run does not
    // have the source's other checkpoints.
    void best() {
        auto& state = plan_.state;
        const bool comparable =
            same_data_ && !changed("eval.") && !changed("data.") && !changed("train.length") && !changed("train.dtype");
        if (!comparable) state.validated_update = -1;
        if (comparable && state.best_update == state.updates) return;
        state.best_update = -1;
        state.best_nll = 0;
    }

    const fs::path& checkpoint_;
    Config before_;
    const Config& after_;
    const TokenStream& train_;
    bool same_data_;
    ForkPlan plan_;
    std::vector<ConfigDifference> changes_;
};

}  // namespace

ForkPlan plan_fork(const fs::path& checkpoint, const Config& config, const TokenStream& train,
                   const std::string& tokenizer) {
    if (const std::string before = read_manifest(checkpoint).value("tokenizer", ""); before != tokenizer) {
        throw DataError("--from " + checkpoint.string() + ": it was trained with another tokenizer (" + before +
                        ") than the store's (" + tokenizer +
                        "); prepare the data with the checkpoint's tokenizer: longbow prepare --tokenizer KIND:" +
                        checkpoint.string() + " ..");
    }
    return Planner(checkpoint, config, train).plan();
}

PositionWeights fork_positions(const fs::path& checkpoint, const Config& config) {
    return read_checkpoint_config(checkpoint).position == config.position ? PositionWeights::same
                                                                          : PositionWeights::may_differ;
}

void check_fork_weights(const fs::path& checkpoint, const Config& config, const LanguageModel& model) {
    constexpr std::size_t kMostNamed = 4;
    auto stored = read_safetensors(checkpoint / "model.safetensors").tensors;
    std::vector<std::string> problems;
    const bool positions_differ = fork_positions(checkpoint, config) == PositionWeights::may_differ;
    if (positions_differ) std::erase_if(stored, [](const auto& one) { return starts_with(one.first, "position."); });
    for (const auto& wanted : model.stored_tensors()) {
        if (positions_differ && starts_with(wanted.name, "position.")) continue;
        const auto found = stored.find(wanted.name);
        if (found == stored.end()) {
            problems.push_back(wanted.name + " " + shape_text(wanted.tensor.sizes()) + " is not in the checkpoint");
        } else {
            if (found->second.sizes() != wanted.tensor.sizes()) {
                problems.push_back(wanted.name + " has the shape " + shape_text(found->second.sizes()) +
                                   " in the checkpoint and " + shape_text(wanted.tensor.sizes()) + " in the new run");
            }
            stored.erase(found);
        }
    }
    for (const auto& [name, tensor] : stored)
        problems.push_back(name + " " + shape_text(tensor.sizes()) + " has no place in the new run");
    if (problems.empty()) return;
    std::vector<std::string> settings;
    for (const auto& change :
         config_differences(read_checkpoint_config(checkpoint), config, registered_config_context())) {
        if (starts_with(change.key, "model.") || change.key == "train.length") {
            settings.push_back(change.key + ": " + change.before + " -> " + change.after);
        }
    }
    const auto more =
        problems.size() > kMostNamed ? fmt::format("; and {} more", problems.size() - kMostNamed) : std::string();
    problems.resize(std::min(problems.size(), kMostNamed));
    throw ConfigError(
        "--from " + checkpoint.string() + " does not fit the new run's model (" + join(settings, "; ") +
        "): " + join(problems, "; ") + more +
        ". A fork may change the position method, and every setting that leaves the other weights' names and shapes");
}

}  // namespace longbow
