// Tests generation: the cache gives the logits of the full forward pass, sampling follows its options, and text is
// emitted in whole characters.
#include "longbow/generate/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "generate/sampler.h"
#include "generate/text_stream.h"
#include "longbow/core/error.h"
#include "longbow/model/output_head.h"
#include "longbow/text/reader.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

// A tokenizer whose ids 0 .. 9 are the bytes of a Euro sign, an umlaut and some letters; the rest are letters too, and
// 36 is the boundary.
class ByteTokenizer : public Tokenizer {
public:
    std::string kind() const override { return "test"; }
    std::int64_t vocab_size() const override { return test::kVocab; }
    TokenId boundary() const override { return 36; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override {
        for (const char c : text) {
            for (TokenId id = 0; id < 36; ++id) {
                if (bytes(id) == std::string(1, c)) {
                    ids.push_back(id);
                    break;
                }
            }
        }
    }
    std::string decode(const std::vector<TokenId>& ids) const override {
        std::string text;
        for (const auto id : ids) text += bytes(id);
        return text;
    }
    std::string token_text(TokenId id) const override { return bytes(id); }
    std::size_t safe_split(std::string_view text) const override { return text.size(); }
    std::map<std::string, std::string> files() const override { return {}; }

private:
    static std::string bytes(TokenId id) {
        static const std::string start = "\xe2\x82\xac\xc3\xa4";
        if (id < start.size()) return std::string(1, start[id]);
        return id == 36 ? "<end>" : std::string(1, static_cast<char>('a' + (id - start.size()) % 26));
    }
};

class CachedLogits : public testing::TestWithParam<std::string> {};

TEST_P(CachedLogits, EqualThoseOfTheFullForward) {
    for (const auto& [dtype, tolerance] : {std::pair<std::string, double>{"fp64", 1e-10}, {"fp32", 2e-5}}) {
        const auto model = test::tiny_model(test::tiny_config(GetParam(), dtype));
        const torch::NoGradGuard no_grad;
        const std::int64_t length = 50;  // the training length is 16
        const auto tokens = test::random_tokens(1, length);
        const auto full = model->head().logits(model->hidden(tokens).flatten(0, 1));
        KvCache cache;
        std::vector<at::Tensor> pieces;
        // A prompt, single tokens, and a few tokens at once.
        for (std::int64_t begin = 0; begin < length;) {
            const std::int64_t count = begin == 0 ? 7 : begin == 20 ? 5 : 1;
            pieces.push_back(
                model->head().logits(model->hidden(tokens.slice(1, begin, begin + count), &cache).flatten(0, 1)));
            begin += count;
        }
        EXPECT_EQ(cache.length, length);
        EXPECT_LT(test::largest_difference(torch::cat(pieces), full), tolerance) << dtype;
    }
}

INSTANTIATE_TEST_SUITE_P(Methods, CachedLogits, testing::ValuesIn(test::every_method()));

// A method that depends on the length is told the whole generation's in each pass, so that all keys in the cache agree.
TEST(Cache, HoldsTheLengthOfTheGeneration) {
    struct Case {
        std::string what;
        PositionConfig position;
    };
    std::vector<Case> cases(5);
    const auto named = [](const char* name) { return std::string(name); };
    for (const char* range : {"rerope", "leaky_rerope", "self_extend"}) {
        const OptionMap options = {{"range", named(range)}, {"range_window", std::int64_t{6}}};
        cases.push_back({range, {"rotary", 0, {}, options}});
    }
    for (const char* range : {"lm_infinite", "streaming"})
        cases.push_back({range, {"rotary", 6, {}, {{"range", named(range)}, {"sinks", std::int64_t{2}}}}});
    for (const char* temperature : {"log_n", "ssmax", "head_scale", "llama4"}) {
        const OptionMap options = {{"temperature", named(temperature)}, {"sink_logit", true}};
        cases.push_back({temperature, {"alibi", 0, {}, options}});
    }
    cases.push_back({"sinks", {"kerple", 5, {}, {{"sinks", std::int64_t{3}}}}});
    cases.push_back({"gates and sink", {"fox", 9, {}, {{"sinks", std::int64_t{1}}, {"sink_logit", true}}}});
    for (const char* method : {"alibi", "kerple", "rotary", "sinusoidal"})
        cases.push_back({named("drawn ") + method, {method, 0, {}, {{"draw", named("integers")}}}});
    cases.push_back({"drawn floats", {"rotary", 0, {}, {{"draw", named("floats")}}}});
    cases.push_back({"interpolated", {"alibi", 0, {}, {{"interpolate", true}}}});
    cases[0].what = "dynamic";
    cases[0].position = {"rotary", 0, {}, {{"scaling", std::string("dynamic")}, {"factor", 2.0}}};
    cases[1].what = "halves";
    cases[1].position = {"rotary", 0, {}, {{"pairs", std::string("halves")}, {"dim", std::int64_t{6}}}};
    cases[2].what = "layers";
    cases[2].position.layers = {{"rotary", 0, {{"scaling", std::string("dynamic")}}}, {"alibi", 0, {}}};
    cases[3].what = "windows";
    cases[3].position.layers = {{"rotary", 5, {}}, {"none", 0, {}}};
    cases[4].what = "rounded";
    cases[4].position = {"alibi", 0, {}, {{"rounding", std::string("falcon")}}};
    for (const auto& [what, position] : cases) {
        auto config = test::tiny_config();
        config.position = position;
        config.attention.backend = "reference";  // serves everything
        const auto model = test::tiny_model(config);
        model->eval();  // in training, positions are drawn anew for each pass
        const torch::NoGradGuard no_grad;
        const auto tokens = test::random_tokens(1, 40);
        const auto logits = [&](const at::Tensor& some, KvCache& cache) {
            return model->head().logits(model->hidden(some, &cache).flatten(0, 1));
        };
        KvCache whole, steps;
        whole.evaluated_length = steps.evaluated_length = 50;
        const auto full = logits(tokens, whole);
        std::vector<at::Tensor> pieces;
        for (std::int64_t begin = 0; begin < 40;) {
            const std::int64_t count = begin == 0 ? 11 : 1;  // the training length is 16
            pieces.push_back(logits(tokens.slice(1, begin, begin + count), steps));
            begin += count;
        }
        EXPECT_LT(test::largest_difference(torch::cat(pieces), full), 1e-10) << what;
        KvCache unknown;
        if (model->position().depends_on_length()) {
            EXPECT_THROW(logits(tokens, unknown), Error);
            EXPECT_GT(test::largest_difference(model->head().logits(model->hidden(tokens).flatten(0, 1)), full), 1e-6);
        }
    }
}

TEST(Cache, RefusesGradients) {
    const auto model = test::tiny_model(test::tiny_config());
    KvCache cache;
    EXPECT_THROW(model->hidden(test::random_tokens(1, 3), &cache), Error);
}

GenerateRequest request_of(const std::string& prompt, double temperature) {
    GenerateRequest request;
    request.prompt = prompt;
    request.max_new_tokens = 40;
    request.temperature = temperature;
    request.stop_at_boundary = false;
    return request;
}

TEST(Generate, GreedyIsTheBestTokenOfTheFullForward) {
    const auto model = test::tiny_model(test::tiny_config());
    const ByteTokenizer tokenizer;
    std::vector<TokenId> ids = {36};
    tokenizer.encode("cab", ids);
    auto request = request_of("cab", 0.0);
    request.max_new_tokens = 12;
    std::vector<TokenId> made;
    for (int i = 0; i < 12; ++i) {
        const torch::NoGradGuard no_grad;
        const auto tokens = torch::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), torch::kLong).unsqueeze(0);
        made.push_back(static_cast<TokenId>(
            model->head().logits(model->hidden(tokens).select(1, -1)).argmax().item<std::int64_t>()));
        ids.push_back(made.back());
    }
    EXPECT_EQ(generate(*model, tokenizer, request), valid_utf8(tokenizer.decode(made)));
}

