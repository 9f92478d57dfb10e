// Tests a row's numbers, computed from given losses. Every expectation is worked out by hand or from its definition.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "longbow/core/error.h"
#include "longbow/eval/evaluator.h"

namespace longbow {
namespace {

// A stream in which every token has 4 bytes and half a word.
class FakeStream : public TokenStream {
public:
    explicit FakeStream(std::int64_t size, std::vector<std::int64_t> ends = {}) : size_(size), ends_(std::move(ends)) {
        if (ends_.empty()) ends_ = {size};
    }
    [[nodiscard]] std::int64_t size() const override { return size_; }
    void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const override {
        for (std::int64_t i = 0; i < count; ++i) out[i] = begin + i;
    }
    [[nodiscard]] TokenId boundary() const override { return 0; }
    [[nodiscard]] double bytes_before(std::int64_t end) const override { return 4.0 * static_cast<double>(end); }
    [[nodiscard]] double words_before(std::int64_t end) const override { return 0.5 * static_cast<double>(end); }
    [[nodiscard]] const std::vector<std::int64_t>& document_ends() const override { return ends_; }
    [[nodiscard]] std::string fingerprint() const override { return "xxh3:0"; }

private:
    std::int64_t size_;
    std::vector<std::int64_t> ends_;
};

EvalResult summarise(const std::vector<double>& nll, const TokenStream& stream, const EvalRequest& request) {
    return longbow::summarise(nll, stream, plan_evaluation(stream, request));
}

EvalRequest request_for(const std::string& protocol, std::int64_t length, std::int64_t stride = 0) {
    EvalRequest request;
    request.protocol = protocol;
    request.length = length;
    request.stride = stride;
    return request;
}

TEST(Summary, SaysHowFarItsWindowsReach) {
    const std::vector<double> nll(7, 1);
    const auto whole = summarise(nll, FakeStream(7), request_for("paper", 100));
    EXPECT_EQ(whole.longest_window, 7);
    EXPECT_FALSE(whole.reached());
    EXPECT_FALSE(eval_result_from_json(to_json(whole), "row").reached());
    auto within = request_for("paper", 4);
    within.within_documents = true;
    EXPECT_EQ(summarise(nll, FakeStream(7, {2, 5, 7}), within).longest_window, 3);
    auto row = to_json(whole);
    row.erase("longest_window");  // rows of older versions do not say
    EXPECT_TRUE(eval_result_from_json(row, "row").reached());
}

TEST(Summary, MeansAndUnits) {
    const auto r = summarise({1, 2, 3, 4, 5, 6, 7}, FakeStream(7), request_for("paper", 4));
    EXPECT_EQ(r.tokens, 7);
    EXPECT_EQ(r.windows, 2);
    EXPECT_EQ(r.longest_window, 4);
    EXPECT_TRUE(r.reached());
    EXPECT_EQ(r.stride, 4);
    EXPECT_DOUBLE_EQ(r.nll, 4.0);
    EXPECT_DOUBLE_EQ(r.ppl, std::exp(4.0));
    EXPECT_DOUBLE_EQ(r.tool_ppl, r.ppl);
    EXPECT_DOUBLE_EQ(r.bits_per_byte, 28 / std::log(2.0) / 28);
    EXPECT_DOUBLE_EQ(r.words, 3.5);
    EXPECT_DOUBLE_EQ(r.ppl_per_word, std::exp(8.0));
    EXPECT_EQ(r.position_begin, (std::vector<std::int64_t>{0, 1, 2, 3}));
    EXPECT_EQ(r.nll_by_position, (std::vector<double>{3, 4, 5, 4}));
    EXPECT_EQ(r.tokens_by_position, (std::vector<std::int64_t>{2, 2, 2, 1}));
    EXPECT_EQ(r.block_nll, (std::vector<double>{28}));
    EXPECT_EQ(r.block_bytes, (std::vector<double>{28}));
    EXPECT_EQ(r.blocks(), 1);
    EXPECT_FALSE(r.ppl_ci);  // one block has no spread
    EXPECT_EQ(r.ppl_ci_method, "student-t");
    EXPECT_THROW(summarise({1, 2}, FakeStream(7), request_for("paper", 4)), Error);
}

TEST(Summary, SlidingWindowsScoreLatePlacesOnly) {
    const auto r = summarise(std::vector<double>(10, 1.0F), FakeStream(10), request_for("paper", 4, 2));
    EXPECT_EQ(r.position_begin, (std::vector<std::int64_t>{0, 1, 2, 3}));
    const auto one = summarise(std::vector<double>(300, 1.0F), FakeStream(300), request_for("paper", 200, 1));
    EXPECT_EQ(one.position_begin.front(), 0);
    EXPECT_EQ(one.position_begin.back(), 192);  // 8 buckets an octave: 128, 144, 160, 176, 192, 208
}

TEST(Summary, PlacesBeyond64ShareBuckets) {
    std::vector<double> nll(130);
    for (std::size_t i = 0; i < nll.size(); ++i) nll[i] = static_cast<float>(i);
    const auto r = summarise(nll, FakeStream(130), request_for("paper", 130));
    ASSERT_EQ(r.position_begin.size(), 64U + 8 + 1);
    EXPECT_EQ(r.position_begin[64], 64);
    EXPECT_EQ(r.position_begin[65], 72);
    EXPECT_EQ(r.position_begin[72], 128);
    EXPECT_DOUBLE_EQ(r.nll_by_position[64], 67.5);
    EXPECT_DOUBLE_EQ(r.nll_by_position[72], 128.5);
    EXPECT_EQ(r.tokens_by_position[63], 1);
    EXPECT_EQ(r.tokens_by_position[64], 8);
    EXPECT_EQ(r.tokens_by_position[72], 2);
}

TEST(Summary, BytesAreThoseOfScoredTargetsOnly) {
    const auto r = summarise(std::vector<double>(6, 1.0F), FakeStream(20), request_for("llamacpp", 8));
    EXPECT_EQ(r.tokens, 6);
    EXPECT_DOUBLE_EQ(r.words, 3.0);
    EXPECT_DOUBLE_EQ(r.block_bytes.at(0), 24.0);
}

TEST(Summary, TheGuidesWeightsOfProtocolHf) {
    // hf with 9 tokens, length 4 and stride 2 scores 1..3 | 4,5 | 6,7 | 8; the guide weighs these windows by 3, 1, 1,
    // 0.
    const auto r = summarise({1, 2, 3, 4, 6, 8, 9, 100}, FakeStream(9), request_for("hf", 4, 2));
    EXPECT_DOUBLE_EQ(r.nll, 133.0 / 8);
    EXPECT_DOUBLE_EQ(r.tool_ppl, std::exp((6 + 5 + 8.5) / 5));
    const auto apart = summarise({1, 2, 3, 4, 5, 6}, FakeStream(9), request_for("hf", 4, 4));
    EXPECT_DOUBLE_EQ(apart.tool_ppl, std::exp(3.5));
    // With stride = length - 1, windows overlap by one token, which is context, and each scores all of its new tokens.
    const auto one = summarise({1, 2, 3, 4, 5, 6}, FakeStream(7), request_for("hf", 4, 3));
    EXPECT_DOUBLE_EQ(one.tool_ppl, std::exp((6 + 5.0 * 2) / 5));
}

TEST(Summary, TheGuidesWeightsBehindABos) {
    // A BOS and 9 tokens: windows of 4 at 0, 2, 4, 6 score 0..2 | 3,4 | 5,6 | 7,8 of them, weighed by 3, 1, 1, 1.
    auto request = request_for("hf", 4, 2);
    request.bos = Bos::first;
    const auto r = summarise({1, 2, 3, 4, 6, 8, 9, 10, 20}, FakeStream(9), request);
    EXPECT_DOUBLE_EQ(r.nll, 7);
    EXPECT_DOUBLE_EQ(r.tool_ppl, std::exp((6 + 5 + 8.5 + 15) / 6));
    EXPECT_EQ(r.bos, Bos::first);
    request.within_documents = true;  // of 5 and 4 tokens: 0..2 | 3,4 and 5..7 | 8, weighed by 3, 1, 3, 0
    const auto apart = summarise({1, 2, 3, 4, 6, 8, 9, 10, 20}, FakeStream(9, {5, 9}), request);
    EXPECT_DOUBLE_EQ(apart.tool_ppl, std::exp((6 + 5 + 27.0) / 7));
    request = request_for("hf", 4, 2);
    request.bos = Bos::each_window;  // the guide has no such windows
    const auto each = summarise({1, 2, 3, 4, 6, 8, 9, 10, 20}, FakeStream(9), request);
    EXPECT_DOUBLE_EQ(each.tool_ppl, each.ppl);
}

TEST(Summary, YarnCountsEveryWindowAlike) {
    // The documents have 4 and 2 tokens and a boundary each: 0..2 | 3 and 5,6 are scored.
    auto request = request_for("yarn", 4, 3);
    const auto r = summarise({1, 2, 3, 10, 4, 8}, FakeStream(8, {5, 8}), request);
    EXPECT_EQ(r.tokens, 6);
    EXPECT_EQ(r.windows, 3);
    EXPECT_TRUE(r.within_documents);
    EXPECT_EQ(r.bos, Bos::each_window);
    EXPECT_DOUBLE_EQ(r.nll, 28.0 / 6);
    EXPECT_DOUBLE_EQ(r.tool_ppl, std::exp((2 + 10 + 6) / 3.0));
    EXPECT_DOUBLE_EQ(r.block_bytes.at(0), 24);
    EXPECT_EQ(r.documents_left_out, 0);
    request.min_document_tokens = 3;
    const auto fewer = summarise({1, 2, 3, 10}, FakeStream(8, {5, 8}), request);
    EXPECT_EQ(fewer.documents_left_out, 1);
    const auto json = to_json(fewer);
    EXPECT_EQ(json.at("documents_left_out"), 1);
    EXPECT_EQ(json.at("min_document_tokens"), 3);
    EXPECT_TRUE(fewer.measurement() == eval_result_from_json(json, "row").measurement());
    request.min_document_tokens = 0;
    request.stride = 0;
    request.truncate = true;
    const auto truncated = summarise({1, 2, 3, 4, 8}, FakeStream(8, {5, 8}), request);
    EXPECT_EQ(truncated.stride, 4);
    EXPECT_DOUBLE_EQ(truncated.tool_ppl, std::exp((2 + 6) / 2.0));
}

TEST(Summary, IntervalComesFromBlocks) {
    std::vector<double> nll;
    for (int block = 0; block < 40; ++block) nll.insert(nll.end(), 1024, block % 2 == 0 ? 2.0F : 4.0F);
    const auto r = summarise(nll, FakeStream(40 * 1024), request_for("paper", 64));
    // Block means of 2 and 4: the standard deviation is sqrt(40/39), over sqrt(40); t for 39 degrees of freedom is
    // 2.02269; the interval is widened by 1 + 2/40.
    EXPECT_NEAR(std::log(r.ppl_ci->low), 3 - 1.05 * 2.022690920036761 / std::sqrt(39.0), 1e-8);
    EXPECT_NEAR(std::log(r.ppl_ci->high), 3 + 1.05 * 2.022690920036761 / std::sqrt(39.0), 1e-8);
    EXPECT_EQ(r.blocks(), 40);
}

TEST(Summary, WhatHasNoValueHasNone) {
    const auto worst = summarise({1, NAN, 3}, FakeStream(3), request_for("paper", 4));
    EXPECT_TRUE(worst.diverged());
    EXPECT_FALSE(worst.ppl_ci);
    const auto huge =
        summarise(std::vector<double>(11 * 1024, 2000.0F), FakeStream(11 * 1024), request_for("paper", 1024));
    EXPECT_TRUE(huge.diverged());
    EXPECT_TRUE(std::isinf(huge.ppl));  // exp overflows, the loss does not
    EXPECT_FALSE(huge.ppl_ci);
}

TEST(Results, RowsComeBackAsTheyWere) {
    auto r = summarise({1, 2, 3, 4, 5, 6, 7}, FakeStream(7), request_for("paper", 4));
    r.name = "alibi";
    r.position = "alibi";
    r.split = "valid";
    r.train_length = 64;
    r.seed = 3;
    r.checkpoint = "xxh3:1";
    const auto json = to_json(r);
    EXPECT_TRUE(json.at("ppl_ci").is_null());  // of one block
    EXPECT_EQ(json.at("ppl_ci_method"), "student-t");
    EXPECT_EQ(json.at("blocks"), 1);
    EXPECT_EQ(to_json(eval_result_from_json(json, "x:1")), json);
    EXPECT_TRUE(r.measurement() == eval_result_from_json(json, "x:1").measurement());
    EXPECT_FALSE(json.contains("data_set")) << "a name that nobody gave";
    r.data_set = "cc100";
    EXPECT_EQ(to_json(r).at("data_set"), "cc100");
    EXPECT_EQ(eval_result_from_json(to_json(r), "x:1").data_set, "cc100");
    auto other = json;
    other.erase("nll");
    EXPECT_THROW(eval_result_from_json(other, "x:1"), DataError);
    other["nll"] = "high";
    EXPECT_THROW(eval_result_from_json(other, "x:1"), DataError);
}

TEST(Results, TheRuleForABosComesBack) {
    auto request = request_for("hf", 4);
    const auto plain = summarise({1, 2, 3, 4, 5, 6}, FakeStream(7), request);
    EXPECT_EQ(to_json(plain).at("bos"), "never");
    EXPECT_FALSE(to_json(plain).contains("truncate"));
    request.bos = Bos::first;
    const auto json = to_json(summarise({1, 2, 3, 4, 5, 6, 7}, FakeStream(7), request));
    EXPECT_EQ(json.at("bos"), "first");
    EXPECT_EQ(eval_result_from_json(json, "x:1").bos, Bos::first);
    auto row = to_json(plain);
    row.erase("bos");  // rows of earlier versions
    EXPECT_FALSE(eval_result_from_json(row, "x:1").bos);
    EXPECT_TRUE(eval_result_from_json(row, "x:1").measurement() == plain.measurement());
    EXPECT_FALSE(to_json(summarise({1, 2, 3, 4, 5, 6, 7}, FakeStream(7), request_for("paper", 4))).contains("bos"));
    row["bos"] = "sometimes";
    EXPECT_THROW(eval_result_from_json(row, "x:1"), DataError);
    row["bos"] = 1;
    EXPECT_THROW(eval_result_from_json(row, "x:1"), DataError);
}

TEST(Results, NoValueIsNullAndComesBack) {
    auto r = summarise({1, INFINITY, 3}, FakeStream(3), request_for("paper", 4));
    r.tokens_per_second = NAN;
    const auto json = Json::parse(to_json(r).dump());
    for (const auto* key : {"nll", "ppl", "tool_ppl", "ppl_ci", "bits_per_byte", "ppl_per_word", "tokens_per_second"}) {
        EXPECT_TRUE(json.at(key).is_null()) << key;
    }
    EXPECT_EQ(json.at("nll_by_position"), (Json{1, nullptr, 3}));
    EXPECT_EQ(json.at("block_nll"), Json::array({nullptr}));
    const auto back = eval_result_from_json(json, "x:1");
    EXPECT_TRUE(back.diverged());
    EXPECT_TRUE(std::isnan(back.ppl));
    EXPECT_TRUE(std::isnan(back.nll_by_position.at(1)));
    EXPECT_EQ(to_json(back), json);
    auto other = json;
    other["tokens"] = nullptr;  // a count always has a value
    EXPECT_THROW(eval_result_from_json(other, "x:1"), DataError);
}

TEST(Results, CountsThatNothingHasAreRefused) {
    const auto good = to_json(summarise({1, 2, 3}, FakeStream(3), request_for("paper", 4)));
    for (const auto* key : {"length", "stride", "tokens"}) {
        for (const auto& value : {Json(0), Json(-4), Json(1e30), Json(2.5), Json(UINT64_MAX)}) {
            auto json = good;
            json[key] = value;
            EXPECT_THROW(eval_result_from_json(json, "x:1"), DataError) << key << " " << value;
        }
        auto json = good;
        json[key] = 64.0;  // as a spreadsheet writes it
        EXPECT_NO_THROW(eval_result_from_json(json, "x:1")) << key;
    }
}

TEST(Results, WhatIsNoJsonSaysWhy) {
    const auto path = std::filesystem::path(testing::TempDir()) / "results_no_json.jsonl";
    const auto fault_of = [&](const std::string& text) -> std::string {
        std::ofstream(path, std::ios::binary) << text;
        try {
            read_results(path.string());
        } catch (const DataError& error) {
            return error.what();
        }
        return "none";
    };
    EXPECT_NE(fault_of("{\"ppl\": NaN}\n").find(":1: not JSON (it holds NaN"), std::string::npos);
    EXPECT_NE(fault_of("{\"ppl\": -Infinity}\n").find("a number without a value is null"), std::string::npos);
    EXPECT_NE(fault_of(std::string("{}\0\n", 4)).find("it holds a NUL"), std::string::npos);
    EXPECT_NE(fault_of(std::string("\xFF\xFE{\0}\0\n\0", 8)).find("byte order mark of UTF-16"), std::string::npos);
    EXPECT_NE(fault_of("nonsense\n").find("remove the damaged line"), std::string::npos);
}

TEST(Results, RowsOfBeforeKeepTheirIntervalsUnderItsOldName) {
    auto json = to_json(summarise({1, 2, 3}, FakeStream(3), request_for("paper", 4)));
    json.erase("ppl_ci_method");
    json.erase("blocks");
    json["ppl_ci"] = {6.5, 8.5};
    json["words"] = 0;
    json["ppl_per_word"] = 0;
    const auto old = eval_result_from_json(json, "x:1");
    EXPECT_EQ(old.ppl_ci_method, "bootstrap");
    EXPECT_EQ(old.ppl_ci->low, 6.5);
    EXPECT_EQ(old.blocks(), 1);
    EXPECT_EQ(to_json(old).at("ppl_ci"), (Json{6.5, 8.5}));
    EXPECT_EQ(to_json(old).at("ppl_ci_method"), "bootstrap");
    EXPECT_TRUE(to_json(old).at("ppl_per_word").is_null());  // not 0.00
}

TEST(Results, AppendSurvivesARowCutShort) {
    const auto path = std::filesystem::path(testing::TempDir()) / "results_test.jsonl";
    std::filesystem::remove(path);
    EXPECT_TRUE(read_results(path.string()).empty());
    const auto r = summarise({1, 2, 3, 4, 5, 6, 7}, FakeStream(7), request_for("paper", 4));
    append_result(path.string(), r);
    append_result(path.string(), r);
    EXPECT_EQ(read_results(path.string()).size(), 2U);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 20);
    EXPECT_EQ(read_results(path.string()).size(), 1U);
    append_result(path.string(), r);
    EXPECT_EQ(read_results(path.string()).size(), 2U);
    std::ofstream(path, std::ios::app) << "nonsense\n";
    EXPECT_THROW(read_results(path.string()), DataError);
    EXPECT_THROW(append_result("/nonexistent/results.jsonl", r), Error);
}

}  // namespace
}  // namespace longbow
