#include "hf_family.h"

#include <fmt/core.h>

#include <map>

#include "longbow/core/registry.h"

namespace longbow {

namespace {

Registry<HfFamily>& registry() {
    static Registry<HfFamily> families("family of models");
    return families;
}

constexpr double kBelowOne = 0.999999;

Activation activation_of(const std::map<std::string, Activation>& known, HfKeys& keys, HfKeys::Names names,
                         const std::string& otherwise) {
    const auto name = keys.text(names, otherwise);
    const auto found = known.find(name);
    if (found != known.end()) return found->second;
    std::string list;
    for (const auto& [other, _] : known) list += (list.empty() ? "" : ", ") + other;
    keys.fail(*names.begin(), "it is " + quote_foreign(name) + ", which longbow does not have; known here are " + list);
}

}  // namespace

const std::vector<HfFamily>& hf_families() { return registry().entries(); }
bool register_hf_family(HfFamily family) { return registry().add(std::move(family)); }

void set_sizes(HfKeys& keys, HfSettings& settings, HfKeys::Names layers, HfKeys::Names dim, HfKeys::Names heads) {
    auto& model = settings.config.model;
    model.layers = keys.count(layers, 1, kMostLayers);
    model.dim = keys.count(dim, 1, kWidest);
    model.heads = keys.count(heads, 1, kMostHeads);
    model.embedding_scale = EmbeddingScale::none;
    model.init = FirstWeights::gpt2;
    model.final_norm = true;
}

void set_heads(HfKeys& keys, HfSettings& settings, std::optional<std::int64_t> kv_heads,
               std::optional<std::int64_t> head_dim) {
    auto& model = settings.config.model;
    if (head_dim && *head_dim * model.heads != model.dim) {
        model.head_dim = *head_dim;
    } else if (model.dim % model.heads != 0) {
        keys.fail(fmt::format("{} heads do not divide the width {} evenly, and the file gives no head_dim", model.heads,
                              model.dim));
    }
    if (kv_heads && *kv_heads != model.heads) {
        if (*kv_heads < 1 || model.heads % *kv_heads != 0)
            keys.fail(fmt::format("{} heads of keys and values do not divide {} heads evenly", *kv_heads, model.heads));
        model.kv_heads = *kv_heads;
    }
}

void set_dropout(HfKeys& keys, HfSettings& settings, HfKeys::Names hidden, HfKeys::Names attention,
                 HfKeys::Names others) {
    settings.config.model.dropout = keys.real(hidden, 0.0, 0.0, kBelowOne);
    settings.config.model.attention_dropout = keys.real(attention, 0.0, 0.0, kBelowOne);
    keys.harmless(others);
}

Activation plain_activation(HfKeys& keys, HfKeys::Names names, const std::string& otherwise) {
    static const std::map<std::string, Activation> known = {{"relu", Activation::relu},
                                                            {"gelu", Activation::gelu},
                                                            {"gelu_python", Activation::gelu},
                                                            {"gelu_new", Activation::gelu_tanh},
                                                            {"gelu_fast", Activation::gelu_tanh},
                                                            {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                                            {"gelu_python_tanh", Activation::gelu_tanh}};
    return activation_of(known, keys, names, otherwise);
}

Activation gated_activation(HfKeys& keys, HfKeys::Names names, const std::string& otherwise) {
    static const std::map<std::string, Activation> known = {{"silu", Activation::swiglu},
                                                            {"swish", Activation::swiglu},
                                                            {"gelu_new", Activation::geglu_tanh},
                                                            {"gelu_fast", Activation::geglu_tanh},
                                                            {"gelu_pytorch_tanh", Activation::geglu_tanh},
                                                            {"gelu_python_tanh", Activation::geglu_tanh}};
    return activation_of(known, keys, names, otherwise);
}

void set_linear_biases(ModelConfig& model, bool qkv, bool out, bool ffn, bool norm) {
    const auto part = [&](bool on) {
        return on == model.bias ? PartBias::as_model : on ? PartBias::on : PartBias::off;
    };
    model.bias = ffn;
    model.qkv_bias = part(qkv);
    model.out_bias = part(out);
    model.norm_bias = part(norm);
    model.key_bias = qkv;
}

}  // namespace longbow
