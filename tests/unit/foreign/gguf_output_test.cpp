// Tests what is written into a GGUF file: the types and bytes of values, and tokenizers.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "foreign/gguf_file.h"
#include "foreign/gguf_types.h"
#include "foreign/half.h"
#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "longbow/foreign/foreign_model.h"
#include "longbow/foreign/gguf_export.h"

namespace longbow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(GgufOutput, WhatIsWrittenInWhichType) {
    constexpr auto kF32 = GgufWeights::fp32, kF16 = GgufWeights::fp16, kQ8 = GgufWeights::q8_0;
    EXPECT_EQ(gguf_weights_of("blk.0.ffn_up.weight", {10, 64}, kQ8), kQ8);
    EXPECT_EQ(gguf_weights_of("blk.0.ffn_up.weight", {64, 10}, kQ8), kF16) << "rows that are no blocks";
    EXPECT_EQ(gguf_weights_of("blk.0.ffn_up.weight", {64, 10}, GgufWeights::bf16), GgufWeights::bf16);
    EXPECT_EQ(gguf_weights_of("blk.0.ffn_up.bias", {64}, kF16), kF32);
    EXPECT_EQ(gguf_weights_of("blk.0.attn_norm.weight", {64}, kF16), kF32);
    EXPECT_EQ(gguf_weights_of("position_embd.weight", {32, 64}, kF16), kF32);
    EXPECT_EQ(gguf_size(kQ8, 64), 68U);
    EXPECT_EQ(gguf_type_label(GgufWeights::bf16), "BF16");
}

TEST(GgufOutput, HalvesAreRoundedToTheNearest) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = float_of_half(half);
        if (std::isnan(value)) {
            EXPECT_TRUE(std::isnan(float_of_half(half_of_float(value))));
            continue;
        }
        ASSERT_EQ(half_of_float(value), half) << bits;
        if (std::isinf(value) || (bits & 0x7fffu) == 0x7bffu) continue;
        // Half-way to the next one: the even of both.
        const float next = float_of_half(static_cast<std::uint16_t>(half + 1));
        const float middle = value + (next - value) / 2;
        ASSERT_EQ(half_of_float(middle), (bits & 1u) != 0 ? half + 1 : half) << bits;
        ASSERT_EQ(half_of_float(std::nextafter(middle, value)), half) << bits;
        ASSERT_EQ(half_of_float(std::nextafter(middle, next)), half + 1) << bits;
    }
    EXPECT_EQ(half_of_float(65519.99f), 0x7bff);
    EXPECT_EQ(half_of_float(65520.0f), 0x7c00);
    EXPECT_EQ(half_of_float(1e10f), 0x7c00);
}

TEST(GgufOutput, ValuesThatATypeCannotHold) {
    std::string bytes;
    std::vector<float> values(32, 1.0f);
    for (const auto weights : {GgufWeights::fp32, GgufWeights::fp16, GgufWeights::bf16, GgufWeights::q8_0})
        EXPECT_TRUE(append_gguf_values(weights, values, bytes));
    values[3] = 1e9f;
    EXPECT_TRUE(append_gguf_values(GgufWeights::bf16, values, bytes));
    EXPECT_FALSE(append_gguf_values(GgufWeights::fp16, values, bytes));
    EXPECT_FALSE(append_gguf_values(GgufWeights::q8_0, values, bytes)) << "the scale is a half";
    values[3] = std::numeric_limits<float>::max();
    EXPECT_FALSE(append_gguf_values(GgufWeights::bf16, values, bytes)) << "it is rounded up";
    for (const float wrong : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        values[3] = wrong;
        for (const auto weights : {GgufWeights::fp32, GgufWeights::fp16, GgufWeights::bf16, GgufWeights::q8_0})
            EXPECT_FALSE(append_gguf_values(weights, values, bytes));
    }
}

