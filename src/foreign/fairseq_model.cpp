// The names and shapes of tensors are those of fairseq/modules/{adaptive_input,adaptive_softmax,transformer_layer}.py
// and models/{transformer,transformer_lm}.py in the release that the paper's authors used, and in earlier ones where
// older files differ.
#include "longbow/foreign/fairseq_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "fairseq_settings.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "state_dict.h"

namespace longbow {

namespace {

// In fairseq's sinusoidal and learned tables the first position is row padding_idx + 1.
constexpr std::int64_t kFirstPositionRow = 2;
// Weights may take at most this many times the memory of the file. Half precision needs 2; the rest is for tensors that
// share a storage.
constexpr std::size_t kLargestGrowth = 32;

// What a model of each position method has of it in the file.
enum class PositionPart {
    nothing,
    settings,  // that it was trained with embeddings of positions; the table is computed
    weights,   // a row a position
    biases,    // a row a bucket
};
struct ImportedPosition {
    const char* method;
    PositionPart part;
};
constexpr std::array kPositions{
    ImportedPosition{"alibi", PositionPart::nothing},       ImportedPosition{"learned", PositionPart::weights},
    ImportedPosition{"none", PositionPart::nothing},        ImportedPosition{"rotary", PositionPart::nothing},
    ImportedPosition{"sinusoidal", PositionPart::settings}, ImportedPosition{"t5", PositionPart::biases}};

class Reader {
public:
    Reader(const TorchFile& file, const ImportedPosition& position)
        : file_(file),
          position_(position.method),
          part_(position.part),
          settings_(read_fairseq_settings(file)),
          weights_(file) {}

    FairseqModel read() {
        check_family();
        configure();
        drop_buffers();
        settings_.output_cutoffs.empty() && !settings_.adaptive_input ? plain_embedding() : adaptive_embedding();
        read_position();
        for (std::int64_t layer = 0; layer < settings_.layers; ++layer) read_layer(layer);
        if (model_.config.model.final_norm) norm("decoder.layer_norm", "final_norm");
        if (const auto left = weights_.names(); !left.empty()) {
            weights_.fail("it has the tensor " + quote_foreign(left.front()) +
                          fmt::format(" (and {} more of the kind)", left.size() - 1) +
                          ", for which a language model with its settings has no place");
        }
        check_size();
        return std::move(model_);
    }

private:
    using Sizes = std::vector<std::int64_t>;

    void give(const std::string& ours, const std::string& theirs, PickleTensor tensor) {
        model_.tensors.push_back({ours, theirs, std::move(tensor)});
    }
    void move(const std::string& ours, const std::string& theirs, const Sizes& sizes) {
        give(ours, theirs, weights_.take(theirs, sizes));
    }
    void norm(const std::string& theirs, const std::string& ours) {
        for (const char* part : {".weight", ".bias"}) move(ours + part, theirs + part, {settings_.dim});
    }

    void check_family() const {
        bool decoder = false;
        for (const auto& name : weights_.names()) {
            if (starts_with(name, "encoder.") || name.find(".encoder_attn.") != std::string::npos) {
                weights_.fail("it is an encoder-decoder model or an encoder (" + quote_foreign(name) +
                              "), not a language model");
            }
            decoder = decoder || starts_with(name, "decoder.layers.0.self_attn.");
        }
        if (!decoder) {
            weights_.fail(
                "it is not a language model of fairseq's transformer_lm family: it has no tensor decoder.layers.0.self_attn.*" +
                (settings_.architecture.empty()
                     ? std::string()
                     : " (its architecture: " + quote_foreign(settings_.architecture) + ")"));
        }
    }

    void configure() {
        auto& model = model_.config.model;
        model.layers = settings_.layers;
        model.dim = settings_.dim;
        model.heads = settings_.heads;
        model.ffn_dim = settings_.ffn_dim;
        model.activation = settings_.activation;
        model.bias = model.key_bias = true;
        model.embedding_scale = settings_.scale_embedding ? EmbeddingScale::sqrt_dim : EmbeddingScale::none;
        model.init = FirstWeights::fairseq;
        model.dropout = settings_.dropout;
        model.attention_dropout = settings_.attention_dropout;
        model.activation_dropout = settings_.activation_dropout;
        model_.config.position.method = position_;
        model_.config.train.length = settings_.length;
        model_.architecture = settings_.architecture;
        model_.updates = settings_.updates;
        // Models of decoder.version 1 and 2 have no norm after the last block, whatever their settings say. A missing
        // version counts as 1.
        model.final_norm = settings_.final_norm && weights_.scalar("decoder.version").value_or(1.0) > 2.0;
        if (!model.final_norm && weights_.has("decoder.layer_norm.weight")) {
            weights_.fail(
                "it has a final norm (decoder.layer_norm) that its settings or its version tensor omit: which of them is right is unknown");
        }
    }

    // These tensors are not weights: uninitialized memory, versions, and tables that can be computed.
    void drop_buffers() {
        weights_.drop([](const std::string& name) {
            return name == "decoder.version" || name == "decoder.adaptive_softmax.version" ||
                   name == "decoder.embed_positions.weights" || name.ends_with("._float_tensor");
        });
    }

