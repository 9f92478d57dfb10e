// What a tokenizer.json may be, and what is refused by name. That ids equal those of the library is shown by
// hf_golden_test.cpp and tests/integration/test_hf_tokenizers.py.
#include "text/hf_tokenizer.h"

#include <gmock/gmock.h>

#include "hf_case.h"
#include "longbow/core/random.h"
#include "random_text.h"
#include "scratch.h"
#include "text/bpe_model.h"

namespace longbow {
namespace {

using test::ids_of;
using testing::ElementsAre;
using testing::HasSubstr;

// Bytes, "<|endoftext|>" and some merges.
Json small() {
    Json vocab{{"<|endoftext|>", 0}};
    for (unsigned byte = 0; byte < 256; ++byte) vocab[byte_name(static_cast<unsigned char>(byte))] = byte + 1;
    Json merges = Json::array();
    for (const std::string pair : {"a b", "ab c", "\u0120 a", "\u0120a b", "  "}) {
        if (pair == "  ") continue;
        merges.push_back(pair);
        std::string token = pair;
        token.erase(token.find(' '), 1);
        vocab[token] = vocab.size();
    }
    const Json added{{"id", 0},         {"content", "<|endoftext|>"}, {"single_word", false}, {"lstrip", false},
                     {"rstrip", false}, {"normalized", false},        {"special", true}};
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", Json::array({added})},
            {"normalizer", nullptr},
            {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}},
            {"post_processor", nullptr},
            {"decoder", {{"type", "ByteLevel"}}},
            {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
}

std::string refusal(const Json& json) {
    return data_error([&] { make_hf_tokenizer(json.dump(), "t.json"); });
}

std::string refusal(const char* place, const Json& value) {
    auto json = small();
    json[Json::json_pointer(place)] = value;
    return refusal(json);
}

TEST(HfTokenizer, EncodesAndDecodes) {
    const auto tokenizer = make_hf_tokenizer(small().dump(), "t.json");
    const auto ab = *tokenizer->find_token("ab"), abc = *tokenizer->find_token("abc");
    EXPECT_THAT(ids_of(*tokenizer, "ab abc<|endoftext|>ab"),
                ElementsAre(ab, *tokenizer->find_token("\u0120"), abc, 0, ab));
    EXPECT_THAT(ids_of(*tokenizer, "abc"), ElementsAre(abc));
    EXPECT_EQ(tokenizer->boundary(), 0U);
    EXPECT_EQ(tokenizer->vocab_size(), 261);
    EXPECT_EQ(tokenizer->token_text(abc), "abc");
    Random random(7);
    for (int i = 0; i < 50; ++i) {
        const auto text = random_text(random, 200);
        const auto ids = ids_of(*tokenizer, text);
        EXPECT_EQ(tokenizer->decode(ids), text);
        const auto cut = tokenizer->safe_split(text);
        auto parts = ids_of(*tokenizer, std::string_view(text).substr(0, cut));
        tokenizer->encode(std::string_view(text).substr(cut), parts);
        EXPECT_EQ(parts, ids);
    }
    EXPECT_THAT(data_error([&] { (void)tokenizer->decode({261}); }), HasSubstr("261 is outside the hf vocabulary"));
}

class HfFiles : public Scratch {};

TEST_F(HfFiles, OptionsAreKept) {
    const auto file = write("tokenizer.json", small().dump());
    TokenizerConfig config;
    config.kind = "hf";
    config.file = folder_.string();
    config.options = {{"specials", std::string("text")}, {"boundary", std::string("abc")}};
    const auto tokenizer = open_tokenizer(config);
    EXPECT_EQ(tokenizer->boundary(), *tokenizer->find_token("abc"));
    EXPECT_EQ(ids_of(*tokenizer, "<|endoftext|>").size(), 13U);
    save_tokenizer(*tokenizer, folder_ / "store");
    const auto again = load_tokenizer(folder_ / "store");
    EXPECT_EQ(again->fingerprint(), tokenizer->fingerprint());
    EXPECT_EQ(again->boundary(), tokenizer->boundary());
    config.file = file;
    config.options["boundary"] = std::string("7");
    EXPECT_EQ(open_tokenizer(config)->boundary(), 7U);
    config.options["boundary"] = std::string("none such");
    EXPECT_THAT(data_error([&] { open_tokenizer(config); }),
                HasSubstr("tokenizer.boundary: it has no token \"none such\""));
}

TEST(HfTokenizer, RefusesWhatIsNotKnown) {
    EXPECT_EQ(refusal(small()), "no DataError");
    EXPECT_THAT(refusal("/normalizer", {{"type", "Nmt"}}),
                HasSubstr("t.json: normalizer: the type \"Nmt\" is not known"));
    EXPECT_THAT(refusal("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "FixedLength"}}}}}),
                HasSubstr("pre_tokenizer.pretokenizers[0]: the type \"FixedLength\""));
    EXPECT_THAT(refusal("/pre_tokenizer/extra", 1), HasSubstr("pre_tokenizer: \"extra\" is not known here"));
    EXPECT_THAT(refusal("/post_processor", {{"type", "Mine"}}), HasSubstr("post_processor: the type \"Mine\""));
    EXPECT_THAT(refusal("/decoder", {{"type", "CTC"}}), HasSubstr("decoder: the type \"CTC\""));
    EXPECT_THAT(refusal("/model/type", "Unigram"),
                HasSubstr("model: the type \"Unigram\" is not known here; known is BPE"));
    EXPECT_THAT(refusal("/model/dropout", 0.1), HasSubstr("dropout"));
    EXPECT_THAT(refusal("/model/continuing_subword_prefix", "##"), HasSubstr("continuing_subword_prefix is not known"));
    EXPECT_THAT(refusal("/model/unk_token", "<unk>"), HasSubstr("the vocabulary has no \"<unk>\""));
    EXPECT_THAT(refusal("/version", "2.0"), HasSubstr("the version 2.0"));
    EXPECT_THAT(refusal("/mine", 1), HasSubstr("\"mine\" is not known here"));
    EXPECT_THAT(refusal("/added_tokens/0/lstrip", "no"), HasSubstr("added_tokens[0]: lstrip: true or false"));
    EXPECT_THAT(refusal("/added_tokens/0/normalized", nullptr), HasSubstr("normalized: true or false"));
}

TEST(HfTokenizer, RefusesPatternsThatCannotBeTranslated) {
    const auto of = [](const char* pattern) {
        return refusal(
            "/pre_tokenizer",
            {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
    };
    EXPECT_EQ(of("[^(\\s|[a-c&&[^b]])]+"), "no DataError");
    for (const auto* pattern : {"(", "[a", "a**", "(?i:straße)", "(?i:ss)", "\\b", "(a)\\1", "[[:alpha:]]", "\\p{Han}",
                                "(?<n>a)", "a{2}?", "\\x{110000}", "*", "(?m)a", "[b-a]"})
        EXPECT_THAT(of(pattern), HasSubstr("pre_tokenizer: pattern: the regular expression")) << pattern;
}

TEST(HfTokenizer, RefusesDamage) {
    const auto damaged = [](const std::string& text) { return data_error([&] { make_hf_tokenizer(text, "t.json"); }); };
    EXPECT_THAT(damaged(""), HasSubstr("t.json: not JSON at byte"));
    EXPECT_THAT(damaged("[]"), HasSubstr("this is no tokenizer.json"));
    EXPECT_THAT(damaged("{}"), HasSubstr("it has no model"));
    EXPECT_THAT(damaged(small().dump().substr(0, 900)), HasSubstr("not JSON at byte"));
    EXPECT_THAT(damaged("{\"a\": 1, \"a\": 2}"), HasSubstr("a: the key twice"));
    EXPECT_THAT(damaged(R"({"model": {"vocab": {"a": -1}}})"), HasSubstr("model.vocab.a: no number where"));
    EXPECT_THAT(damaged(R"({"model": {"merges": ["a"]}})"), HasSubstr("model.merges: the merge \"a\""));
    EXPECT_THAT(damaged(R"({"model": {"merges": [["a"]]}})"), HasSubstr("a merge of fewer than two tokens"));
    EXPECT_THAT(damaged(R"({"model": {"merges": [["a", "b", "c"]]}})"), HasSubstr("a merge of more than two tokens"));
    EXPECT_THAT(damaged(std::string(1'000'000, '[')), HasSubstr("nested more than 64 deep"));
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
    EXPECT_THAT(damaged(deep), HasSubstr("nested more than 64 deep"));
    std::string wide = "{";
    for (int i = 0; i < 5000; ++i) wide += "\"k" + std::to_string(i) + "\":1,";
    EXPECT_THAT(damaged(wide), HasSubstr("more than 4,096 keys"));
    EXPECT_THAT(refusal("/model/vocab/again", 5), HasSubstr("the token \"again\" has the id 5, and so has"));
    EXPECT_THAT(refusal("/model/vocab/far", 4'000'000'000U), HasSubstr("has the id 4000000000, too high"));
    EXPECT_THAT(refusal("/model/merges/0", "a \u00e9"), HasSubstr("the vocabulary has no \"a\u00e9\""));
    auto json = small();
    json["added_tokens"].push_back(json["added_tokens"][0]);
    EXPECT_THAT(refusal(json), HasSubstr("added_tokens[1]: the token \"<|endoftext|>\" is added twice"));
    json = small();
    json["added_tokens"] = Json::array();
    json["model"]["vocab"].erase("<|endoftext|>");
    EXPECT_THAT(refusal(json), HasSubstr("name one as tokenizer.boundary"));
}

TEST(HfTokenizer, TellsWhatThePostProcessorAdds) {
    auto json = small();
    const Json special{{"SpecialToken", {{"id", "B"}, {"type_id", 0}}}},
        text{{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    json["post_processor"] = {{"type", "TemplateProcessing"},
                              {"single", {special, text, special}},
                              {"pair", Json::array()},
                              {"special_tokens", {{"B", {{"id", "B"}, {"ids", {3, 4}}, {"tokens", {"x", "y"}}}}}}};
    const auto tokenizer = make_hf_tokenizer(json.dump(), "t.json");
    EXPECT_THAT(tokenizer->special_prefix(), ElementsAre(3, 4));
    EXPECT_THAT(tokenizer->special_suffix(), ElementsAre(3, 4));
}

// With a time that grows with the square of the length these texts would take hours.
TEST(HfTokenizer, HostileTextIsEncoded) {
    auto json = small();
    Json whole = json;
    whole["pre_tokenizer"] = {
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
    for (const auto& each : {json, whole}) {
        const auto tokenizer = make_hf_tokenizer(each.dump(), "t.json");
        for (const std::string unit : {"a", " ", "ab", "\u200b", "<|", "\u0301", "abc \n"}) {
            std::string text;
            while (text.size() < 800'000) text += unit;
            EXPECT_EQ(tokenizer->decode(ids_of(*tokenizer, text)), text) << unit;
        }
    }
}

}  // namespace
}  // namespace longbow