// --- Tokenizers.
Json tokenizer(Json model, Json normalizer, Json pre_tokenizer) {
    model["type"] = "BPE";
    return {{"added_tokens", {{{"id", 9}, {"content", "<end>"}, {"special", true}}}},
            {"normalizer", std::move(normalizer)},
            {"pre_tokenizer", std::move(pre_tokenizer)},
            {"model", std::move(model)}};
}
Json letters() { return {{"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {"aba", 3}}}, {"merges", {"a b", {"ab", "a"}}}}; }
GgufTokenizer written(const Json& json) { return gguf_tokenizer(json.dump(), {8, 4, 4, false}); }

std::string file_of(const GgufMetadata& metadata) {
    std::vector<GgufTensorEntry> none;
    return gguf_head(metadata, none);
}

TEST(GgufTokenizerOutput, NamesThePipeline) {
    const Json bytes{{"type", "ByteLevel"}, {"add_prefix_space", false}};
    const Json digits{{"type", "Digits"}, {"individual_digits", true}};
    EXPECT_EQ(written(tokenizer(letters(), nullptr, bytes)).name, "gpt2, gpt-2");
    EXPECT_EQ(written(tokenizer(letters(), {{"type", "NFC"}}, bytes)).name, "gpt2, mpt");
    EXPECT_EQ(written(tokenizer(letters(), nullptr, {{"type", "Sequence"}, {"pretokenizers", {digits, bytes}}})).name,
              "gpt2, smollm");
    const Json prefixed{{"type", "ByteLevel"}, {"add_prefix_space", true}};
    for (const auto& json : {tokenizer(letters(), nullptr, prefixed), tokenizer(letters(), {{"type", "NFD"}}, bytes)}) {
        const auto refused = written(json);
        EXPECT_THAT(refused.reason, HasSubstr("no name for its normalizer and pre-tokenizer"));
        EXPECT_EQ(refused.metadata.entries().size(), 1U) << "tokenizer.ggml.model: no_vocab";
    }
    auto unigram = tokenizer(letters(), nullptr, bytes);
    unigram["model"]["type"] = "Unigram";
    EXPECT_THAT(written(unigram).reason, HasSubstr("Unigram"));
    EXPECT_THROW((void)gguf_tokenizer("{", {8, 4, 4, false}), CheckpointError);
}

TEST(GgufTokenizerOutput, EachRowHasAToken) {
    const auto made = written(tokenizer(letters(), nullptr, {{"type", "ByteLevel"}, {"add_prefix_space", false}}));
    const auto bytes = file_of(made.metadata);
    const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "a.gguf");
    EXPECT_THAT(file.array("tokenizer.ggml.tokens")->texts(""),
                ElementsAre("a", "b", "ab", "aba", "<end>", "[PAD5]", "[PAD6]", "[PAD7]"));
    EXPECT_THAT(file.array("tokenizer.ggml.token_type")->integers(""), ElementsAre(1, 1, 1, 1, 3, 5, 5, 5));
    EXPECT_THAT(file.array("tokenizer.ggml.merges")->texts(""), ElementsAre("a b", "ab a"));
    EXPECT_EQ(file.integer("tokenizer.ggml.eos_token_id"), 4);
    EXPECT_EQ(file.flag("tokenizer.ggml.add_bos_token"), false);
}

// Pieces of SentencePiece: all bytes, and some words.
Json pieces(std::vector<std::string> merges) {
    Json vocab = Json::object();
    int next = 0;
    for (const char* text : {"<unk>", "a", "b", "ab", "aba", "ba"}) vocab[text] = next++;
    for (int byte = 0; byte < 256; ++byte) vocab[fmt::format("<0x{:02X}>", byte)] = 6 + byte;
    return {{"vocab", vocab}, {"merges", std::move(merges)}, {"byte_fallback", true}, {"unk_token", "<unk>"}};
}

TEST(GgufTokenizerOutput, PiecesHaveScores) {
    const Json spaces{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
    const GgufTokenizerIds ids{263, 262, 262, false};
    const auto make = [&](std::vector<std::string> merges) {
        return gguf_tokenizer(tokenizer(pieces(std::move(merges)), spaces, nullptr).dump(), ids);
    };
    const auto made = make({"a b", "b a", "ab a", "a ba"});
    ASSERT_EQ(made.name, "llama") << made.reason;
    const auto bytes = file_of(made.metadata);
    const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "a.gguf");
    const auto scores = file.array("tokenizer.ggml.scores")->reals("");
    EXPECT_GT(scores[3], scores[5]);
    EXPECT_GT(scores[5], scores[4]);
    EXPECT_EQ(file.array("tokenizer.ggml.token_type")->integers("")[0], 2);
    EXPECT_EQ(file.array("tokenizer.ggml.token_type")->integers("")[6], 6);
    EXPECT_EQ(file.flag("tokenizer.ggml.add_space_prefix"), false);
    EXPECT_THAT(make({"a b", "b a", "ab a"}).reason, HasSubstr("scores")) << "a + ba makes aba too";
    EXPECT_THAT(make({"a b", "ab a", "b a", "a ba"}).reason, HasSubstr("scores")) << "aba is made at two ranks";
}

}  // namespace
}  // namespace longbow
