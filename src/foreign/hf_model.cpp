// Reads a folder as save_pretrained() of transformers writes it: config.json and weights.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "foreign_json.h"
#include "hf_family.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/foreign_model.h"
#include "place_tensors.h"

namespace longbow {

namespace {

constexpr std::uintmax_t kLargestConfig = std::uintmax_t{4} << 20;  // bytes

// Families that look like one that is read, and compute something else.
struct Refused {
    const char* type;
    const char* reason;
};
constexpr Refused kRefused[] = {
    {"gemma2", "soft caps on the scores and norms behind the sub-layers"},
    {"gemma3", "norms behind the sub-layers and rotary positions that differ from layer to layer"},
    {"gemma3_text", "norms behind the sub-layers and rotary positions that differ from layer to layer"},
    {"mixtral", "a mixture of experts"},
    {"qwen2_moe", "a mixture of experts"},
    {"qwen3_moe", "a mixture of experts"},
    {"olmoe", "a mixture of experts"},
    {"phimoe", "a mixture of experts"},
    {"granite", "multipliers on embedding, scores, residuals and logits"},
    {"granitemoe", "a mixture of experts"},
    {"cohere", "a scale on the logits and norms without a mean's bias"},
    {"cohere2", "a scale on the logits and layers without positions"},
    {"phi3", "fused projections and scaled positions (longrope)"},
    {"codegen", "another order of the rows of queries, keys and values"},
    {"chatglm", "positions in two dimensions"},
    {"deepseek", "a mixture of experts"},
    {"deepseek_v2", "a mixture of experts and compressed keys"},
    {"deepseek_v3", "a mixture of experts and compressed keys"},
    {"t5", "an encoder"},
    {"bert", "no causal attention"},
    {"mamba", "no attention"}};

const HfFamily& family_of(const std::string& type, const std::string& file) {
    for (const auto& family : hf_families()) {
        for (const auto& known : family.model_types) {
            if (type == known) return family;
        }
    }
    for (const auto& [refused, reason] : kRefused) {
        if (type == refused)
            throw CheckpointError(
                fmt::format("{}: model_type {}: it has {}, which longbow does not have", file, type, reason));
    }
    const auto known = hf_model_types();
    const auto near = nearest(type, known);
    throw CheckpointError(fmt::format("{}: model_type {} is not known{}; known are {}", file, quote_foreign(type),
                                      near ? "; did you mean " + *near + "?" : "", join(known, ", ")));
}

// Masks and tables that older releases saved among the weights. GPT-2's attn.bias is a mask, its attn.c_attn.bias is
// not.
bool is_buffer(const std::string& name) {
    static constexpr std::array kEndings = {
        ".attn.bias",           ".attn.masked_bias",      ".attention.bias",        ".attention.masked_bias",
        ".rotary_emb.inv_freq", ".rotary_emb.cos_cached", ".rotary_emb.sin_cached", "decoder.version"};
    return std::any_of(kEndings.begin(), kEndings.end(), [&](const char* ending) { return name.ends_with(ending); });
}

std::string prefix_of(const HfFamily& family, const TensorPlacer& placer, const TensorStore& store) {
    for (const auto& prefix : family.prefixes) {
        if (placer.has(prefix + family.embedding)) return prefix;
    }
    throw CheckpointError(fmt::format(
        "{} has no tensor {}{}, the token embedding of {}: model_type is another model's, or the folder is not complete",
        store.name, family.prefixes.front(), family.embedding, family.label));
}

}  // namespace

std::vector<std::string> hf_model_types() {
    std::vector<std::string> types;
    for (const auto& family : hf_families())
        types.insert(types.end(), family.model_types.begin(), family.model_types.end());
    std::sort(types.begin(), types.end());
    return types;
}

const HfFamily& read_hf_settings(const Json& json, const std::string& name, HfSettings& settings) {
    HfKeys keys(json, name);
    const auto type = keys.optional_text({"model_type"});
    if (!type) keys.fail("model_type", "it is missing, and nothing else says what the model computes");
    const auto& family = family_of(*type, name);
    read_common_keys(keys);
    settings.config.model.tie_output = keys.flag({"tie_word_embeddings"}, family.tied);
    settings.vocab_size = keys.count({"vocab_size"}, 2, kMostWords);
    family.configure(keys, settings);
    keys.finish(*type);
    return family;
}

ForeignModel read_hf_model(const ForeignRequest& request) {
    const auto file = request.path / "config.json";
    std::error_code error;
    if (!std::filesystem::is_directory(request.path, error)) {
        throw CheckpointError(request.path.string() +
                              (std::filesystem::exists(request.path, error) ? " is not a folder" : ": no such folder") +
                              "; give the folder with config.json and the weights");
    }
    if (!std::filesystem::exists(file, error))
        throw CheckpointError(file.string() + " is missing; give the folder with config.json and the weights");
    const Json json = read_foreign_json(file, kLargestConfig);
    ForeignModel model;
    model.name = file.string();
    HfSettings settings;
    settings.rounded = request.rounded;
    const auto& family = read_hf_settings(json, file.string(), settings);
    model.type = json["model_type"].get<std::string>();
    model.label = family.label;
    if (request.train_length) settings.length = request.train_length;
    model.config = settings.config;
    model.config.train.length = settings.length.value_or(0);
    model.length_known = settings.length.has_value();
    model.vocab_size = settings.vocab_size;
    model.definition = settings.definition;
    model.begins_each_window = settings.begins_each_window;

    auto store = open_tensor_folder(request.path);
    model.format = store.format;
    TensorPlacer placer(store, model);
    placer.drop(is_buffer);
    model.prefix = prefix_of(family, placer, store);
    TensorRules rules;
    const auto width = model.config.model.token_dim();
    rules.whole("embed.tokens.weight", family.embedding, {model.vocab_size, width});
    family.place(settings, rules);
    const bool tied = model.config.model.tie_output;
    if (!tied) {
        if (!placer.has(family.head)) {
            throw CheckpointError(fmt::format(
                "{} has no output projection ({}): if it is the token embedding, say so in config.json with "
                "tie_word_embeddings: true; else the folder is not complete",
                store.name, family.head));
        }
        rules.whole("head.weight", family.head, {model.vocab_size, width}, /*prefixed=*/false);
    }
    placer.place(rules);
    if (tied && placer.has(family.head)) placer.take_repeated(family.head, model.prefix + family.embedding);
    placer.finish();
    return model;
}

}  // namespace longbow