TEST(Generate, TellsTheWholeLengthFromTheStart) {
    auto config = test::tiny_config("rotary");
    config.position.options = {{"scaling", std::string("dynamic")}, {"factor", 2.0}};
    const auto model = test::tiny_model(config);
    const ByteTokenizer tokenizer;
    auto request = request_of("cab", 0.0);
    request.max_new_tokens = 30;
    std::vector<TokenId> ids = {36}, made;
    tokenizer.encode("cab", ids);
    for (int i = 0; i < 30; ++i) {
        const torch::NoGradGuard no_grad;
        const auto tokens = torch::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), torch::kLong).unsqueeze(0);
        KvCache cache;
        cache.evaluated_length = 4 + 30;
        made.push_back(static_cast<TokenId>(
            model->head().logits(model->hidden(tokens, &cache).select(1, -1)).argmax().item<std::int64_t>()));
        ids.push_back(made.back());
    }
    EXPECT_EQ(generate(*model, tokenizer, request), valid_utf8(tokenizer.decode(made)));
}

TEST(Generate, SeededAndEmittedInWholeCharacters) {
    const auto model = test::tiny_model(test::tiny_config("rotary", "fp32"));
    const ByteTokenizer tokenizer;
    std::string pieces;
    auto request = request_of("abc", 2.0);
    const auto emit = [&](const std::string& piece) {
        EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
        pieces += piece;
    };
    const auto text = generate(*model, tokenizer, request, emit);
    EXPECT_EQ(text, pieces);
    EXPECT_EQ(generate(*model, tokenizer, request), text);
    request.seed = 2;
    EXPECT_NE(generate(*model, tokenizer, request), text);
}

TEST(Generate, LearnedPositionsStopAtTheirEndAndRefuseALongPrompt) {
    const auto model = test::tiny_model(test::tiny_config("learned"));
    const ByteTokenizer tokenizer;
    auto request = request_of("abc", 0.0);
    request.max_new_tokens = 1000;
    std::vector<TokenId> ids;
    // 64 positions are the boundary, three letters, and 60 tokens that are fed back; the last prediction is not fed
    // back.
    std::size_t made = 0;
    generate(*model, tokenizer, request, [&](const std::string& piece) { made += piece.size(); });
    EXPECT_GT(made, 0U);
    EXPECT_LE(made, 3 * 61U);
    request.prompt = std::string(64, 'a');
    EXPECT_THROW(generate(*model, tokenizer, request), UsageError);
}

