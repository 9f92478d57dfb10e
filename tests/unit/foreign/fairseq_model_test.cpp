// Tests what is read from fairseq's checkpoints: the golden ones are compared with their weights by name, and small
// ones are made by hand for every variant of the family and for everything that must be refused.
#include "longbow/foreign/fairseq_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "builder.h"
#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"

namespace longbow {
namespace {

using namespace test;
using testing::HasSubstr;
using Sizes = std::vector<std::int64_t>;

std::string golden_path(const std::string& method, const std::string& name) {
    return std::string(LONGBOW_TEST_DATA) + "/golden/" + method + "_adaptive/" + name;
}

// --- A checkpoint of torch's format before zip, made from settings and shapes. The elements of each tensor count up
// from a number of its own.
struct TinyFile {
    std::map<std::string, std::string> settings;  // pickled values
    std::map<std::string, Sizes> shapes;
    std::map<std::string, std::string> twins;  // a tensor that shares another one's elements
    std::map<std::string, std::string> types;  // class of the storage, if not FloatStorage
    std::map<std::string, float> first;        // the first element, where the test decides it
    bool old_style = false;
    std::map<std::string, std::string> task;  // settings of cfg.task

    void linear(const std::string& name, std::int64_t out, std::int64_t in) {
        shapes[name + ".weight"] = {out, in};
        shapes[name + ".bias"] = {out};
    }
    void norm(const std::string& name) { shapes[name + ".weight"] = shapes[name + ".bias"] = {4}; }

    // 10 words, 1 layer, dim 4, 2 heads, ffn 6, tied output.
    static TinyFile plain() {
        TinyFile file;
        file.settings = {{"decoder_embed_dim", number(4)},
                         {"decoder_layers", number(1)},
                         {"decoder_attention_heads", number(2)},
                         {"decoder_ffn_embed_dim", number(6)},
                         {"share_decoder_input_output_embed", "\x88"},
                         {"tokens_per_sample", number(64)},
                         {"dropout", std::string("G\x3f\xd0\0\0\0\0\0\0", 9)},
                         {"activation_fn", text("gelu")},
                         {"arch", text("transformer_lm")}};
        file.shapes = {{"decoder.version", {1}},
                       {"decoder.embed_tokens.weight", {10, 4}},
                       {"decoder.output_projection.weight", {10, 4}}};
        file.twins["decoder.output_projection.weight"] = "decoder.embed_tokens.weight";
        file.first["decoder.version"] = 3;
        const std::string layer = "decoder.layers.0.";
        for (const char* part : {"q", "k", "v", "out"}) file.linear(layer + "self_attn." + part + "_proj", 4, 4);
        file.linear(layer + "fc1", 6, 4);
        file.linear(layer + "fc2", 4, 6);
        for (const char* norm : {"self_attn_layer_norm", "final_layer_norm"}) file.norm(layer + norm);
        file.norm("decoder.layer_norm");
        return file;
    }
    // Bands of 3, 4 and 5 words with dimensions 4, 2 and 1.
    static TinyFile adaptive(bool tied) {
        auto file = plain();
        for (const char* name : {"decoder.embed_tokens.weight", "decoder.output_projection.weight",
                                 "decoder.layer_norm.weight", "decoder.layer_norm.bias"}) {
            file.shapes.erase(name);
        }
        file.twins.clear();
        for (const auto& [key, value] :
             std::map<std::string, std::string>{{"adaptive_input", "\x88"},
                                                {"adaptive_input_cutoff", text("3,7")},
                                                {"adaptive_softmax_cutoff", text("3,7")},
                                                {"adaptive_input_factor", number(2)},
                                                {"adaptive_softmax_factor", number(2)},
                                                {"no_decoder_final_norm", "\x88"},
                                                {"tie_adaptive_weights", tied ? "\x88" : "\x89"},
                                                {"tie_adaptive_proj", tied ? "\x88" : "\x89"}}) {
            file.settings[key] = value;
        }
        const std::string embedding = "decoder.embed_tokens.embeddings.", softmax = "decoder.adaptive_softmax.";
        const Sizes words = {3, 4, 5}, dims = {4, 2, 1};
        for (std::size_t i = 0; i < 3; ++i) {
            const auto band = embedding + std::to_string(i), tail = softmax + "tail." + std::to_string(i - 1);
            file.shapes[band + ".0.weight"] = {words[i], dims[i]};
            file.shapes[band + ".1.weight"] = {4, dims[i]};
            if (i == 0) continue;
            file.shapes[tail + ".0.weight"] = tied ? Sizes{4, dims[i]} : Sizes{dims[i], 4};
            file.shapes[tail + ".2.weight"] = {words[i], dims[i]};
            if (tied) file.twins[tail + ".0.weight"] = band + ".1.weight";
            if (tied) file.twins[tail + ".2.weight"] = band + ".0.weight";
        }
        if (tied) {
            file.shapes[softmax + "head.class_proj.weight"] = {2, 4};
            file.shapes[softmax + "head.word_proj.weight"] = {3, 4};
            file.twins[softmax + "head.word_proj.weight"] = embedding + "0.0.weight";
        } else {
            file.shapes[softmax + "head.weight"] = {5, 4};
        }
        return file;
    }

