// The names, the defaults and the rules for older files are those of fairseq/models/transformer_lm.py
// (base_lm_architecture).
#include "fairseq_settings.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Kind = PickleValue::Kind;

// Looks settings up: first the model's, then the task's where the model has none. Files from before 2021 have a single
// argparse.Namespace, `args`; later ones have `cfg` with sections.
class Settings {
public:
    explicit Settings(const TorchFile& file) : file_(file), tree_(file.tree()) {
        const auto root = tree_.root;
        if (tree_.find(root, "model") == kNoPickle ||
            (tree_.find(root, "args") == kNoPickle && tree_.find(root, "cfg") == kNoPickle)) {
            fail(
                "it is not a checkpoint of fairseq: that is a dict with the entries \"model\" and \"args\" or \"cfg\", this is " +
                tree_.describe(root));
        }
        const auto cfg = tree_.find(root, "cfg"), args = tree_.find(root, "args");
        if (cfg != kNoPickle && tree_[cfg].kind != Kind::none) {
            places_ = {tree_.find(cfg, "model"), tree_.find(cfg, "task")};
        } else {
            places_ = {args};
        }
    }

    [[noreturn]] void fail(const std::string& reason) const { throw CheckpointError(file_.name() + ": " + reason); }

    [[nodiscard]] bool has(const char* key) const { return place_of(key) != kNoPickle; }
    [[nodiscard]] bool flag(const char* key, bool otherwise) const {
        return tree_.boolean(place_of(key), key).value_or(otherwise);
    }
    [[nodiscard]] std::string text(const char* key, const std::string& otherwise) const {
        return tree_.text(place_of(key), key).value_or(otherwise);
    }
    [[nodiscard]] double real(const char* key, double otherwise, double low, double high) const {
        const double value = tree_.real(place_of(key), key).value_or(otherwise);
        if (!(value >= low && value <= high)) fail(fmt::format("its setting {} = {:g} is out of range", key, value));
        return value;
    }
    [[nodiscard]] std::int64_t count(const char* key, std::int64_t most) const {
        const auto value = tree_.integer(place_of(key), key);
        if (!value)
            fail(std::string("its settings name no ") + key +
                 ": it is not a language model of fairseq's transformer_lm family");
        if (*value < 1 || *value > most) fail(fmt::format("its setting {} = {} is out of range", key, *value));
        return *value;
    }
    [[nodiscard]] std::optional<std::int64_t> optional_count(const char* key, std::int64_t most) const {
        if (!tree_.integer(place_of(key), key)) return std::nullopt;
        return count(key, most);
    }
    // Parses "20000,60000", with or without brackets, or a list. Without the key it returns an empty list.
    [[nodiscard]] std::vector<std::int64_t> cutoffs(const char* key) const;

private:
    // Returns the first section in which the key has a value. None does not count as one, nor does
    // "${task.tokens_per_sample}": that is omegaconf's reference to another section, which is looked at next.
    [[nodiscard]] PickleId place_of(const char* key) const {
        for (const auto place : places_) {
            const auto found = tree_.find(place, key);
            if (found == kNoPickle || tree_[found].kind == Kind::none) continue;
            const auto text = tree_.text(place, key);
            if (!text || !starts_with(*text, "${")) return place;
        }
        return kNoPickle;
    }

    const TorchFile& file_;
    const PickleTree& tree_;
    std::vector<PickleId> places_;
};

std::vector<std::int64_t> Settings::cutoffs(const char* key) const {
    std::vector<std::int64_t> values;
    const auto id = tree_.find(place_of(key), key);
    if (id == kNoPickle) return values;
    const auto& value = tree_[id];
    if (value.kind == Kind::list || value.kind == Kind::tuple) {
        for (const auto item : value.items)
            values.push_back(tree_[item].kind == Kind::integer ? tree_[item].integer : -1);
    } else {
        for (const auto& part : split(value.text, ',')) {
            const auto digits = trim(part);
            const auto begin = digits.find_first_not_of("([ "), end = digits.find_last_not_of(")] ");
            if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) continue;
            const auto number = digits.substr(begin, end - begin + 1);
            values.push_back(-1);
            const auto parsed = std::from_chars(number.data(), number.data() + number.size(), values.back());
            if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size()) values.back() = -1;
        }
    }
    std::int64_t before = 0;
    for (const auto cutoff : values) {
        if (cutoff <= before || cutoff > 0x7fffffff || values.size() > 16)
            fail(std::string("its setting ") + key + " is not an ascending list of word ids");
        before = cutoff;
    }
    return values;
}

