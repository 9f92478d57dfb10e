#include "hf_class.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/config/options.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::int64_t kAnyLength = 2048;  // for a model whose trained length is unknown
constexpr std::int64_t kTableTimes = 16;   // learned positions of 0 serve so many times the trained length

Registry<HfClass>& registry() {
    static Registry<HfClass> classes("class of transformers");
    return classes;
}

bool contains(const std::vector<std::string>& texts, const std::string& text) {
    return std::find(texts.begin(), texts.end(), text) != texts.end();
}

std::string text_of(const OptionValue& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
    if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
    return std::get<std::string>(value);
}

}  // namespace

std::vector<const HfClass*> hf_classes_in_order() {
    std::vector<const HfClass*> classes;
    for (const auto& one : registry().entries()) classes.push_back(&one);
    std::stable_sort(classes.begin(), classes.end(),
                     [](const HfClass* a, const HfClass* b) { return a->order < b->order; });
    return classes;
}

bool register_hf_class(HfClass one) { return registry().add(std::move(one)); }

std::vector<HfClassInfo> hf_classes() {
    std::vector<HfClassInfo> infos;
    for (const auto* one : hf_classes_in_order()) infos.push_back({one->name, one->class_name, one->holds});
    return infos;
}

Config resolved_for_export(Config config) {
    const auto resolve = [&](OptionMap& options) {
        for (const char* key : {"max_length", "original_length"}) {
            const auto found = options.find(key);
            if (found != options.end() && found->second == OptionValue(std::int64_t{0}))
                found->second = config.train.length;
        }
    };
    resolve(config.position.options);
    for (auto& layer : config.position.layers) resolve(layer.options);
    const auto turned = config.position.options.find("dim");
    if (turned != config.position.options.end() && turned->second == OptionValue(config.model.head_size()))
        turned->second = std::int64_t{0};
    return config;
}

Config usual_model(const Config& ours) {
    Config theirs = ours;
    auto& m = theirs.model;
    m = ModelConfig();
    const auto& o = ours.model;
    m.layers = o.layers;
    m.dim = o.dim;
    m.heads = o.heads;
    m.ffn_dim = o.ffn_dim;
    m.norm_eps = o.norm_eps;
    m.tie_output = o.tie_output;
    m.dropout = o.dropout;
    m.attention_dropout = o.attention_dropout;
    m.activation_dropout = o.activation_dropout;
    m.embedding_scale = EmbeddingScale::none;
    set_linear_biases(m, true, true, true, true);
    theirs.position.window = 0;
    theirs.position.layers.clear();
    return theirs;
}

namespace {

class Differences {
public:
    void add(const std::string& key, const std::string& ours, const std::string& theirs) {
        if (ours != theirs) found.push_back(fmt::format("{}: {} (it has {})", key, ours, theirs));
    }
    void number(const std::string& key, std::int64_t ours, std::int64_t theirs) {
        add(key, std::to_string(ours), std::to_string(theirs));
    }
    void real(const std::string& key, double ours, double theirs) {
        add(key, fmt::format("{}", ours), fmt::format("{}", theirs));
    }
    void flag(const std::string& key, bool ours, bool theirs) {
        add(key, ours ? "true" : "false", theirs ? "true" : "false");
    }
    template <IsChoice E>
    void choice(const std::string& key, E ours, E theirs) {
        add(key, std::string(name_of(ours)), std::string(name_of(theirs)));
    }
    std::vector<std::string> found;
};

bool is_rms(NormKind norm) {
    switch (norm) {
        case NormKind::layernorm: return false;
        case NormKind::rmsnorm:
        case NormKind::rmsnorm_1p: return true;
    }
    return false;
}

void compare_biases(const ModelConfig& ours, const ModelConfig& theirs, Differences& differences) {
    const auto part = [&](const char* key, PartBias mine, PartBias other) {
        if (!ours.has_bias(mine) || theirs.has_bias(other)) return;
        const bool general = mine == PartBias::as_model;
        differences.found.push_back(general ? "model.bias: true (it has fewer biases)"
                                            : std::string(key) + ": on (it has none there)");
    };
    part("model.qkv_bias", ours.qkv_bias, theirs.qkv_bias);
    part("model.out_bias", ours.out_bias, theirs.out_bias);
    part("model.ffn_bias", ours.ffn_bias, theirs.ffn_bias);
    if (!is_rms(ours.norm) && ours.norm_weights) part("model.norm_bias", ours.norm_bias, theirs.norm_bias);
    if (ours.head_bias && !theirs.head_bias) differences.flag("model.head_bias", true, false);
}

void compare_models(const ModelConfig& ours, const ModelConfig& theirs, Differences& d) {
    d.add("model.adaptive_cutoffs", ours.adaptive_cutoffs.empty() ? "none" : "set", "none");
    d.number("model.kv_heads", ours.key_value_heads(), theirs.key_value_heads());
    d.number("model.head_dim", ours.head_size(), theirs.head_size());
    d.number("model.ffn_dim", ours.ffn_dim, theirs.ffn_dim);
    d.choice("model.block", ours.block, theirs.block);
    d.choice("model.activation", ours.activation, theirs.activation);
    // The two forms of RMSNorm differ by what is stored, which an export adds or subtracts.
    if (is_rms(ours.norm) != is_rms(theirs.norm)) d.choice("model.norm", ours.norm, theirs.norm);
    d.real("model.norm_eps", ours.norm_eps, theirs.norm_eps);
    d.flag("model.embedding_norm", ours.embedding_norm, theirs.embedding_norm);
    d.choice("model.qk_norm", ours.qk_norm, theirs.qk_norm);
    d.flag("model.final_norm", ours.final_norm, theirs.final_norm);
    d.real("model.qkv_clip", ours.qkv_clip, theirs.qkv_clip);
    d.real("model.score_scale", ours.score_scale, theirs.score_scale);
    d.flag("model.score_scale_by_layer", ours.score_scale_by_layer, theirs.score_scale_by_layer);
    d.number("model.embedding_dim", ours.token_dim(), theirs.token_dim());
    // A factor on the input embedding goes into its matrix unless that is the output's too.
    if (ours.tie_output) d.choice("model.embedding_scale", ours.embedding_scale, theirs.embedding_scale);
    compare_biases(ours, theirs, d);
}

// Options whose difference an export makes up for: the order of pairs, by moving rows, and unused first rows.
bool made_up_for(const std::string& key, const OptionValue& ours, const OptionValue& theirs) {
    if (key == "pairs") return true;
    const auto *mine = std::get_if<std::int64_t>(&ours), *other = std::get_if<std::int64_t>(&theirs);
    return key == "offset" && mine != nullptr && other != nullptr && *mine < *other;
}

void compare_options(const std::string& place, const OptionMap& ours, const OptionMap& theirs, Differences& d) {
    for (const auto& [key, value] : ours) {
        const auto other = theirs.find(key);
        if (other == theirs.end() || made_up_for(key, value, other->second)) continue;
        d.add(place + key, text_of(value), text_of(other->second));
    }
}

}  // namespace