    float first_of(const std::string& name) const {
        if (const auto twin = twins.find(name); twin != twins.end()) return first_of(twin->second);
        if (const auto chosen = first.find(name); chosen != first.end()) return chosen->second;
        return 100.0f * static_cast<float>(std::distance(shapes.begin(), shapes.find(name)));
    }
    std::string bytes() const {
        std::vector<std::pair<std::string, std::string>> entries(settings.begin(), settings.end()), tensors;
        std::string storages, keys = "](";
        for (const auto& [name, sizes] : shapes) {
            std::int64_t elements = 1;
            Sizes strides(sizes.size(), 1);
            for (std::size_t i = sizes.size(); i-- > 0; elements *= sizes[i]) strides[i] = elements;
            const auto type = types.contains(name) ? types.at(name) : "FloatStorage";
            tensors.emplace_back(name, tensor(storage(name, elements, type), 0, sizes, strides));
            keys += text(name);
            storages += little(static_cast<std::uint64_t>(elements), 8);
            for (std::int64_t i = 0; i < elements; ++i) {
                const float value = first_of(name) + static_cast<float>(i);
                storages.append(reinterpret_cast<const char*>(&value), type == "HalfStorage" ? 2 : 4);
            }
        }
        const auto about = old_style ? global("argparse", "Namespace") + ")\x81" + dict(entries) + "b"
                                     : dict({{"model", dict(entries)}, {"task", dict({task.begin(), task.end()})}});
        const auto object = pickle(dict({{"args", old_style ? about : "N"},
                                         {"cfg", old_style ? "N" : about},
                                         {"model", dict(tensors)},
                                         {"optimizer_history", "]" + dict({{"num_updates", number(286000)}}) + "a"}}));
        return std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15) +
               pickle("M" + little(1001, 2)) + pickle(dict({{"little_endian", "\x88"}})) + object + pickle(keys + "e") +
               storages;
    }
};

FairseqModel read(const TinyFile& tiny, const std::string& position = "alibi") {
    const auto bytes = tiny.bytes();
    return read_fairseq_model(TorchFile::parse(bytes_of(bytes), "a.pt"), position);
}

std::string refusal(const TinyFile& tiny, const std::string& position = "alibi") {
    return error_of([&] { read(tiny, position); });
}

// Returns the elements of each tensor under our name for it, row by row.
std::map<std::string, std::vector<float>> values(const TinyFile& tiny, const std::string& position = "alibi") {
    const auto bytes = tiny.bytes();
    const auto file = TorchFile::parse(bytes_of(bytes), "a.pt");
    std::map<std::string, std::vector<float>> all;
    for (const auto& [name, source, tensor] : read_fairseq_model(file, position).tensors) {
        const auto elements = file.contiguous(tensor);
        auto& place = all[name];
        place.resize(elements.size() / 4);
        std::memcpy(place.data(), elements.data(), elements.size());
    }
    return all;
}

std::vector<std::string> names(const FairseqModel& model) {
    std::vector<std::string> all;
    for (const auto& tensor : model.tensors) all.push_back(tensor.name);
    std::sort(all.begin(), all.end());
    return all;
}

// --- Golden files.
class GoldenImport : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(GoldenImport, EveryWeightIsTheirs) {
    const auto& [method, name] = GetParam();
    const auto file = TorchFile::open(golden_path(method, name));
    const auto model = read_fairseq_model(file, method);
    const auto& config = model.config.model;
    EXPECT_EQ(std::make_tuple(config.layers, config.dim, config.heads, config.ffn_dim), std::make_tuple(2, 64, 8, 128));
    EXPECT_EQ(config.adaptive_cutoffs, (Sizes{200, 600}));
    EXPECT_EQ(std::make_tuple(config.final_norm, config.key_bias, config.tie_output, config.tie_projections,
                              model.vocab_size),
              std::make_tuple(false, true, true, true, 1000));
    EXPECT_EQ(model.config.train.length, 32);
    const auto reference = read_file(golden_path(method, "weights.safetensors"));
    const auto header = parse_safetensors_header(std::as_bytes(std::span(reference)), "weights");
    std::size_t compared = 0;
    for (const auto& tensor : model.tensors) {
        auto wanted = tensor.source;
        if (wanted.starts_with("decoder.t5_")) wanted = wanted.substr(8);
        for (const auto& entry : header.tensors) {
            if (entry.name != wanted) continue;
            const auto bytes = file.contiguous(tensor.tensor);
            EXPECT_EQ(entry.shape, tensor.tensor.sizes) << wanted;
            ASSERT_EQ(bytes.size(), entry.end - entry.begin) << wanted;
            EXPECT_EQ(std::memcmp(bytes.data(), reference.data() + header.data_begin + entry.begin, bytes.size()), 0)
                << wanted;
            ++compared;
        }
    }
    EXPECT_EQ(compared, model.tensors.size());
    EXPECT_EQ(compared, method == "t5" ? 40u : 39u);  // 6 of the bands, the classes, 16 per layer, and T5's table
}

INSTANTIATE_TEST_SUITE_P(Paper, GoldenImport,
                         testing::Values(std::pair{"alibi", "checkpoint.pt"},
                                         std::pair{"alibi", "checkpoint_legacy.pt"},
                                         std::pair{"alibi", "checkpoint_oldstyle.pt"},
                                         std::pair{"sinusoidal", "checkpoint.pt"}, std::pair{"rotary", "checkpoint.pt"},
                                         std::pair{"t5", "checkpoint.pt"}));

TEST(FairseqModel, SignsOfAnotherPositionMethod) {
    const auto read_as = [](const std::string& method, const std::string& position) {
        return error_of([&] { read_fairseq_model(TorchFile::open(golden_path(method, "checkpoint.pt")), position); });
    };
    EXPECT_THAT(read_as("t5", "alibi"), HasSubstr("--position t5 is right, not alibi"));
    EXPECT_THAT(read_as("alibi", "t5"), HasSubstr("no table of T5's biases"));
    EXPECT_THAT(read_as("alibi", "learned"), HasSubstr("no learned positions"));
    auto tiny = TinyFile::plain();
    tiny.settings["no_token_positional_embeddings"] = "\x88";
    EXPECT_THAT(refusal(tiny, "sinusoidal"), HasSubstr("--position sinusoidal is not right"));
    tiny.shapes["decoder.embed_positions.weight"] = {66, 4};
    EXPECT_THAT(refusal(tiny, "rotary"), HasSubstr("--position learned is right, not rotary"));
    EXPECT_THROW(read(tiny, "alibbi"), UsageError);
}

// --- Variants.
TEST(FairseqModel, PlainTied) {
    const auto model = read(TinyFile::plain());
    EXPECT_EQ(model.vocab_size, 10);
    EXPECT_EQ(model.updates, 286000);
    EXPECT_EQ(model.architecture, "transformer_lm");
    const auto& config = model.config.model;
    EXPECT_TRUE(config.tie_output && config.final_norm && config.bias && config.key_bias &&
                config.adaptive_cutoffs.empty());
    EXPECT_EQ(config.activation, Activation::gelu);
    EXPECT_EQ(config.dropout, 0.25);
    EXPECT_EQ(config.embedding_scale, EmbeddingScale::sqrt_dim);
    EXPECT_EQ(model.config.train.length, 64);
    EXPECT_EQ(names(model),
              (std::vector<std::string>{
                  "embed.tokens.weight", "final_norm.bias", "final_norm.weight", "layers.0.attention.k.bias",
                  "layers.0.attention.k.weight", "layers.0.attention.out.bias", "layers.0.attention.out.weight",
                  "layers.0.attention.q.bias", "layers.0.attention.q.weight", "layers.0.attention.v.bias",
                  "layers.0.attention.v.weight", "layers.0.ffn.in.bias", "layers.0.ffn.in.weight",
                  "layers.0.ffn.out.bias", "layers.0.ffn.out.weight", "layers.0.norm1.bias", "layers.0.norm1.weight",
                  "layers.0.norm2.bias", "layers.0.norm2.weight"}));
    auto old_style = TinyFile::plain();
    old_style.old_style = true;
    EXPECT_EQ(names(read(old_style)), names(model));
    EXPECT_TRUE(read(old_style).config == model.config);
}

TEST(FairseqModel, AReferenceToTheTaskIsFollowed) {
    auto file = TinyFile::plain();
    // omegaconf saves a reference that it has not resolved in this form.
    file.settings["tokens_per_sample"] = text("${task.tokens_per_sample}");
    file.task["tokens_per_sample"] = number(32);
    EXPECT_EQ(read(file).config.train.length, 32);
}

TEST(FairseqModel, PlainUntied) {
    auto tiny = TinyFile::plain();
    tiny.settings["share_decoder_input_output_embed"] = "\x89";
    tiny.twins.clear();
    EXPECT_FALSE(read(tiny).config.model.tie_output);
    EXPECT_EQ(values(tiny).at("head.weight")[0], tiny.first_of("decoder.output_projection.weight"));
    tiny.shapes.erase("decoder.output_projection.weight");
    EXPECT_THAT(refusal(tiny), HasSubstr("no tensor decoder.output_projection.weight"));
    tiny.shapes["decoder.embed_out"] = {10, 4};  // its name in 2018
    EXPECT_EQ(values(tiny).at("head.weight")[39], tiny.first_of("decoder.embed_out") + 39);
}

TEST(FairseqModel, OlderLayerNames) {
    auto tiny = TinyFile::plain();
    const std::string layer = "decoder.layers.0.";
    std::erase_if(tiny.shapes, [](const auto& entry) { return entry.first.find("k_proj") != std::string::npos; });
    EXPECT_THAT(refusal(tiny), HasSubstr("no tensor decoder.layers.0.self_attn.k_proj.weight"));
    std::erase_if(tiny.shapes, [&](const auto& entry) {
        return entry.first.find("v_proj") != std::string::npos || entry.first.find("q_proj") != std::string::npos ||
               entry.first.ends_with("layer_norm.weight") || entry.first.ends_with("layer_norm.bias");
    });
    tiny.norm(layer + "layer_norms.0");
    tiny.norm(layer + "layer_norms.2");
    tiny.shapes[layer + "self_attn.in_proj_weight"] = {12, 4};
    tiny.shapes[layer + "self_attn.in_proj_bias"] = {12};
    tiny.shapes.erase("decoder.version");  // a file as old as this has no final norm either
    const auto found = values(tiny);
    const float weight = tiny.first_of(layer + "self_attn.in_proj_weight"),
                bias = tiny.first_of(layer + "self_attn.in_proj_bias");
    EXPECT_EQ(found.at("layers.0.attention.q.weight")[0], weight);
    EXPECT_EQ(found.at("layers.0.attention.k.weight")[0], weight + 16);
    EXPECT_EQ(found.at("layers.0.attention.v.weight")[15], weight + 47);
    EXPECT_EQ(found.at("layers.0.attention.k.bias"), (std::vector<float>{bias + 4, bias + 5, bias + 6, bias + 7}));
    EXPECT_EQ(found.at("layers.0.norm2.weight")[0], tiny.first_of(layer + "layer_norms.2.weight"));
    EXPECT_FALSE(found.contains("final_norm.weight"));
}

TEST(FairseqModel, FinalNormBySettingsAndVersion) {
    auto tiny = TinyFile::plain();
    tiny.first["decoder.version"] = 2;
    EXPECT_THAT(refusal(tiny), HasSubstr("final norm")) << "there, but of a version that had none";
    tiny.shapes.erase("decoder.layer_norm.weight");
    tiny.shapes.erase("decoder.layer_norm.bias");
    EXPECT_FALSE(read(tiny).config.model.final_norm);
    tiny.first["decoder.version"] = 3;
    EXPECT_THAT(refusal(tiny), HasSubstr("no tensor decoder.layer_norm.weight"));
    tiny.settings["no_decoder_final_norm"] = "\x88";
    EXPECT_FALSE(read(tiny).config.model.final_norm);
    tiny.settings["decoder_final_norm"] = "\x88";  // an older name of the setting, which takes precedence
    EXPECT_THAT(refusal(tiny), HasSubstr("no tensor decoder.layer_norm.weight"));
    tiny = TinyFile::plain();
    tiny.types["decoder.version"] = "HalfStorage";  // the first two bytes of the float 3.0 are 0.0 as a half
    EXPECT_THAT(refusal(tiny), HasSubstr("final norm"));
}

TEST(FairseqModel, LearnedPositionsBeginAtTheThirdRow) {
    auto tiny = TinyFile::plain();
    tiny.shapes["decoder.embed_positions.weight"] = {66, 4};
    const auto found = values(tiny, "learned").at("position.weight");
    EXPECT_EQ(found.size(), 64u * 4);
    EXPECT_EQ(found[0], tiny.first_of("decoder.embed_positions.weight") + 8);
    EXPECT_EQ(std::get<std::int64_t>(read(tiny, "learned").config.position.options.at("max_length")), 64);
}

TEST(FairseqModel, AdaptiveTied) {
    const auto tiny = TinyFile::adaptive(true);
    const auto model = read(tiny);
    EXPECT_EQ(model.vocab_size, 12);
    EXPECT_EQ(model.config.model.adaptive_cutoffs, (Sizes{3, 7}));
    EXPECT_EQ(model.config.model.adaptive_factor, 2.0);
    EXPECT_TRUE(model.config.model.tie_output && model.config.model.tie_projections && !model.config.model.final_norm);
    const auto found = values(tiny);
    EXPECT_EQ(found.at("embed.bands.2.projection").size(), 4u);
    EXPECT_EQ(found.at("head.classes")[0], tiny.first_of("decoder.adaptive_softmax.head.class_proj.weight"));
    EXPECT_FALSE(found.contains("head.bands.1.weight"));
    for (const auto& [twin, kept] : tiny.twins) {
        auto other = tiny;
        other.twins.erase(twin);
        EXPECT_THAT(refusal(other), HasSubstr("differ")) << twin;
    }
}

TEST(FairseqModel, AdaptiveUntied) {
    const auto tiny = TinyFile::adaptive(false);
    EXPECT_FALSE(read(tiny).config.model.tie_output || read(tiny).config.model.tie_projections);
    const auto found = values(tiny);
    const float head = tiny.first_of("decoder.adaptive_softmax.head.weight"),
                tail = tiny.first_of("decoder.adaptive_softmax.tail.0.0.weight");
    EXPECT_EQ(found.at("head.bands.0.weight").size(), 12u);
    EXPECT_EQ(found.at("head.bands.0.weight")[0], head);
    EXPECT_EQ(found.at("head.classes")[0], head + 12);
    EXPECT_EQ(found.at("head.bands.1.projection"),
              (std::vector<float>{tail, tail + 4, tail + 1, tail + 5, tail + 2, tail + 6, tail + 3, tail + 7}));
    EXPECT_EQ(found.at("head.bands.2.weight")[0], tiny.first_of("decoder.adaptive_softmax.tail.1.2.weight"));
}

TEST(FairseqModel, AdaptiveCutoffsAreReadAsFairseqDoes) {
    auto tiny = TinyFile::adaptive(true);
    for (const auto* written : {"[3, 7]", "(3,7)", " 3 , 7 ", "3,7,12"}) {
        tiny.settings["adaptive_input_cutoff"] = tiny.settings["adaptive_softmax_cutoff"] = text(written);
        EXPECT_EQ(read(tiny).config.model.adaptive_cutoffs, (Sizes{3, 7})) << written;
    }
    for (const auto* wrong : {"3,3", "7,3", "3,x", "-3,7", "3,99999999999999999999"}) {
        tiny.settings["adaptive_input_cutoff"] = tiny.settings["adaptive_softmax_cutoff"] = text(wrong);
        EXPECT_THAT(refusal(tiny), HasSubstr("not an ascending list of word ids")) << wrong;
    }
    tiny.settings["adaptive_input_cutoff"] = tiny.settings["adaptive_softmax_cutoff"] = text("4,7");
    EXPECT_THAT(refusal(tiny), HasSubstr("has the shape [3, 4], by its settings [4, 4]"));
    tiny.settings["adaptive_input_cutoff"] = text("3,7");
    EXPECT_THAT(refusal(tiny), HasSubstr("different bands"));
}

// --- Models of other families.
TEST(FairseqModel, RefusesOtherModels) {
    const auto with = [](const std::string& key, const std::string& value) {
        auto tiny = TinyFile::plain();
        tiny.settings[key] = value;
        return refusal(tiny);
    };
    EXPECT_THAT(with("decoder_normalize_before", "\x89"), HasSubstr("norms after the sub-layers"));
    EXPECT_THAT(with("character_embeddings", "\x88"), HasSubstr("character embeddings"));
    EXPECT_THAT(with("layernorm_embedding", "\x88"), HasSubstr("layernorm_embedding"));
    EXPECT_THAT(with("add_bos_token", "\x88"), HasSubstr("add_bos_token"));
    EXPECT_THAT(with("activation_fn", text("swish")), HasSubstr("neither relu nor gelu"));
    EXPECT_THAT(with("decoder_input_dim", number(8)), HasSubstr("decoder_input_dim unlike"));
    EXPECT_THAT(with("decoder_attention_heads", number(3)), HasSubstr("does not divide"));
    EXPECT_THAT(with("decoder_layers", number(2)), HasSubstr("no tensor decoder.layers.1.self_attn.q_proj.weight"));
    EXPECT_THAT(with("decoder_layers", number(std::int64_t{1} << 60)), HasSubstr("out of range"));
    EXPECT_THAT(with("decoder_ffn_embed_dim", number(7)), HasSubstr("has the shape [6, 4], by its settings [7, 4]"));
    EXPECT_THAT(with("adaptive_softmax_cutoff", text("3,7")), HasSubstr("different bands"));
    auto tiny = TinyFile::plain();
    tiny.settings.erase("decoder_layers");
    EXPECT_THAT(refusal(tiny), HasSubstr("name no decoder_layers"));
    tiny = TinyFile::plain();
    tiny.shapes["decoder.layers.0.w_resid"] = {4};
    EXPECT_THAT(refusal(tiny), HasSubstr("has the tensor \"decoder.layers.0.w_resid\""));
    tiny.shapes["encoder.layers.0.fc1.weight"] = {4, 4};
    EXPECT_THAT(refusal(tiny), HasSubstr("not a language model"));
    tiny = TinyFile::plain();
    tiny.types["decoder.layers.0.fc1.weight"] = "IntStorage";
    EXPECT_THAT(refusal(tiny), HasSubstr("elements of int32"));
    const auto other = pickle(dict({{"state_dict", "}"}}));
    const auto file = zip({{"m/data.pkl", other}});
    EXPECT_THAT(error_of([&] { read_fairseq_model(TorchFile::parse(bytes_of(file), "a.pt"), "alibi"); }),
                HasSubstr("not a checkpoint of fairseq"));
}

// --- Dictionaries.
TEST(FairseqModel, DictionariesOfAnotherSizeOrOrder) {
    FairseqModel model;
    model.vocab_size = 8;
    EXPECT_EQ(dictionary_mismatch("the 9\nof 9\na 3\nmadeupword0000 0\n", model), "");
    EXPECT_THAT(dictionary_mismatch("the 9\nof 9\na 3\n", model),
                HasSubstr("fills the vocabulary up to a multiple of 8"));
    EXPECT_THAT(dictionary_mismatch("the 9\n", model), HasSubstr("fills the vocabulary up to a multiple of 8"));
    EXPECT_THAT(dictionary_mismatch("the 9\nof 9\na 3\nb 2\nc 1\n", model),
                HasSubstr("5 words, with fairseq's four specials 9 ids; the model has 8"));
    EXPECT_THAT(dictionary_mismatch("the 9\na 3\nof 9\nmadeupword0000 0\n", model),
                HasSubstr("line 3 has a higher count (9) than the line before it (3)"));
    EXPECT_EQ(dictionary_mismatch("the 9\nof 9\nthe 3 #fairseq:overwrite\na b 2\n", model), "");
}

}  // namespace
}  // namespace longbow
