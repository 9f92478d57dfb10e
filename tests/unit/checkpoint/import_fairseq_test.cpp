// Imports checkpoints of the authors' code (the golden files) and compares the weights and the log-probabilities that
// they computed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/import.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/foreign/torch_file.h"

namespace longbow {
namespace {

using testing::HasSubstr;

fs::path golden(const std::string& method) { return fs::path(LONGBOW_TEST_DATA) / "golden" / (method + "_adaptive"); }

class FairseqImport : public testing::Test {
protected:
    fs::path folder = fs::temp_directory_path() / ("longbow-import-" + std::to_string(::getpid()));
    void SetUp() override { fs::create_directories(folder); }
    void TearDown() override { fs::remove_all(folder); }

    fs::path import(const std::string& method, const std::string& file = "checkpoint.pt",
                    const fs::path& dictionary = {}) {
        const auto out = folder / (method + "-" + file);
        const auto report = import_fairseq(
            {golden(method) / file, dictionary.empty() ? golden(method) / "dict.txt" : dictionary, method, out});
        return report.checkpoint;
    }
    template <class E, class F>
    static std::string error_of(F&& action) {
        try {
            action();
        } catch (const E& error) {
            return error.what();
        }
        return "no error";
    }
};

// Returns the negative log-likelihoods of a stream in windows of `length` tokens that score length - context targets
// each.
at::Tensor stream_nll(LanguageModel& model, const at::Tensor& targets, std::int64_t length, std::int64_t context) {
    const torch::NoGradGuard no_grad;
    const auto count = targets.size(0), stride = length - context;
    const auto inputs = torch::cat({torch::full({1}, 2, torch::kLong), targets.slice(0, 0, count - 1)});
    auto nll = torch::empty({count});
    for (std::int64_t begin = 0; begin < count; begin += stride) {
        const auto end = std::min(begin + stride, count),
                   first = std::max<std::int64_t>({0, begin - context, end - length});
        const auto hidden = model.hidden(inputs.slice(0, first, end).unsqueeze(0))[0].slice(0, begin - first);
        nll.slice(0, begin, end).copy_(model.head().nll(hidden, targets.slice(0, begin, end)));
    }
    return nll;
}

TEST_F(FairseqImport, GoldenLogProbabilitiesAndPerplexities) {
    at::set_num_threads(1);  // the windows are thousands, and tiny
    for (const std::string method : {"alibi", "sinusoidal", "rotary", "t5"}) {
        auto loaded = load_checkpoint(import(method));
        const auto expected = read_safetensors(golden(method) / "expected.safetensors").tensors;
        const auto results = Json::parse(read_file(golden(method) / "results.json"));
        ASSERT_EQ(results.size(), 5u);
        for (const auto& row : results) {
            const std::int64_t length = row["L"], context = row["context_window"];
            const auto nll = stream_nll(*loaded.model, expected.at("tokens"), length, context);
            const auto theirs = expected.at("logprobs_L" + std::to_string(length) + "_ctx" + std::to_string(context));
            EXPECT_LT((nll + theirs).abs().max().item<double>(), 2e-5) << method << " " << length << " " << context;
            const double ppl = std::exp(nll.to(torch::kDouble).mean().item<double>()), theirs_ppl = row["ppl_f64"];
            EXPECT_LT(std::abs(ppl / theirs_ppl - 1), 1e-6) << method << " " << length << " " << context;
        }
    }
}

TEST_F(FairseqImport, EveryLayoutOfTheFileGivesTheSameWeights) {
    const auto reference = read_safetensors(import("alibi") / "model.safetensors").tensors;
    for (const char* file : {"checkpoint_legacy.pt", "checkpoint_oldstyle.pt"}) {
        const auto checkpoint = import("alibi", file);
        EXPECT_EQ(read_file(checkpoint / "model.safetensors"),
                  read_file(folder / "alibi-checkpoint.pt/checkpoints/last/model.safetensors"))
            << file;
    }
    const auto rounded = read_safetensors(import("alibi", "checkpoint_fp16.pt") / "model.safetensors").tensors;
    ASSERT_EQ(rounded.size(), reference.size());
    for (const auto& [name, tensor] : reference) {
        EXPECT_TRUE(rounded.at(name).equal(tensor.to(torch::kHalf).to(torch::kFloat))) << name;
    }
}

TEST_F(FairseqImport, SavedAndLoadedAgainItGivesTheSameBits) {
    at::set_num_threads(1);
    const auto targets = read_safetensors(golden("t5") / "expected.safetensors").tensors.at("tokens").clone();
    auto imported = load_checkpoint(import("t5"));
    const auto before = stream_nll(*imported.model, targets, 48, 16);
    save_checkpoint(folder / "again", *imported.model, nullptr, imported.state, imported.config, *imported.tokenizer,
                    "");
    auto again = load_checkpoint(resolve_checkpoint((folder / "again").string()));
    EXPECT_TRUE(stream_nll(*again.model, targets, 48, 16).equal(before));
    EXPECT_EQ(again.fingerprint, imported.fingerprint);
    EXPECT_EQ(again.tokenizer->fingerprint(), imported.tokenizer->fingerprint());
}

TEST_F(FairseqImport, AnotherDictionaryIsRefused) {
    const auto lines = read_file(golden("alibi") / "dict.txt");
    const auto with = [&](const std::string& text) {
        std::ofstream(folder / "dict.txt") << text;
        return error_of<DataError>([&] { import("alibi", "checkpoint.pt", folder / "dict.txt"); });
    };
    EXPECT_THAT(with(lines.substr(lines.find('\n') + 1)),
                HasSubstr("dict.txt is not this model's dictionary: it has 995 words"));
    EXPECT_THAT(with(lines + "more 1\n"), HasSubstr("the model has 1000"));
    EXPECT_THAT(with("w1 999\nw0 1000\n" + lines.substr(lines.find("w2 "))), HasSubstr("line 2 has a higher count"));
    EXPECT_FALSE(fs::exists(folder / "alibi-checkpoint.pt")) << "nothing is written";
}

TEST_F(FairseqImport, WeightsThatAreNoNumbersAreRefused) {
    auto bytes = read_file(golden("alibi") / "checkpoint_legacy.pt");  // this format has no checksums
    const auto span = std::as_bytes(std::span(bytes));
    const auto file = TorchFile::parse(span, "a.pt");
    const auto& tree = file.tree();
    const auto& bias = tree[tree.find(tree.find(tree.root, "model"), "decoder.layers.1.fc1.bias")];
    const auto storage = file.storage(tree.tensors.at(static_cast<std::size_t>(bias.integer)).storage);
    const float nan = std::nanf("");
    bytes.replace(static_cast<std::size_t>(storage.data() - span.data()), sizeof nan,
                  reinterpret_cast<const char*>(&nan), sizeof nan);
    std::ofstream(folder / "nan.pt", std::ios::binary) << bytes;
    EXPECT_THAT(error_of<CheckpointError>([&] {
                    import_fairseq({folder / "nan.pt", golden("alibi") / "dict.txt", "alibi", folder / "out"});
                }),
                HasSubstr("decoder.layers.1.fc1.bias contains values that are not finite"));
}

TEST_F(FairseqImport, ATakenPlaceIsLeftAlone) {
    std::ofstream(folder / "something") << "x";
    EXPECT_THAT(error_of<UsageError>([&] {
                    import_fairseq({golden("t5") / "checkpoint.pt", golden("t5") / "dict.txt", "t5", folder});
                }),
                HasSubstr("already exists"));
}

}  // namespace
}  // namespace longbow