TEST(Generate, BadRequestsAreUsageErrors) {
    const auto model = test::tiny_model(test::tiny_config());
    const ByteTokenizer tokenizer;
    for (const auto& change : std::vector<std::function<void(GenerateRequest&)>>{
             [](GenerateRequest& r) { r.temperature = -1; }, [](GenerateRequest& r) { r.temperature = std::nan(""); },
             [](GenerateRequest& r) { r.top_k = -1; }, [](GenerateRequest& r) { r.top_p = 0; },
             [](GenerateRequest& r) { r.top_p = 1.5; }, [](GenerateRequest& r) { r.max_new_tokens = -1; },
             [](GenerateRequest& r) { r.prompt = "\xff"; }, [](GenerateRequest& r) { r.temperature = INFINITY; },
             [](GenerateRequest& r) { r.top_p = std::nan(""); },
             [](GenerateRequest& r) { r.prompt = std::string("\xff\xfe\0a", 4); }}) {
        auto request = request_of("a", 1.0);
        change(request);
        EXPECT_THROW(check_request(request), UsageError);
        EXPECT_THROW(generate(*model, tokenizer, request), UsageError);
    }
}

TEST(Generate, AByteOrderMarkIsNoPartOfThePrompt) {
    const auto model = test::tiny_model(test::tiny_config());
    const ByteTokenizer tokenizer;  // it knows the bytes of the mark, so they would become tokens
    EXPECT_EQ(generate(*model, tokenizer,
                       request_of("\xef\xbb\xbf"
                                  "cab",
                                  0.0)),
              generate(*model, tokenizer, request_of("cab", 0.0)));
}

TEST(Generate, ScoresThatAreNoNumbersAreAnError) {
    const auto model = test::tiny_model(test::tiny_config());
    const torch::NoGradGuard no_grad;
    for (auto& parameter : model->parameters()) parameter.fill_(NAN);
    EXPECT_THROW(generate(*model, ByteTokenizer(), request_of("cab", 0.0)), Error);
}

std::vector<int> counts_of(const SamplerOptions& options, const std::vector<float>& logits, int draws) {
    Sampler sampler(options);
    std::vector<int> counts(logits.size());
    for (int i = 0; i < draws; ++i) ++counts[static_cast<std::size_t>(sampler.next(logits))];
    return counts;
}

TEST(Sampler, DrawsTheDistributionAtItsTemperature) {
    const std::vector<float> logits = {std::log(0.1F), std::log(0.6F), std::log(0.3F)};
    const auto plain = counts_of({1.0, 0, 1.0, 1}, logits, 20000);
    EXPECT_NEAR(plain[0] / 20000.0, 0.1, 0.02);
    EXPECT_NEAR(plain[1] / 20000.0, 0.6, 0.02);
    const auto cold = counts_of({0.5, 0, 1.0, 1}, logits, 20000);  // the squares 1, 36 and 9, of 46
    EXPECT_NEAR(cold[1] / 20000.0, 36.0 / 46, 0.02);
    EXPECT_THAT(counts_of({0.0, 0, 1.0, 1}, logits, 10), testing::ElementsAre(0, 10, 0));
}

TEST(Sampler, TopKAndTopPCutTheTail) {
    const std::vector<float> logits = {std::log(0.1F), std::log(0.5F), std::log(0.15F), std::log(0.25F)};
    EXPECT_THAT(counts_of({1.0, 1, 1.0, 1}, logits, 100), testing::ElementsAre(0, 100, 0, 0));
    const auto two = counts_of({1.0, 2, 1.0, 1}, logits, 20000);
    EXPECT_EQ(two[0] + two[2], 0);
    EXPECT_NEAR(two[1] / 20000.0, 2.0 / 3, 0.02);
    EXPECT_EQ(counts_of({1.0, 0, 0.49, 1}, logits, 100)[1], 100);  // the best token alone suffices
    const auto nucleus = counts_of({1.0, 0, 0.7, 1}, logits, 1000);
    EXPECT_EQ(nucleus[0] + nucleus[2], 0);
    EXPECT_GT(nucleus[3], 0);
}

TEST(TextStream, WaitsForWholeCharacters) {
    const ByteTokenizer tokenizer;
    TextStream stream(tokenizer, {5});
    EXPECT_EQ(stream.add(0), "");
    EXPECT_EQ(stream.add(1), "");
    EXPECT_EQ(stream.add(2), "\xe2\x82\xac");
    EXPECT_EQ(stream.add(6), "b");
    EXPECT_EQ(stream.add(3), "");
    EXPECT_EQ(stream.add(6),
              "\xef\xbf\xbd"
              "b");  // the rest of the character never came
    EXPECT_EQ(stream.add(3), "");
    EXPECT_EQ(stream.finish(), "\xef\xbf\xbd");
}

}  // namespace
}  // namespace longbow
