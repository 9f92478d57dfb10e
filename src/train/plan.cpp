// What a run will take, said before it starts (`longbow train --dry-run`). Counts are exact, memory and FLOPs are estimates by the
// formulas that the text states.
#include <algorithm>
#include <cmath>
#include <optional>

#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/model/language_model.h"
#include "longbow/telemetry/log.h"
#include "session.h"

namespace longbow {

namespace {

struct Sizes {
    double parameters = 0;      // all
    double multiplied = 0;      // in matrix products, each once a token: all but embeddings, norms, biases; the output projection included
};

// Scores that every token takes: of each word, or with adaptive softmax of the first band's words and a class for each further band.
double scores(const ModelConfig& model, std::int64_t vocab_size) {
    const auto& cutoffs = model.adaptive_cutoffs;
    return static_cast<double>(cutoffs.empty() ? vocab_size : cutoffs.front() + static_cast<std::int64_t>(cutoffs.size()));
}

// Everything but the depth costs time to build: a model of one and one of two layers tell the rest.
Sizes model_sizes(const Config& config, std::int64_t vocab_size) {
    Config shallow = config;
    shallow.model.layers = 1;
    const auto one = static_cast<double>(make_language_model(shallow, vocab_size)->parameter_count());
    shallow.model.layers = 2;
    const auto two = static_cast<double>(make_language_model(shallow, vocab_size)->parameter_count());
    const auto layers = static_cast<double>(config.model.layers);
    const auto dim = static_cast<double>(config.model.dim);
    const double ffn = (config.model.activation == "swiglu" ? 3.0 : 2.0) * dim * static_cast<double>(config.model.ffn_dim);
    return {one + (layers - 1) * (two - one), layers * (4 * dim * dim + ffn) + dim * scores(config.model, vocab_size) + (config.model.adaptive_cutoffs.empty() ? 0 : dim * dim)};
}

// Forward FLOPs of a token in a window of `length`: 2 a multiplied weight, and 2 x 2 x dim for each of the (length + 1) / 2 keys that it
// sees on average in each layer.
double forward_flops(const Config& config, const Sizes& sizes, std::int64_t length) {
    const double keys = (static_cast<double>(length) + 1) / 2;
    return 2 * sizes.multiplied + 4 * static_cast<double>(config.model.layers) * static_cast<double>(config.model.dim) * keys;
}

std::string flops_text(double flops) { return strprintf("%.3g FLOPs", flops); }

std::string line(const char* name, const std::string& value) { return strprintf("%-22s %s\n", name, value.c_str()); }

std::string memory_text(const Config& config, const Sizes& sizes, std::int64_t vocab_size) {
    const double wide = config.train.dtype == "fp64" ? 8 : 4;
    const double half = config.train.dtype == "bf16" || config.train.dtype == "fp16" ? 2 : wide;
    const double slots = config.optim.name == "adamw" ? 2 : config.optim.momentum > 0 ? 1 : 0;
    const auto tokens = static_cast<double>(config.train.batch * config.train.length);
    const auto& model = config.model;
    const double ffn = (model.activation == "swiglu" ? 3.0 : 2.0) * static_cast<double>(model.ffn_dim);
    // A layer keeps, a token: two norms, q, k, v, the attention's output, two residual sums (8 dim), and the FFN's inner values.
    const double activations = static_cast<double>(model.layers) * tokens * (8 * static_cast<double>(model.dim) + ffn) * half;
    const double chunk = 2 * static_cast<double>(std::min<std::int64_t>(config.train.loss_chunk, static_cast<std::int64_t>(tokens))) *
                         scores(model, vocab_size) * wide;
    const double weights = sizes.parameters * wide;
    const double total = weights * (2 + slots) + activations + chunk;
    return strprintf("about %s: weights %s, gradients %s, optimizer %s, activations %s, loss chunk %s", human_bytes(total).c_str(),
                     human_bytes(weights).c_str(), human_bytes(weights).c_str(), human_bytes(weights * slots).c_str(), human_bytes(activations).c_str(),
                     human_bytes(chunk).c_str());
}

std::string evaluation_lines(const Config& config, const Sizes& sizes, const TokenStream& valid, double update_flops) {
    std::string text;
    const auto tokens = config.eval.valid_tokens > 0 ? std::min(config.eval.valid_tokens, valid.size()) : valid.size();
    for (const auto length : validation_lengths(config)) {
        const double flops = static_cast<double>(tokens) * forward_flops(config, sizes, length);
        text += line("validation", strprintf("at length %lld: %s tokens, %s, as much as %.1f updates", static_cast<long long>(length),
                                             with_commas(tokens).c_str(), flops_text(flops).c_str(), flops / update_flops));
    }
    return text;
}

}  // namespace

std::string expected_plan(const Config& config) {
    const auto& data = config.data;
    if (data.expect_vocab_size == 0) return "";
    std::string text = line("parameters", with_commas(static_cast<std::int64_t>(model_sizes(config, data.expect_vocab_size).parameters)));
    text += line("an update", with_commas(config.train.batch * config.train.accumulate * config.train.length) + " tokens");
    if (data.expect_train_tokens == 0) return text;
    const double epoch = training_order(data.expect_train_tokens, config.train)->updates_per_epoch();
    text += line("an epoch", with_commas(static_cast<std::int64_t>(std::ceil(epoch))) + " updates");
    if (config.train.stop.unit == Duration::Unit::updates) text += line("the run", strprintf("%.1f epochs", config.train.stop.value / epoch));
    return text;
}

std::string training_plan(const TrainRequest& request) {
    const Config& config = request.config;
    const fs::path path = store_path(config.data, request.run_dir / "store");
    if (config.data.expect_vocab_size > 0 && !fs::exists(path / "manifest.json")) {
        return expected_plan(config) + path.string() + " is not there yet: these numbers follow from data.expect_vocab_size and data.expect_train_tokens.\n";
    }
    const TokenStore store = open_store(request);
    const TrainingSource source(config.data, store);
    const auto& train = source.stream();
    const RunUnits units = run_units(*training_order(train, config.train));
    const auto total = total_updates(config, units);
    const Sizes sizes = model_sizes(config, store.vocab_size());
    const double update_flops = 3 * units.tokens_per_update * forward_flops(config, sizes, config.train.length);
    const auto runs = std::max<std::size_t>(1, config.train.seeds.size());

    std::string text = line("model", strprintf("%s, %lld layers, dim %lld, %lld heads, vocabulary %s", config.position.method.c_str(),
                                               static_cast<long long>(config.model.layers), static_cast<long long>(config.model.dim),
                                               static_cast<long long>(config.model.heads), with_commas(store.vocab_size()).c_str()));
    text += line("parameters", with_commas(static_cast<std::int64_t>(sizes.parameters)));
    text += line("training data", with_commas(train.size()) + " tokens in " + (config.data.mixture.empty() ? store.path().string() : join(config.data.mixture, ", ")));
    text += line("an update", strprintf("%lld x %lld sequences of %lld tokens: %s tokens, %s", static_cast<long long>(config.train.accumulate),
                                        static_cast<long long>(config.train.batch), static_cast<long long>(config.train.length),
                                        with_commas(static_cast<std::int64_t>(units.tokens_per_update)).c_str(), flops_text(update_flops).c_str()));
    text += line("an epoch", strprintf("%.1f updates", units.updates_per_epoch));
    if (total >= 0) {
        const auto updates = static_cast<double>(total);
        text += line("the run", strprintf("%s updates, %.2f epochs, %s tokens, %s%s", with_commas(total).c_str(), updates / units.updates_per_epoch,
                                          human_count(updates * units.tokens_per_update).c_str(), flops_text(updates * update_flops).c_str(),
                                          runs > 1 ? strprintf("; %zu runs (train.seeds)", runs).c_str() : ""));
    } else {
        text += line("the run", "until " + config.train.stop.text() + " have passed");
    }
    text += line("memory", memory_text(config, sizes, store.vocab_size()));
    text += line("a checkpoint", human_bytes(sizes.parameters * (config.train.dtype == "fp64" ? 8 : 4) * (config.optim.name == "adamw" ? 3 : 2)));
    std::optional<TokenStore> valid_store;
    if (!config.data.valid_store.empty()) valid_store.emplace(open_like(config.data.valid_store, store, "data.valid_store"));
    const TokenStore& held_out = valid_store ? *valid_store : store;
    if (held_out.has_split("valid")) text += evaluation_lines(config, sizes, held_out.split("valid"), update_flops);
    text += "FLOPs: 2 a weight and token forward, 4 dim a key, layer and token for attention; backward twice that.\n";
    if (!config.model.adaptive_cutoffs.empty()) text += "The softmax over an adaptive model's rarer words is left out: few tokens take it.\n";
    return text;
}

}  // namespace longbow
