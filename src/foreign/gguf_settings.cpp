// The metadata of a GGUF file as settings. The keys of a model begin with its architecture's name.
#include "gguf_settings.h"

#include <fmt/core.h>

#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Position = GgufArchitecture::Position;

Json json_of(const GgufValue& value) {
    return std::visit(
        [](const auto& one) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(one)>, GgufArray>) {
                return fmt::format("[{} items]", one.count);
            } else {
                return one;
            }
        },
        value);
}

// Llama 3.1 stores its scaling as the factors by which each pair's frequency is divided. They must be those of the
// formula, with Llama 3.1's numbers where the file does not say others.
void read_frequency_factors(HfKeys& keys, HfKeys& own, HfSettings& settings, const std::vector<float>& factors) {
    auto& options = settings.config.position.options;
    const double base = std::get<double>(options.at("base"));
    const auto dim =
        options.contains("dim") ? std::get<std::int64_t>(options.at("dim")) : settings.config.model.head_size();
    GgufLlama3 scaling;
    for (const auto factor : factors) scaling.factor = std::max(scaling.factor, static_cast<double>(factor));
    scaling.factor = own.real({kGgufFactor}, scaling.factor, 1e-6, 1e6);
    scaling.low = own.real({kGgufLowFactor}, scaling.low, 1e-6, 1e6);
    scaling.high = own.real({kGgufHighFactor}, scaling.high, 1e-6, 1e6);
    scaling.length = own.optional_count({kGgufLength}, 1, kLongestInput).value_or(scaling.length);
    bool same = static_cast<std::int64_t>(factors.size()) == dim / 2;
    for (std::size_t i = 0; same && i < factors.size(); ++i) {
        const double frequency = std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
        same = std::abs(factors[i] / gguf_llama3_factor(frequency, scaling) - 1.0) < 1e-4;
    }
    if (!same) keys.fail("its rope_freqs.weight are not the factors of Llama 3.1, which alone are imported");
    options["scaling"] = std::string("llama3");
    options["factor"] = scaling.factor;
    options["low_freq_factor"] = scaling.low;
    options["high_freq_factor"] = scaling.high;
    options["original_length"] = scaling.length;
}

void read_rotary(HfKeys& keys, HfKeys& own, HfSettings& settings, bool halves, const std::vector<float>& factors) {
    auto& position = settings.config.position;
    const auto head = settings.config.model.head_size();
    position.method = "rotary";
    position.options["pairs"] = std::string(halves ? "halves" : "interleaved");
    position.options["base"] = keys.real({"rope.freq_base"}, 10000.0, 1.0, 1e15);
    const auto dim = keys.optional_count({"rope.dimension_count"}, 2, kWidest).value_or(head);
    if (dim > head || dim % 2 != 0) keys.fail("rope.dimension_count", fmt::format("it is {} of {}", dim, head));
    if (dim != head) position.options["dim"] = dim;
    auto factor = keys.optional_real({"rope.scaling.factor"}, 1e-6, 1e6);
    const auto older = keys.optional_real({"rope.scale_linear"}, 1e-6, 1e6);
    auto type = keys.text({"rope.scaling.type"}, older && *older != 1.0 ? "linear" : "none");
    if (!factor) factor = older;
    const auto original = keys.optional_count({"rope.scaling.original_context_length"}, 1, kLongestInput);
    keys.harmless({"rope.scaling.finetuned", "rope.freq_base_swa"});
    for (const char* key :
         {"rope.scaling.attn_factor", "rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor",
          "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_log_multiplier"})
        keys.refuse(key, "a rotary scaling with numbers of its own is not imported");
    if (!factors.empty()) return read_frequency_factors(keys, own, settings, factors);
    if (type == "none") return;
    if (type != "linear" && type != "yarn")
        keys.fail("rope.scaling.type",
                  "it is " + quote_foreign(type) + ", neither linear nor yarn, which are imported");
    if (!factor) keys.fail("rope.scaling.factor", "it is missing");
    position.options["scaling"] = type;
    position.options["factor"] = *factor;
    if (type == "yarn") {
        const auto length = original ? original : settings.length;
        if (!length) keys.fail("rope.scaling.original_context_length", "it is missing");
        position.options["original_length"] = *length;
    }
}

void read_position(HfKeys& keys, HfKeys& own, HfSettings& settings, const GgufArchitecture& architecture,
                   const std::vector<float>& factors) {
    auto& position = settings.config.position;
    switch (architecture.position) {
        case Position::neighbours: return read_rotary(keys, own, settings, false, factors);
        case Position::halves: return read_rotary(keys, own, settings, true, factors);
        case Position::alibi: {
            position.method = "alibi";
            const double bias_max = keys.real({"attention.max_alibi_bias"}, architecture.bias_max, 0.0, 1e3);
            if (bias_max == 0.0)
                keys.fail("attention.max_alibi_bias", "it is 0 or missing: the model without ALiBi is not imported");
            if (bias_max != 8.0) position.options["bias_max"] = bias_max;
            return;
        }
        case Position::learned:
            if (!settings.length) keys.fail("context_length", "it is missing");
            position.method = "learned";
            position.options["max_length"] = *settings.length;
            return;
    }
}

