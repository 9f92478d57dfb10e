// Tests the reader of GGUF: its elements beside those of PyPI's gguf, models by hand, and files that must be refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "builder.h"
#include "foreign/gguf_file.h"
#include "foreign/gguf_types.h"
#include "longbow/core/files.h"
#include "longbow/foreign/foreign_model.h"

namespace longbow {
namespace {

using namespace test;
using testing::HasSubstr;

TEST(GgufTypes, ElementsOfEachTypeAreThoseOfTheReference) {
    const auto golden = open_safetensors(std::string(LONGBOW_TEST_DATA) + "/golden/gguf/blocks.safetensors");
    int types = 0;
    for (std::uint32_t number = 0; number < 64; ++number) {
        const auto* type = gguf_type(number);
        if (type == nullptr || type->dequantize == nullptr) continue;
        ++types;
        const auto& given = golden.at(std::string(type->name) + ".blocks");
        const auto blocks = given.read(), values = golden.at(std::string(type->name) + ".values").read();
        ASSERT_EQ(given.shape[1], type->bytes) << type->name;
        ASSERT_EQ(values.bytes.size(), static_cast<std::size_t>(given.shape[0] * type->elements) * sizeof(float))
            << type->name;
        for (std::int64_t block = 0; block < given.shape[0]; ++block) {
            std::vector<float> ours(static_cast<std::size_t>(type->elements));
            type->dequantize(reinterpret_cast<const std::uint8_t*>(blocks.bytes.data()) + block * type->bytes,
                             ours.data());
            EXPECT_EQ(
                std::memcmp(ours.data(),
                            values.bytes.data() + static_cast<std::size_t>(block * type->elements) * sizeof(float),
                            ours.size() * sizeof(float)),
                0)
                << type->name << " block " << block;
        }
    }
    EXPECT_EQ(types, 11);
}

// --- Files by hand.
std::string string(const std::string& value) { return little(value.size(), 8) + value; }
std::string real(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return little(bits, 4);
}

struct TinyGguf {
    std::vector<std::pair<std::string, std::string>> keys;  // with type and value
    struct Tensor {
        std::string name;
        std::vector<std::uint64_t> sizes;  // the fastest first
        std::uint32_t type = 0;
        std::string data;
    };
    std::vector<Tensor> tensors;
    std::uint32_t version = 3;

