// Writes the text of `longbow train --dry-run`: what a run will take. Counts are exact, FLOPs are estimates by formulas
// that the text states, and memory comes from memory_plan.h.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "fork.h"
#include "learning_plan.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/model/flops.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"
#include "longbow/telemetry/log.h"
#include "memory_plan.h"
#include "run_data.h"
#include "session.h"
#include "store.h"
#include "time_plan.h"

namespace longbow {

namespace {

std::string flops_text(double flops) { return fmt::format("{:.3g} FLOPs", flops); }

std::string line(const char* name, const std::string& value) { return fmt::format("{:<22} {}\n", name, value); }

// Returns the memory plan, and its total with each memory-saving option that the configuration does not use.
std::string memory_lines(const TrainRequest& request, int ranks, std::int64_t vocab_size, std::int64_t valid_tokens) {
    const auto& config = request.config;
    const auto most = config.eval.valid_tokens;
    const MemoryRequest memory{request.device, request.threads, ranks,
                               most > 0 ? std::min(most, valid_tokens) : valid_tokens};
    const auto plan = plan_memory(config, vocab_size, memory);
    std::string text =
        line("memory", fmt::format("{}, {} attention{}: {}", request.device, plan.attention,
                                   ranks > 1 ? fmt::format(", each of {} ranks", ranks) : "", to_text(plan)));
    text.pop_back();  // to_text() ends its lines itself
    if (memory.device != "cpu")
        text += line("host memory", human_bytes(plan.snapshot) + ": the copy for the checkpoint being written");
    const auto other = [&](const char* key, const Config& changed) {
        text += fmt::format("{:>22} {:>10}  in all with {}\n", "",
                            human_bytes(plan_memory(changed, vocab_size, memory).total), key);
    };
    if (config.train.recompute == Recompute::none) {
        auto changed = config;
        changed.train.recompute = Recompute::layer;
        other("train.recompute: layer", changed);
    }
    if (ranks > 1 && !config.dist.shard_optimizer) {
        auto changed = config;
        changed.dist.shard_optimizer = true;
        other("dist.shard_optimizer: true", changed);
    }
    return text;
}

std::string evaluation_lines(const Config& config, const ForwardFlops& forward, const TokenStream& valid,
                             double update_flops) {
    std::string text;
    const auto tokens = config.eval.valid_tokens > 0 ? std::min(config.eval.valid_tokens, valid.size()) : valid.size();
    for (const auto length : validation_lengths(config)) {
        const double flops = static_cast<double>(tokens) * forward.token(length);
        text += line("validation", fmt::format("at length {}: {} tokens, {}, as much as {:.1f} updates", length,
                                               with_commas(tokens), flops_text(flops), flops / update_flops));
    }
    return text;
}

// Returns the learning rates of a fork. Throws what the run itself would throw.
std::string fork_rates(const TrainRequest& request, const Config& config, const TrainState& state,
                       const RunUnits& units) {
    Session course;
    course.config = config;
    course.state = state;
    course.units = units;
    course.total_updates = total_updates(config, units);
    resolve_schedule(course);
    check_fork_ahead(course, request.fork->from);
    return rates_ahead(course);
}

// Returns the vocabulary of a store that will be made from text, as far as the configuration tells; 0 if it does not.
std::int64_t planned_vocab_size(const Config& config) {
    if (config.data.expect_vocab_size > 0) return config.data.expect_vocab_size;
    if (!config.tokenizer.file.empty()) return open_tokenizer(config.tokenizer)->vocab_size();
    return config.tokenizer.vocab_size;
}

// Returns the plan when the store does not exist: what follows from the configuration, and what is unknown. A dry run
// makes no store.
std::string plan_without_store(const TrainRequest& request, int ranks) {
    const auto& config = request.config;
    const auto path = store_of(request).string();
    const auto vocab_size = planned_vocab_size(config);
    if (vocab_size == 0) {
        return line("an update",
                    with_commas(config.train.batch * config.train.accumulate * config.train.length) + " tokens") +
               path +
               " does not exist yet: parameters, memory, time and updates an epoch are known when it is made from data.train (longbow "
               "prepare, or the run itself), or with tokenizer.vocab_size or data.expect_vocab_size.\n";
    }
    auto known = config;
    known.data.expect_vocab_size = vocab_size;
    // The validation tokens are not known yet; at least a full batch of them is assumed.
    const auto valid_tokens = config.data.valid.empty() ? 0 : config.eval.max_batch_tokens;
    const std::string from = config.data.expect_vocab_size > 0 ? "data.expect_vocab_size and data.expect_train_tokens"
                             : !config.tokenizer.file.empty()  ? "tokenizer.file"
                                                               : "tokenizer.vocab_size, the most that will be learned";
    const std::string unknown = config.data.expect_train_tokens > 0
                                    ? ""
                                    : " How many updates an epoch has is known when the store is made from data.train.";
    return expected_plan(known) + memory_lines(request, ranks, vocab_size, valid_tokens) +
           time_text(request, expected_time(known), ranks) + path + " does not exist yet: these numbers follow from " +
           from + "." + unknown + "\n";
}

}  // namespace

std::string expected_plan(const Config& config) {
    const auto& data = config.data;
    if (data.expect_vocab_size == 0) return "";
    std::string text =
        line("parameters", with_commas(make_meta_model(config, data.expect_vocab_size)->parameter_count()));
    text +=
        line("an update", with_commas(config.train.batch * config.train.accumulate * config.train.length) + " tokens");
    if (data.expect_train_tokens == 0) return text;
    const double epoch = training_order(data.expect_train_tokens, config.train)->updates_per_epoch();
    text += line("an epoch", with_commas(static_cast<std::int64_t>(std::ceil(epoch))) + " updates");
    if (config.train.stop.unit == Duration::Unit::updates)
        text += line("the run", fmt::format("{:.1f} epochs", config.train.stop.value / epoch));
    return text;
}

std::string training_plan(const TrainRequest& request, int ranks) {
    Config config = request.config;
    check_missing_store(request);
    if (!store_exists(request)) return plan_without_store(request, ranks);
    const auto data = open_run_data(request, /*validate=*/true);
    if (text_is_foreign(request)) reset_text_keys(config);
    const auto& train = *data.train;
    const auto vocab_size = data.tokenizer->vocab_size();
    const auto model = make_meta_model(config, vocab_size);
    ForkPlan fork;
    if (request.fork && !request.fork->checkpoint.empty()) {
        fork = plan_fork(request.fork->checkpoint, config, train, data.tokenizer->fingerprint());
        check_fork_weights(request.fork->checkpoint, config, *model);
    }
    const RunUnits units = run_units(*training_order(train, config.train), config, fork.state);
    const auto total = total_updates(config, units);
    const ForwardFlops forward(*model);
    const double update_flops = 3 * units.tokens_per_update * forward.token(config.train.length);
    const auto runs = std::max<std::size_t>(1, config.train.seeds.size());

    std::string text =
        line("model", fmt::format("{}, {} layers, dim {}, {} heads, vocabulary {}", config.position.method_names(),
                                  config.model.layers, config.model.dim, config.model.heads, with_commas(vocab_size)));
    text += line("parameters", with_commas(model->parameter_count()));
    text += line("training data",
                 data.items ? data.place + ", new items throughout"
                            : with_commas(train.size()) + " tokens in " +
                                  (config.data.mixture.empty() ? data.place : join(config.data.mixture, ", ")));
    text += line("an update", fmt::format("{} x {} sequences of {} tokens: {} tokens, {}", config.train.accumulate,
                                          config.train.batch, config.train.length,
                                          with_commas(static_cast<std::int64_t>(units.tokens_per_update)),
                                          flops_text(update_flops)));
    if (!data.items) text += line("an epoch", fmt::format("{:.1f} updates", units.updates_per_epoch));
    if (total >= 0) {
        const auto to_go = std::max<std::int64_t>(0, total - fork.state.updates);
        const auto updates = static_cast<double>(to_go);
        text += line("the run",
                     fmt::format("{} updates, {:.2f} epochs, {} tokens, {}{}", with_commas(to_go),
                                 updates / units.updates_per_epoch, human_count(updates * units.tokens_per_update),
                                 flops_text(updates * update_flops),
                                 runs > 1 ? fmt::format("; {} runs (train.seeds)", runs) : ""));
    } else {
        text += line("the run", "until " + config.train.stop.text() + " have passed");
    }
    if (!fork.lines.empty()) {
        text += line("forked from",
                     fmt::format("{}, update {}", request.fork->checkpoint.string(), with_commas(fork.state.updates)));
        for (const auto& kept : fork.lines) text += "  " + kept + "\n";
        text += "  learning rate  " + fork_rates(request, config, fork.state, units) + "\n";
    }
    text += memory_lines(request, ranks, vocab_size, data.valid != nullptr ? data.valid->size() : 0);
    text += line("a checkpoint", human_bytes(static_cast<double>(model->parameter_count()) *
                                             (config.train.dtype == DType::fp64 ? 8 : 4) *
                                             static_cast<double>(1 + optimizer_slots(config.optim).size())));
    if (data.valid != nullptr) text += evaluation_lines(config, forward, *data.valid, update_flops);
    text += time_text(
        request,
        {vocab_size, total >= 0 ? static_cast<double>(std::max<std::int64_t>(0, total - fork.state.updates)) : -1.0,
         units.updates_per_epoch, &train, data.valid},
        ranks);
    text += "FLOPs: 2 a weight and token forward, 4 dim a key, layer and token for attention; backward twice that.\n";
    if (!config.model.adaptive_cutoffs.empty())
        text +=
            "The estimate omits the softmax over the rarer words of an adaptive model, because few tokens need it.\n";
    return text;
}

}  // namespace longbow