std::vector<std::string> differences_from_class(const Config& ours, const Config& theirs) {
    Differences d;
    const auto &mine = ours.position, &other = theirs.position;
    if (mine.layers.empty() && other.layers.empty()) {
        const bool none = has_position(ours, "none") && has_position(theirs, "learned");  // a table of 0
        if (!none) d.add("position.method", mine.method, other.method);
        if (mine.method == other.method) compare_options("position.", mine.options, other.options, d);
        d.number("position.window", mine.window, other.window);
    } else if (mine.layers.size() != other.layers.size()) {
        d.found.push_back("position.layers (its layers are alike)");
    } else {
        for (std::size_t i = 0; i < mine.layers.size(); ++i) {
            const auto place = fmt::format("position.layers[{}].", i);
            d.add(place + "method", mine.layers[i].method, other.layers[i].method);
            d.number(place + "window", mine.layers[i].window, other.layers[i].window);
            if (mine.layers[i].method == other.layers[i].method)
                compare_options(place, mine.layers[i].options, other.layers[i].options, d);
        }
    }
    compare_models(ours.model, theirs.model, d);
    // Several parts may have their biases by one setting.
    std::vector<std::string> distinct;
    for (auto& text : d.found) {
        if (!contains(distinct, text)) distinct.push_back(std::move(text));
    }
    return distinct;
}

void place_as_family(const char* family, const HfSettings& theirs, TensorRules& rules) {
    for (const auto& one : hf_families()) {
        if (one.name == family) return one.place(theirs, rules);
    }
    throw Error(std::string("there is no family ") + family);
}

bool has_position(const Config& config, const char* method) {
    return config.position.layers.empty() && config.position.method == std::string_view(method);
}

void settle_learned(const Config& ours, Config& theirs, std::int64_t first) {
    auto& position = theirs.position;
    position.method = "learned";
    position.options.clear();
    const auto set = ours.position.options.find("max_length");
    const bool own = has_position(ours, "learned") && set != ours.position.options.end();
    position.options["max_length"] = own ? set->second : OptionValue(longest_input(ours, kTableTimes));
    position.options["offset"] = first;
}

const std::set<std::string> kRotaryOptions = {"base",
                                              "pairs",
                                              "dim",
                                              "scaling",
                                              "factor",
                                              "original_length",
                                              "low_freq_factor",
                                              "high_freq_factor",
                                              "beta_fast",
                                              "beta_slow",
                                              "attention_factor",
                                              "mscale",
                                              "mscale_all_dim",
                                              "truncate"};
const std::set<std::string> kAlibiOptions = {"slopes", "slope_scale", "bias_max", "rounding"};

void reset_other_options(PositionConfig& theirs, const std::set<std::string>& known) {
    for (const auto& method : registered_config_context().position_methods) {
        if (method.name != theirs.method) continue;
        for (const auto& option : method.options) {
            const auto set = theirs.options.find(option.key);
            if (set != theirs.options.end() && !known.contains(option.key)) set->second = option.default_value;
        }
    }
}

void settle_rotary(const Config& ours, Config& theirs, bool part) {
    auto& position = theirs.position;
    position.method = "rotary";
    if (!has_position(ours, "rotary")) position.options.clear();
    reset_other_options(position, kRotaryOptions);
    position.options["pairs"] = std::string("halves");
    if (!part) position.options["dim"] = std::int64_t{0};
}

Activation one_of(Activation ours, std::initializer_list<Activation> known) {
    return std::find(known.begin(), known.end(), ours) != known.end() ? ours : *known.begin();
}

const char* hf_activation(Activation activation) {
    switch (activation) {
        case Activation::relu: return "relu";
        case Activation::gelu: return "gelu";
        case Activation::gelu_tanh:
        case Activation::gelu_bloom: return "gelu_pytorch_tanh";
        case Activation::swiglu: return "silu";
        case Activation::geglu_tanh: return "gelu_pytorch_tanh";
    }
    return "";
}

std::int64_t longest_input(const Config& config, std::int64_t times) {
    return (config.train.length > 0 ? config.train.length : kAnyLength) * times;
}

}  // namespace longbow