void read_sizes(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"block_count"}, {"embedding_length"}, {"attention.head_count"});
    auto& model = settings.config.model;
    const auto head = keys.optional_count({"attention.key_length"}, 1, kWidest);
    if (keys.optional_count({"attention.value_length"}, 1, kWidest) != head)
        keys.fail("attention.value_length", "keys and values of different sizes are not imported");
    set_heads(keys, settings, keys.optional_count({"attention.head_count_kv"}, 1, kMostHeads), head);
    model.ffn_dim = keys.count({"feed_forward_length"}, 1, kWidestFfn);
    model.dropout = 0.0;
    settings.length = keys.optional_count({"context_length"}, 1, kLongestInput);
}

void read_activation(HfKeys& own, const GgufArchitecture& architecture, ModelConfig& model) {
    const auto name = own.optional_text({kGgufActivation});
    if (!name) return;
    const auto activation = choice_named<Activation>(*name);
    if (!activation || !is_gelu(*activation) || !is_gelu(architecture.activation))
        own.fail(kGgufActivation, "it is " + quote_foreign(*name) + ", which the architecture does not have");
    model.activation = *activation;
}

}  // namespace

double gguf_llama3_factor(double frequency, const GgufLlama3& scaling) {
    const double wavelength = 2 * M_PI / frequency, length = static_cast<double>(scaling.length);
    if (wavelength < length / scaling.high) return 1.0;
    if (wavelength > length / scaling.low) return scaling.factor;
    const double smooth = (length / wavelength - scaling.low) / (scaling.high - scaling.low);
    return 1.0 / ((1 - smooth) / scaling.factor + smooth);
}

bool is_gelu(Activation activation) {
    switch (activation) {
        case Activation::gelu:
        case Activation::gelu_tanh:
        case Activation::gelu_bloom: return true;
        case Activation::relu:
        case Activation::swiglu:
        case Activation::geglu_tanh: return false;
    }
    return false;
}

GgufSettings::GgufSettings(const GgufFile& file)
    : prefix_([&] {
          const auto* name = file.text("general.architecture");
          if (name == nullptr) throw CheckpointError(file.name + ": it has no general.architecture, so it is no model");
          return *name + ".";
      }()) {
    for (const auto& [key, value] : file.metadata) {
        if (starts_with(key, prefix_)) json_[key.substr(prefix_.size())] = json_of(value);
        if (starts_with(key, kGgufOwnPrefix))
            own_[key.substr(std::string_view(kGgufOwnPrefix).size())] = json_of(value);
    }
}

HfSettings GgufSettings::read(const GgufFile& file, const GgufArchitecture& architecture,
                              const std::vector<float>& factors) const {
    HfSettings settings;
    HfKeys keys(json_, file.name + ": metadata " + prefix_ + "*");
    read_sizes(keys, settings);
    auto& model = settings.config.model;
    model.norm = architecture.norm;
    model.activation = architecture.activation;
    model.block = architecture.block;
    model.qk_norm = architecture.qk_norm;
    model.embedding_norm = architecture.embedding_norm;
    if (architecture.embedding_scaled) model.embedding_scale = EmbeddingScale::sqrt_dim_fp32;
    const bool layer_norm = architecture.norm == NormKind::layernorm;
    const auto eps = keys.optional_real(
        {layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"}, 1e-12, 0.1);
    if (!eps) keys.fail("attention.layer_norm_epsilon (or layer_norm_rms_epsilon)", "it is missing");
    model.norm_eps = *eps;
    model.qkv_clip = keys.real({"attention.clamp_kqv"}, 0.0, 0.0, 1e9);
    if (architecture.whole_scale) model.score_scale = 1.0 / static_cast<double>(model.head_size());
    if (!keys.flag({"use_parallel_residual"}, true)) model.block = BlockKind::pre_norm;
    HfKeys own(own_, file.name + ": metadata " + kGgufOwnPrefix + "*");
    read_activation(own, architecture, model);
    read_position(keys, own, settings, architecture, factors);
    own.finish(architecture.name);
    settings.vocab_size = keys.optional_count({"vocab_size"}, 2, kMostWords).value_or(0);
    if (!keys.flag({"attention.causal"}, true))
        keys.fail("attention.causal", "it is false, which longbow does not have");
    for (const char* key : {"expert_count", "expert_used_count"})
        keys.refuse(key, "the model is a mixture of experts, which longbow does not have");
    for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
        keys.refuse(key, "the scores are bent by a tanh, which longbow does not have");
    for (const char* key : {"logit_scale", "embedding_scale", "residual_scale", "attention.scale"})
        keys.refuse(key, "a factor that longbow does not have");
    keys.refuse("attention.sliding_window", "windows are not imported from GGUF");
    keys.refuse("rope.dimension_sections", "rotary positions in several dimensions, which longbow does not have");
    keys.harmless({"tensor_data_layout"});
    keys.finish(architecture.name);
    return settings;
}

}  // namespace longbow