    void text(const std::string& key, const std::string& value) {
        keys.emplace_back(key, little(8, 4) + string(value));
    }
    void count(const std::string& key, std::uint32_t value) { keys.emplace_back(key, little(4, 4) + little(value, 4)); }
    void number(const std::string& key, float value) { keys.emplace_back(key, little(6, 4) + real(value)); }
    void tensor(const std::string& name, const std::vector<std::uint64_t>& sizes) {
        std::uint64_t elements = 1;
        for (const auto size : sizes) elements *= size;
        std::string data;
        for (std::uint64_t i = 0; i < elements; ++i) data += real(static_cast<float>(i) + 0.5f);
        tensors.push_back({name, sizes, 0, data});
    }
    [[nodiscard]] std::string bytes() const {
        std::string file = "GGUF" + little(version, 4) + little(tensors.size(), 8) + little(keys.size(), 8), data;
        for (const auto& [key, value] : keys) file += string(key) + value;
        for (const auto& tensor : tensors) {
            file += string(tensor.name) + little(tensor.sizes.size(), 4);
            for (const auto size : tensor.sizes) file += little(size, 8);
            file += little(tensor.type, 4) + little(data.size(), 8);
            data += tensor.data;
            data.resize((data.size() + 31) / 32 * 32);
        }
        file.resize((file.size() + 31) / 32 * 32);
        return file + data;
    }
};

// Two layers of width 8 with 2 heads, one of keys.
TinyGguf tiny_llama() {
    TinyGguf file;
    file.text("general.architecture", "llama");
    file.text("general.name", "tiny");
    for (const auto& [key, value] : {std::pair{"block_count", 2},
                                     {"embedding_length", 8},
                                     {"attention.head_count", 2},
                                     {"attention.head_count_kv", 1},
                                     {"feed_forward_length", 12},
                                     {"context_length", 64},
                                     {"rope.dimension_count", 4}})
        file.count(std::string("llama.") + key, static_cast<std::uint32_t>(value));
    file.number("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    file.number("llama.rope.freq_base", 100000.0f);
    file.tensor("token_embd.weight", {8, 10});
    for (const std::string layer : {"blk.0.", "blk.1."}) {
        file.tensor(layer + "attn_norm.weight", {8});
        file.tensor(layer + "attn_q.weight", {8, 8});
        file.tensor(layer + "attn_k.weight", {8, 4});
        file.tensor(layer + "attn_v.weight", {8, 4});
        file.tensor(layer + "attn_output.weight", {8, 8});
        file.tensor(layer + "ffn_norm.weight", {8});
        file.tensor(layer + "ffn_up.weight", {8, 12});
        file.tensor(layer + "ffn_gate.weight", {8, 12});
        file.tensor(layer + "ffn_down.weight", {12, 8});
    }
    file.tensor("output_norm.weight", {8});
    return file;
}

class Gguf : public testing::Test {
protected:
    void TearDown() override { fs::remove(path_); }
    ForeignModel read(const TinyGguf& file) {
        write_file_atomic(path_, file.bytes());
        return read_gguf_model({.path = path_, .rounded = false, .train_length = std::nullopt});
    }
    std::string error(const TinyGguf& file) {
        return error_of([&] { (void)read(file); });
    }
    fs::path path_ = fs::temp_directory_path() / ("longbow-" + std::to_string(::getpid()) + ".gguf");
};

TEST_F(Gguf, ALlama) {
    const auto model = read(tiny_llama());
    const auto& m = model.config.model;
    EXPECT_EQ(std::tuple(m.layers, m.dim, m.heads, m.kv_heads, m.ffn_dim, m.tie_output, m.norm_eps),
              std::tuple(2, 8, 2, 1, 12, true, 1e-5));
    EXPECT_EQ(std::get<std::string>(model.config.position.options.at("pairs")), "interleaved");
    EXPECT_EQ(std::get<double>(model.config.position.options.at("base")), 100000.0);
    EXPECT_EQ(std::tuple(model.vocab_size, model.config.train.length, model.tensors.size()), std::tuple(10, 64, 20u));
    EXPECT_EQ(model.tensors.front().shape, (std::vector<std::int64_t>{10, 8}));
}

TEST_F(Gguf, WhatIsRefused) {
    auto file = tiny_llama();
    file.count("llama.expert_count", 8);
    EXPECT_THAT(error(file), HasSubstr("mixture of experts"));
    file = tiny_llama();
    file.count("llama.something_new", 1);
    EXPECT_THAT(error(file), HasSubstr("key something_new (= 1) is not known"));
    file = tiny_llama();
    file.keys[0].second = little(8, 4) + string("mamba");
    EXPECT_THAT(error(file), HasSubstr("general.architecture"));
    file = tiny_llama();
    file.tensor("blk.2.attn_norm.weight", {8});
    EXPECT_THAT(error(file), HasSubstr("has no place"));
    file = tiny_llama();
    file.tensors.pop_back();
    EXPECT_THAT(error(file), HasSubstr("has no tensor output_norm.weight"));
    file = tiny_llama();
    std::swap(file.tensors[8].sizes[0], file.tensors[8].sizes[1]);
    EXPECT_THAT(error(file), HasSubstr("transposed"));
    file = tiny_llama();
    file.tensors[3].name = file.tensors[2].name;
    EXPECT_THAT(error(file), HasSubstr("twice"));
    file = tiny_llama();
    file.tensor("rope_freqs.weight", {2});
    EXPECT_THAT(error(file), HasSubstr("rope_freqs.weight"));
    file = tiny_llama();
    file.version = 1;
    EXPECT_THAT(error(file), HasSubstr("version 1"));
    file.version = 3u << 24;
    EXPECT_THAT(error(file), HasSubstr("big-endian"));
    file = tiny_llama();
    file.tensors[1].type = 16;
    EXPECT_THAT(error(file), HasSubstr("IQ2_XXS, which is not read"));
    file.tensors[1].type = 2;
    EXPECT_THAT(error(file), HasSubstr("no blocks of Q4_0"));
}

TEST_F(Gguf, SizesThatTheFileDoesNotHave) {
    const auto whole = tiny_llama().bytes();
    const auto parse = [&](std::string bytes) {
        return error_of([&] { (void)GgufFile::parse(bytes_of(bytes), "a.gguf"); });
    };
    EXPECT_EQ(parse(whole), "accepted");
    for (std::size_t size = 0; size < whole.size(); size += 13) EXPECT_NE(parse(whole.substr(0, size)), "accepted");
    auto many = whole;
    many.replace(8, 8, little(~std::uint64_t{0}, 8));
    EXPECT_THAT(parse(many), HasSubstr("more tensors or keys"));
    auto longer = whole;
    longer.replace(24, 8, little(std::uint64_t{1} << 60, 8));
    EXPECT_THAT(parse(longer), HasSubstr("a key is too long"));
    TinyGguf array;
    array.keys.emplace_back("tokens", little(9, 4) + little(8, 4) + little(std::uint64_t{1} << 61, 8));
    EXPECT_THAT(parse(array.bytes()), HasSubstr("more texts than the file can have"));
    array.keys.front().second = little(9, 4) + little(9, 4) + little(1, 8);
    EXPECT_THAT(parse(array.bytes()), HasSubstr("array of arrays"));
    TinyGguf huge;
    huge.tensor("a", {4});
    huge.tensors[0].sizes = {std::uint64_t{1} << 33, std::uint64_t{1} << 33};
    EXPECT_THAT(parse(huge.bytes()), HasSubstr("impossible size"));
    huge.tensors[0].sizes = {1024};
    EXPECT_THAT(parse(huge.bytes()), HasSubstr("beyond the end"));
}

}  // namespace
}  // namespace longbow