    void plain_embedding() {
        const std::string name = "decoder.embed_tokens.weight", output = "decoder.output_projection.weight",
                          old_output = "decoder.embed_out";
        const auto sizes = weights_.sizes(name);
        if (sizes.size() != 2) weights_.fail("it has no token embedding (" + name + " [words, decoder_embed_dim])");
        model_.vocab_size = sizes[0];
        model_.config.model.tie_output = settings_.share_output;
        const Sizes shape = {sizes[0], settings_.dim};
        const auto embedding = weights_.take(name, shape);
        give("embed.tokens.weight", name, embedding);
        if (!settings_.share_output) {
            move("head.weight", weights_.has(old_output) ? old_output : output, shape);
        } else if (weights_.has(output)) {
            weights_.take_tied(output, embedding, name);
        }
    }

    // Returns for each band the first id of the next one. The last end is the size of the vocabulary, if the last band
    // has a tensor.
    Sizes bands() const {
        Sizes cutoffs = settings_.output_cutoffs;
        if (!settings_.adaptive_input || cutoffs.empty() || cutoffs != settings_.input_cutoffs ||
            settings_.input_factor != settings_.output_factor) {
            weights_.fail(
                "its embedding and its softmax have different bands (adaptive_input_cutoff, adaptive_softmax_cutoff and their factors), or "
                "one of them has none: longbow has models with both alike, or with neither");
        }
        const auto last = weights_.sizes(band_name(cutoffs.size()));
        if (last.size() == 2) {
            std::int64_t end = 0;
            if (last[0] < 1 || __builtin_add_overflow(cutoffs.back(), last[0], &end))
                weights_.fail("its last band of words has an impossible size");
            cutoffs.push_back(end);
        }
        return cutoffs;
    }
    static std::string band_name(std::size_t band) {
        return "decoder.embed_tokens.embeddings." + std::to_string(band) + ".0.weight";
    }

    void adaptive_embedding() {
        const auto ends = bands();
        auto& model = model_.config.model;
        model_.vocab_size = ends.back();
        model.adaptive_cutoffs.assign(ends.begin(), ends.end() - 1);
        if (model.adaptive_cutoffs.empty())
            weights_.fail("its adaptive embedding has a single band: longbow has no such model");
        model.adaptive_factor = settings_.input_factor;
        model.tie_output = settings_.tie_weights;
        model.tie_projections = settings_.tie_weights && settings_.tie_projections;
        model.output_dropout = model.tail_dropout = settings_.adaptive_dropout;

        const std::int64_t classes = static_cast<std::int64_t>(ends.size()) - 1;
        const std::string head = "decoder.adaptive_softmax.head.";
        PickleTensor whole_head;  // only of models with untied weights
        if (model.tie_output) {
            move("head.classes", head + "class_proj.weight", {classes, settings_.dim});
        } else {
            whole_head = weights_.take(head + "weight", {ends[0] + classes, settings_.dim});
            give("head.classes", head + "weight", rows_of(whole_head, ends[0], ends[0] + classes));
        }
        for (std::size_t band = 0; band < ends.size(); ++band) {
            const std::int64_t words = ends[band] - (band == 0 ? 0 : ends[band - 1]);
            const auto dim = static_cast<std::int64_t>(
                std::floor(static_cast<double>(settings_.dim) / std::pow(settings_.input_factor, band)));
            const std::string number = std::to_string(band), ours = "embed.bands." + number,
                              our_head = "head.bands." + number;
            const std::string projection_name = "decoder.embed_tokens.embeddings." + number + ".1.weight";
            if (dim < 1)
                weights_.fail("its bands of words are so many that decoder_embed_dim leaves the last one no element");
            const auto embedding = weights_.take(band_name(band), {words, dim});
            const auto projection = weights_.take(projection_name, {settings_.dim, dim});
            give(ours + ".weight", band_name(band), embedding);
            give(ours + ".projection", projection_name, projection);

            const std::string tail =
                "decoder.adaptive_softmax.tail." + (band == 0 ? std::string() : std::to_string(band - 1));
            const std::string output_name = band == 0 ? head + "word_proj.weight" : tail + ".2.weight";
            if (model.tie_output) {
                weights_.take_tied(output_name, embedding, band_name(band));
            } else if (band == 0) {
                give(our_head + ".weight", head + "weight", rows_of(whole_head, 0, words));
            } else {
                move(our_head + ".weight", output_name, {words, dim});
            }
            if (band == 0) continue;
            if (model.tie_projections) {
                weights_.take_tied(tail + ".0.weight", projection, projection_name);
            } else {  // a linear layer of its own, with output features first
                give(our_head + ".projection", tail + ".0.weight",
                     transposed(weights_.take(tail + ".0.weight", {dim, settings_.dim})));
            }
        }
    }

