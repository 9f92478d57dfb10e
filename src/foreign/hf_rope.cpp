#include "hf_rope.h"

#include <fmt/core.h>

#include <cmath>
#include <map>
#include <set>

#include "longbow/config/options.h"

namespace longbow {

namespace {

constexpr double kLargestFactor = 1e6, kLargestBase = 1e15, kUsualBase = 10000.0;

// The keys of rope_scaling or rope_parameters.
class Scaling {
public:
    Scaling(HfKeys keys, HfSettings& settings)
        : keys_(std::move(keys)), options_(settings.config.position.options), length_(settings.length) {}

    std::optional<double> base(const char* name) {
        return keys_.optional_real({"rope_theta", name}, 1.0, kLargestBase);
    }
    std::optional<double> part(const char* name) {
        return keys_.optional_real({"partial_rotary_factor", name}, 0.0, 1.0);
    }

    void read() {
        // A file of newer releases may hold a set of parameters for each kind of layer.
        for (const char* kind : {"full_attention", "sliding_attention"})
            keys_.refuse(kind, "rotary positions that differ from layer to layer, which longbow does not import");
        const auto type = keys_.text({"rope_type", "type"}, "default");
        if (type == "default") {
            keys_.harmless({"factor", "original_max_position_embeddings"});
        } else if (type == "linear") {
            name("linear");
            factor();
            keys_.harmless({"original_max_position_embeddings"});
        } else if (type == "dynamic") {
            // The base begins to grow at the longest input, whatever the original length is.
            name("dynamic");
            factor();
            original(false);
            keys_.harmless({"original_max_position_embeddings"});
        } else if (type == "yarn") {
            name("yarn");
            factor();
            original(true);
            for (const char* key : {"beta_fast", "beta_slow"}) real(key);
            attention_factor();
            if (!keys_.flag({"truncate"}, true)) options_["truncate"] = false;
            keys_.harmless({"finetuned"});
        } else if (type == "llama3") {
            name("llama3");
            factor();
            original(true);
            for (const char* key : {"low_freq_factor", "high_freq_factor"}) {
                if (!real(key)) keys_.fail(key, "it is missing, and this scaling has no default for it");
            }
        } else {
            keys_.fail("rope_type",
                       "it is " + quote_foreign(type) +
                           ", a scaling that longbow does not import; it imports default, linear, dynamic, "
                           "yarn and llama3");
        }
        keys_.finish("rotary positions of type " + type);
    }

private:
    void name(const char* scaling) { options_["scaling"] = std::string(scaling); }
    void factor() {
        if (!real("factor")) keys_.fail("factor", "it is missing, and no scaling has a default for it");
    }
    bool real(const char* key) {
        const auto value = keys_.optional_real({key}, 0.0, kLargestFactor);
        if (!value || *value == 0.0) return false;  // 0 counts as not given, as in transformers
        options_[key] = *value;
        return true;
    }
    // Given, or by a formula with both mscales; one of them alone is not read.
    void attention_factor() {
        const auto given = keys_.optional_real({"attention_factor"}, 0.0, kLargestFactor);
        if (given == 0.0)
            keys_.fail("attention_factor", "it is 0, with which all keys count alike: remove it for the usual factor");
        const auto mscale = keys_.optional_real({"mscale"}, 0.0, kLargestFactor).value_or(0.0);
        const auto mscale_all_dim = keys_.optional_real({"mscale_all_dim"}, 0.0, kLargestFactor).value_or(0.0);
        if (given) {
            options_["attention_factor"] = *given;
        } else if (mscale != 0.0 && mscale_all_dim != 0.0) {
            options_["mscale"] = mscale;
            options_["mscale_all_dim"] = mscale_all_dim;
        }
    }
    // The length that the frequencies were made for.
    void original(bool own_key) {
        std::optional<std::int64_t> length;
        if (own_key) length = keys_.optional_count({"original_max_position_embeddings"}, 1, kLongestInput);
        if (!length) length = length_;
        if (!length)
            keys_.fail("the length that the positions were made for is not given: add max_position_embeddings");
        options_["original_length"] = *length;
    }