void refuse_unknown_parts(const Settings& settings, std::int64_t dim) {
    const auto refuse = [&](const std::string& what) {
        settings.fail("it was trained with " + what + ", which longbow has no counterpart for");
    };
    if (!settings.flag("decoder_normalize_before", true))
        refuse("norms after the sub-layers (decoder_normalize_before = False)");
    if (settings.flag("character_embeddings", false)) refuse("character embeddings");
    if (settings.flag("layernorm_embedding", false)) refuse("a norm on the embedding (layernorm_embedding)");
    if (settings.flag("add_bos_token", false)) refuse("a begin-of-sentence token before each input (add_bos_token)");
    if (settings.flag("base_layers", false)) refuse("mixture-of-experts layers (base_layers)");
    if (settings.has("decoder_layers_to_keep")) refuse("omitted layers (decoder_layers_to_keep)");
    for (const char* key : {"decoder_input_dim", "decoder_output_dim"}) {
        if (settings.optional_count(key, 65536).value_or(dim) != dim)
            refuse(std::string(key) + " unlike decoder_embed_dim");
    }
}

}  // namespace

FairseqSettings read_fairseq_settings(const TorchFile& file) {
    const Settings settings(file);
    FairseqSettings read;
    read.architecture = settings.text("arch", settings.text("_name", ""));
    if (!is_plain(read.architecture)) read.architecture.clear();
    read.dim = settings.count("decoder_embed_dim", 65536);
    read.layers = settings.count("decoder_layers", 1024);
    read.heads = settings.count("decoder_attention_heads", 1024);
    read.ffn_dim = settings.count("decoder_ffn_embed_dim", 1048576);
    if (read.dim % read.heads != 0) settings.fail("decoder_attention_heads does not divide decoder_embed_dim evenly");
    refuse_unknown_parts(settings, read.dim);

    // These two activations mean the same in fairseq and in Longbow. fairseq's swish is not swiglu.
    const auto activation = settings.text("activation_fn", "relu");
    const auto known = choice_named<Activation>(activation);
    if (!known || (*known != Activation::relu && *known != Activation::gelu)) {
        settings.fail("its activation_fn " + quote_foreign(activation) +
                      " is neither relu nor gelu, which longbow has");
    }
    read.activation = *known;
    constexpr double kBelowOne = 0.999999;
    read.dropout = settings.real("dropout", 0.0, 0.0, kBelowOne);
    read.attention_dropout = settings.real("attention_dropout", 0.0, 0.0, kBelowOne);
    read.activation_dropout = settings.real("activation_dropout", 0.0, 0.0, kBelowOne);
    if (read.activation_dropout == 0.0) read.activation_dropout = settings.real("relu_dropout", 0.0, 0.0, kBelowOne);
    read.adaptive_dropout = settings.real("adaptive_softmax_dropout", 0.0, 0.0, kBelowOne);

    read.final_norm = !settings.flag("no_decoder_final_norm", false);
    read.tie_projections = settings.flag("tie_adaptive_proj", false);
    if (settings.has("no_tie_adaptive_proj")) {  // written before the setting's meaning was inverted
        read.final_norm = false;
        if (!settings.flag("no_tie_adaptive_proj", true)) read.tie_projections = true;
    }
    if (settings.has("decoder_final_norm")) read.final_norm = settings.flag("decoder_final_norm", true);

    read.scale_embedding = !settings.flag("no_scale_embedding", false);
    read.positions = !settings.flag("no_token_positional_embeddings", false);
    read.adaptive_input = settings.flag("adaptive_input", false);
    if (read.adaptive_input) read.input_cutoffs = settings.cutoffs("adaptive_input_cutoff");
    read.output_cutoffs = settings.cutoffs("adaptive_softmax_cutoff");
    read.input_factor = settings.real("adaptive_input_factor", 4.0, 1.0, 65536.0);
    read.output_factor = settings.real("adaptive_softmax_factor", 4.0, 1.0, 65536.0);
    read.tie_weights = settings.flag("tie_adaptive_weights", false);
    read.share_output = settings.flag("share_decoder_input_output_embed", false);
    constexpr std::int64_t kLongest = std::int64_t{1} << 30, kDefaultLength = 1024;  // default of language_modeling
    read.length = settings.optional_count("tokens_per_sample", kLongest)
                      .value_or(settings.optional_count("max_target_positions", kLongest).value_or(kDefaultLength));

    const auto& tree = file.tree();
    const auto history = tree.find(tree.root, "optimizer_history");
    if (history != kNoPickle && tree[history].kind == Kind::list && !tree[history].items.empty()) {
        const auto updates = tree.integer(tree[history].items.back(), "num_updates").value_or(0);
        read.updates = updates > 0 && updates < std::int64_t{1} << 40 ? updates : 0;
    }
    return read;
}

}  // namespace longbow