    void read_position() {
        const std::string learned = "decoder.embed_positions.weight";
        std::string table;  // of T5's biases; reconstructions of T5 differ in its full name
        for (const auto& name : weights_.names()) {
            if (name.ends_with("relative_attention_bias.weight") && is_plain(name)) table = name;
        }
        if (weights_.has(learned) != (part_ == PositionPart::weights)) {
            weights_.fail(part_ == PositionPart::weights
                              ? "it has no learned positions (" + learned + "): another --position is right"
                              : "it has learned positions (" + learned + "): --position learned is right, not " +
                                    position_);
        }
        if (table.empty() == (part_ == PositionPart::biases)) {
            weights_.fail(
                part_ == PositionPart::biases
                    ? std::string(
                          "it has no table of T5's biases (relative_attention_bias.weight): another --position is right")
                    : "it has a table of T5's biases (" + quote_foreign(table) + "): --position t5 is right, not " +
                          position_);
        }
        if (part_ == PositionPart::settings && !settings_.positions) {
            weights_.fail(
                "it was trained without embeddings of positions (no_token_positional_embeddings), so --position sinusoidal is not right");
        }
        auto& options = model_.config.position.options;
        if (part_ == PositionPart::weights) {
            const auto sizes = weights_.sizes(learned);
            if (sizes.size() != 2 || sizes[0] <= kFirstPositionRow)
                weights_.fail("its tensor " + learned + " has no rows of positions");
            const auto rows = weights_.take(learned, {sizes[0], settings_.dim});
            give("position.weight", learned, rows_of(rows, kFirstPositionRow, sizes[0]));
            options["max_length"] = sizes[0] - kFirstPositionRow;
            model_.config.train.length = std::min(settings_.length, sizes[0] - kFirstPositionRow);
        } else if (part_ == PositionPart::biases) {
            const auto sizes = weights_.sizes(table);
            if (sizes.size() != 2 || sizes[0] < 2 || sizes[0] > 256)
                weights_.fail("its tensor " + quote_foreign(table) + " does not have the shape [buckets, heads]");
            move("position.weight", table, {sizes[0], settings_.heads});
            options["buckets"] = sizes[0];
        }
    }

    void read_layer(std::int64_t layer) {
        const std::string theirs = "decoder.layers." + std::to_string(layer), ours = "layers." + std::to_string(layer);
        const std::string attention = theirs + ".self_attn.", our_attention = ours + ".attention.";
        const auto dim = settings_.dim, ffn = settings_.ffn_dim;
        // Files of 2018 and 2019 have query, key and value in one tensor.
        if (weights_.has(attention + "in_proj_weight")) {
            const auto weight = weights_.take(attention + "in_proj_weight", {3 * dim, dim}),
                       bias = weights_.take(attention + "in_proj_bias", {3 * dim});
            std::int64_t row = 0;
            for (const char* part : {"q", "k", "v"}) {
                give(our_attention + part + ".weight", attention + "in_proj_weight", rows_of(weight, row, row + dim));
                give(our_attention + part + ".bias", attention + "in_proj_bias", rows_of(bias, row, row + dim));
                row += dim;
            }
        } else {
            for (const char* part : {"q", "k", "v"}) linear(attention + part + "_proj", our_attention + part, dim, dim);
        }
        linear(attention + "out_proj", our_attention + "out", dim, dim);
        linear(theirs + ".fc1", ours + ".ffn.in", ffn, dim);
        linear(theirs + ".fc2", ours + ".ffn.out", dim, ffn);
        const bool old_names = weights_.has(theirs + ".layer_norms.0.weight");
        norm(theirs + (old_names ? ".layer_norms.0" : ".self_attn_layer_norm"), ours + ".norm1");
        norm(theirs + (old_names ? ".layer_norms.2" : ".final_layer_norm"), ours + ".norm2");
    }
    void linear(const std::string& theirs, const std::string& ours, std::int64_t out, std::int64_t in) {
        move(ours + ".weight", theirs + ".weight", {out, in});
        move(ours + ".bias", theirs + ".bias", {out});
    }

    // Tensors may share a storage, so that a small file could claim any amount of memory.
    void check_size() const {
        std::size_t bytes = 0;
        for (const auto& tensor : model_.tensors)
            bytes += static_cast<std::size_t>(tensor.tensor.elements()) * sizeof(float);
        if (bytes / kLargestGrowth > file_.size())
            weights_.fail("its tensors overlap so much that they claim " + human_bytes(static_cast<double>(bytes)));
    }

    const TorchFile& file_;
    std::string position_;
    PositionPart part_;
    FairseqSettings settings_;
    StateDict weights_;
    FairseqModel model_;
};

}  // namespace

const std::vector<std::string>& fairseq_positions() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const auto& position : kPositions) all.emplace_back(position.method);
        return all;
    }();
    return names;
}

FairseqModel read_fairseq_model(const TorchFile& file, const std::string& position) {
    for (const auto& known : kPositions) {
        if (position == known.method) return Reader(file, known).read();
    }
    const auto& known = fairseq_positions();
    const auto near = nearest(position, known);
    throw UsageError("--position " + position +
                     (near ? ": did you mean " + *near + "?" : ": not known to this import;") +
                     " known: " + join(known, ", "));
}

}  // namespace longbow