    HfKeys keys_;
    OptionMap& options_;
    std::optional<std::int64_t> length_;
};

// `key` is read by no release for a family that calls the setting `name`.
void check_repeated(const HfKeys& keys, const char* key, std::optional<double> repeated, const char* name,
                    double value) {
    if (!repeated || *repeated == value) return;
    keys.fail(key,
              fmt::format("it is {:g}, and {}, which this family reads in its place, is {:g}: which of them is right "
                          "is unknown",
                          *repeated, name, value));
}

}  // namespace

void set_rotary(HfKeys& keys, HfSettings& settings, const RopeKeys& names) {
    auto& position = settings.config.position;
    position.method = "rotary";
    position.options["pairs"] = std::string("halves");
    auto base = keys.optional_real({names.base}, 1.0, kLargestBase);
    auto part = keys.optional_real({names.part}, 0.0, 1.0);
    const auto repeated_base = keys.optional_real({"rope_theta"}, 1.0, kLargestBase);
    const auto repeated_part = keys.optional_real({"partial_rotary_factor"}, 0.0, 1.0);
    const Json *older = keys.object("rope_scaling"), *newer = keys.object("rope_parameters");
    if (older != nullptr && newer != nullptr && *older != *newer) {
        keys.fail("rope_parameters",
                  "the file has rope_scaling too, and they differ: which of them is right is unknown");
    }
    if (const Json* given = newer != nullptr ? newer : older) {
        const char* where = newer != nullptr ? "rope_parameters" : "rope_scaling";
        Scaling scaling(HfKeys(*given, keys.what() + ": " + where), settings);
        const auto inner_base = scaling.base(names.base), inner_part = scaling.part(names.part);
        if (inner_base && base && *inner_base != *base)
            keys.fail(names.base, "it differs from the one in " + std::string(where) + ": which is right is unknown");
        if (inner_part && part && *inner_part != *part)
            keys.fail(names.part, "it differs from the one in " + std::string(where) + ": which is right is unknown");
        if (inner_base) base = inner_base;
        if (inner_part) part = inner_part;
        scaling.read();
    }
    const double used_base = base.value_or(kUsualBase), used_part = part.value_or(names.usual);
    check_repeated(keys, "rope_theta", repeated_base, names.base, used_base);
    check_repeated(keys, "partial_rotary_factor", repeated_part, names.part, used_part);
    if (!names.partial && used_part != 1.0) {
        keys.fail(names.part, fmt::format("it is {:g}, and the classes of this family turn whole heads: what the model "
                                          "computes with it is unknown",
                                          used_part));
    }
    position.options["base"] = used_base;
    const auto head = settings.config.model.head_size();
    const auto turned = static_cast<std::int64_t>(static_cast<double>(head) * used_part);
    if (turned < 2 || turned % 2 != 0) {
        keys.fail(names.part, fmt::format("{} of the {} elements of a head would turn, which is not a number of pairs",
                                          turned, head));
    }
    if (turned != head) position.options["dim"] = turned;
}

namespace {

// The keys of rope_parameters beside base and part. A value that stands for the formula is left out.
void write_scaling(const OptionMap& options, Json& rope) {
    const auto real = [&](const char* key) {
        if (const double value = option_double(options, key); value != 0.0) rope[key] = value;
    };
    const auto type = option_string(options, "scaling");
    static const std::map<std::string, std::vector<const char*>> known = {
        {"linear", {}},
        {"dynamic", {}},
        {"yarn", {"attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"}},
        {"llama3", {"low_freq_factor", "high_freq_factor"}}};
    const auto found = known.find(type);
    if (found == known.end()) {
        rope["rope_type"] = "default";
        return;
    }
    rope["rope_type"] = type;
    real("factor");
    for (const char* key : found->second) real(key);
    static const std::set<std::string> kWithLength = {"yarn", "llama3"};
    if (kWithLength.contains(type)) rope["original_max_position_embeddings"] = option_int(options, "original_length");
    const auto truncate = options.find("truncate");
    if (truncate != options.end() && truncate->second == OptionValue(false)) rope["truncate"] = false;
}

}  // namespace

void write_rotary(const Config& config, bool part, Json& json, const RopeKeys& names) {
    const auto& options = config.position.options;
    const double base = option_double(options, "base");
    const auto head = config.model.head_size(), turned = option_int(options, "dim");
    // The smallest double that gives the number of elements back when it is multiplied by the head's size and cut.
    double share = turned == 0 ? 1.0 : static_cast<double>(turned) / static_cast<double>(head);
    while (static_cast<std::int64_t>(share * static_cast<double>(head)) < (turned == 0 ? head : turned))
        share = std::nextafter(share, 2.0);
    Json rope;
    write_scaling(options, rope);
    rope["rope_theta"] = base;
    if (part) rope["partial_rotary_factor"] = share;
    json[names.base] = base;
    if (part) json[names.part] = share;
    const bool scaled = rope["rope_type"] != Json("default");
    json["rope_scaling"] = scaled ? rope : Json(nullptr);
    json["rope_parameters"] = rope;
    // Dynamic scaling begins at the longest input, whatever else the file says.
    std::int64_t longest = config.train.length;
    if (rope["rope_type"] == Json("dynamic")) longest = option_int(options, "original_length");
    json["max_position_embeddings"] = longest > 0 ? longest : kLongestInput;
}

void set_windows(HfKeys& keys, HfSettings& settings, std::optional<std::int64_t> window, std::int64_t first) {
    const auto layers = settings.config.model.layers;
    std::vector<bool> windowed(static_cast<std::size_t>(layers));
    for (std::int64_t layer = 0; layer < layers; ++layer)
        windowed[static_cast<std::size_t>(layer)] = window.has_value() && layer >= first;
    if (const auto types = keys.texts("layer_types")) {
        if (static_cast<std::int64_t>(types->size()) != layers)
            keys.fail("layer_types", fmt::format("it has {} entries for {} layers", types->size(), layers));
        for (std::size_t layer = 0; layer < types->size(); ++layer) {
            const auto& type = (*types)[layer];
            if (type != "full_attention" && type != "sliding_attention")
                keys.fail("layer_types", "it has " + quote_foreign(type) + ", which longbow does not have");
            windowed[layer] = type == "sliding_attention";
            if (windowed[layer] && !window)
                keys.fail("layer_types", "it has sliding_attention, but the file gives no window (sliding_window)");
        }
    }
    auto& position = settings.config.position;
    std::int64_t count = 0;
    for (const bool one : windowed) count += one ? 1 : 0;
    if (count == 0) return;
    if (count == layers) {
        position.window = *window;
        return;
    }
    for (const bool one : windowed) position.layers.push_back({position.method, one ? *window : 0, position.options});
}

}  // namespace longbow
