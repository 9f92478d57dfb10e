// Tests the two sides of a comparison, their pairs, and refusals: which rows are compared with which, and that every
// doubt is named.
#include "longbow/report/comparison.h"

#include <gmock/gmock.h>

#include <cmath>

#include "longbow/core/error.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using test::error_of;
using testing::HasSubstr;

EvalResult row_of(const std::string& method, std::uint64_t seed, std::int64_t length, double shift = 0) {
    EvalResult row;
    row.name = method + "/seed-" + std::to_string(seed);
    row.position = method;
    row.config_group = "group of " + method;
    row.protocol = "paper";
    row.split = "valid";
    row.train_length = 64;
    row.length = row.stride = length;
    row.tokens = 11 * 1024 + 300;
    row.seed = seed;
    row.updates = 400;
    row.checkpoint = row.name;
    row.data = "data";
    row.tokenizer = "tokenizer";
    double sum = 0;
    const auto weights = block_counts(row.tokens);
    for (std::size_t b = 0; b < weights.size(); ++b) {
        const double mean = 4 + shift + 0.1 * std::sin(static_cast<double>(b * 7 + seed));
        row.block_nll.push_back(weights[b] * mean);
        row.block_bytes.push_back(4 * weights[b]);
        sum += row.block_nll.back();
    }
    row.nll = sum / static_cast<double>(row.tokens);
    row.ppl = std::exp(row.nll);
    row.words = 5000;
    return row;
}

std::vector<ReportRun> runs_of(std::vector<EvalResult> rows) {
    std::vector<ReportRun> runs;
    for (auto& row : rows) {
        ReportRun run;
        run.name = row.name;
        run.rows.push_back(std::move(row));
        runs.push_back(std::move(run));
    }
    return runs;
}

std::vector<ReportRun> three_seeds(const std::string& method, double shift) {
    std::vector<EvalResult> rows;
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
        rows.push_back(row_of(method, seed, 64, shift + 0.01 * static_cast<double>(seed)));
    return runs_of(std::move(rows));
}

// The pairs point into the runs, which must outlive them.
Pairing pair(const std::vector<ReportRun>& a, const std::vector<ReportRun>& b, const PairingRequest& request = {}) {
    return pair_sides(comparison_side(a, "A", ""), comparison_side(b, "B", ""), request);
}

std::string refusal(const std::vector<ReportRun>& a, const std::vector<ReportRun>& b,
                    const PairingRequest& request = {}) {
    return error_of<DataError>([&] { pair(a, b, request); });
}

TEST(Comparison, SeedsArePairedByNumberNotByOrder) {
    const auto a = three_seeds("alibi", 0);
    auto b = three_seeds("rotary", 0.25);
    std::swap(b[0], b[2]);
    const auto side = comparison_side(a, "A", "");
    EXPECT_EQ(side.name, "alibi");
    const auto pairing = pair(a, b);
    ASSERT_EQ(pairing.measurements.size(), 1U);
    ASSERT_EQ(pairing.measurements[0].size(), 3U);
    for (const auto& one : pairing.measurements[0]) EXPECT_EQ(one.a->seed, one.b->seed);
    const auto c = compare_rows(pairing.measurements[0]);
    EXPECT_NEAR(c.difference.mean, 0.25, 1e-12);
    EXPECT_EQ(c.difference.seeds, 3);
    EXPECT_EQ(c.difference.blocks, 12);
    EXPECT_EQ(c.per, LossUnit::token);
    EXPECT_NEAR(c.difference.interval->low, 0.25, 1e-9);  // every block of every seed has the same difference
}

TEST(Comparison, ASeedThatOneSideHasAloneIsNamed) {
    const auto a = three_seeds("alibi", 0);
    auto b = three_seeds("rotary", 0.25);
    b.erase(b.begin() + 1);
    const auto text = refusal(a, b);
    EXPECT_THAT(text, HasSubstr("seed 2 is only in alibi"));
    EXPECT_THAT(text, HasSubstr("train rotary with it too (train.seed=2)"));
    EXPECT_THAT(text, HasSubstr("--seeds 1,3"));
    EXPECT_THAT(refusal(b, a), HasSubstr("seed 2 is only in alibi"));
    PairingRequest shared;
    shared.seeds = {1, 3};
    EXPECT_EQ(pair(a, b, shared).measurements.at(0).size(), 2U);
    shared.seeds = {2};
    EXPECT_THAT(refusal(a, b, shared), HasSubstr("--seeds 2: rotary has seeds 1, 3"));
    EXPECT_THAT(refusal(a, runs_of({row_of("rotary", 1, 64)})), HasSubstr("seeds 2, 3"));
    EXPECT_THAT(refusal(a, runs_of({row_of("rotary", 7, 64)})), HasSubstr("name one run a side"));
}

TEST(Comparison, ASeedThatWasNotMeasuredAlikeIsNamed) {
    auto a = three_seeds("alibi", 0);
    const auto b = three_seeds("rotary", 0.25);
    a[1].rows[0].dtype = "bf16";
    EXPECT_THAT(
        refusal(a, b),
        HasSubstr("seed 2 of alibi was not measured like that of rotary (length 64, protocol paper, valid split)"));
}

TEST(Comparison, OneRunASideNeedsNoCommonSeed) {
    const auto a = runs_of({row_of("alibi", 1, 64)}), b = runs_of({row_of("rotary", 7, 64)});
    const auto pairing = pair(a, b);
    ASSERT_EQ(pairing.measurements.at(0).size(), 1U);
    EXPECT_EQ(compare_rows(pairing.measurements[0]).difference.seeds, 1);
}

TEST(Comparison, UnlikeMeasurementsAreNeverPaired) {
    const auto a = runs_of({row_of("alibi", 1, 64)});
    for (const auto change :
         {+[](EvalResult& r) { r.length = 128; }, +[](EvalResult& r) { r.stride = 32; },
          +[](EvalResult& r) { r.protocol = "lm-eval"; }, +[](EvalResult& r) { r.split = "test"; },
          +[](EvalResult& r) { r.within_documents = true; }, +[](EvalResult& r) { r.max_stream_tokens = 11564; },
          +[](EvalResult& r) { r.dtype = "bf16"; }}) {
        auto other = row_of("rotary", 1, 64);
        change(other);
        EXPECT_THAT(refusal(a, runs_of({other})), HasSubstr("share no length"));
        auto both = runs_of({row_of("rotary", 1, 64)});
        both[0].rows.push_back(other);
        const auto pairing = pair(a, both);
        EXPECT_EQ(pairing.measurements.size(), 1U);
        EXPECT_EQ(pairing.left_out.size(), 1U);
    }
    auto other = row_of("rotary", 1, 64);
    other.data = "another";
    EXPECT_THAT(refusal(a, runs_of({other})), HasSubstr("different data"));
    PairingRequest far;
    far.lengths = {128};
    EXPECT_THAT(refusal(a, a, far), HasSubstr("--lengths 128: alibi/seed-1 has length 64"));
}

TEST(Comparison, SeveralMethodsASideAreRefusedByName) {
    auto runs = three_seeds("alibi", 0);
    for (auto& run : three_seeds("rotary", 0)) runs.push_back(run);
    const auto text = error_of<DataError>([&] { comparison_side(runs, "runs/demo", ""); });
    EXPECT_THAT(text, HasSubstr("2 models that differ in more than the seed (alibi, rotary)"));
    EXPECT_THAT(text, HasSubstr("runs/demo@alibi"));
    EXPECT_EQ(comparison_side(runs, "runs/demo@rotary", "rotary").name, "rotary");
    EXPECT_EQ(comparison_side(runs, "x@rotary/seed-2", "rotary/seed-2").rows.size(), 1U);
    EXPECT_THAT(error_of<DataError>([&] { comparison_side(runs, "runs/demo@t5", "t5"); }),
                HasSubstr("there are alibi/seed-1"));
}

TEST(Comparison, TwoRunsOfOneSeedAreInDoubt) {
    auto runs = three_seeds("alibi", 0);
    auto twin = row_of("alibi", 2, 64);
    twin.name = "alibi-again/seed-2";
    runs.push_back(runs_of({twin})[0]);
    EXPECT_EQ(comparison_side(runs, "A", "").rows.size(), 3U);  // the same weights, found twice
    runs.back().rows[0].checkpoint = "other weights";
    EXPECT_THAT(error_of<DataError>([&] { comparison_side(runs, "A", ""); }),
                HasSubstr("2 runs of seed 2 (alibi-again/seed-2, alibi/seed-2)"));
}

TEST(Comparison, OfSeveralCheckpointsTheLastRowStandsAndOthersAreAskedFor) {
    auto runs = runs_of({row_of("alibi", 1, 64)});
    auto later = row_of("alibi", 1, 64, -1);
    later.updates = 800;
    later.checkpoint = "later";
    runs[0].rows.push_back(later);
    EXPECT_EQ(comparison_side(runs, "A", "").rows.at(0)->updates, 800);
    EXPECT_EQ(comparison_side(runs, "A@step=400", "step=400").rows.at(0)->updates, 400);
    EXPECT_EQ(comparison_side(runs, "A@last", "last").rows.at(0)->updates, 800);
    EXPECT_THAT(error_of<DataError>([&] { comparison_side(runs, "A@step=7", "step=7"); }), HasSubstr("at update 400"));
}

TEST(Comparison, OneRunIsOneModelWhateverChangedBetweenItsMeasurements) {
    auto runs = runs_of({row_of("alibi", 1, 64)});
    // The same weights with another attention back-end, whose name is a setting.
    auto again = row_of("alibi", 1, 64, -1);
    again.config_group = "other group";
    runs[0].rows.push_back(again);
    const auto side = comparison_side(runs, "A", "");
    ASSERT_EQ(side.rows.size(), 1U);
    EXPECT_DOUBLE_EQ(side.rows[0]->nll, again.nll);
    // Two runs with the same name that differ in more than the seed cannot be told apart by name.
    auto twin = row_of("alibi", 1, 64);
    twin.train_length = 128;
    runs[0].rows.push_back(twin);
    EXPECT_THAT(error_of<DataError>([&] { comparison_side(runs, "A", ""); }),
                HasSubstr("as a folder or file of its own"));
}

TEST(Comparison, ADivergedModelHasNoVerdict) {
    auto a = three_seeds("alibi", 0);
    auto& bad = a[1].rows[0];
    bad.nll = bad.ppl = bad.block_nll[3] = NAN;
    const auto c = compare_rows(pair(a, three_seeds("rotary", 0)).measurements.at(0));
    EXPECT_EQ(c.diverged_a, 1);
    EXPECT_EQ(c.diverged_b, 0);
    EXPECT_FALSE(c.difference.interval);
    EXPECT_FALSE(c.p_value);
    bad.nll = 800;  // a number whose perplexity is none
    bad.block_nll[3] = 1e6;
    const auto beyond = compare_rows(pair(a, three_seeds("rotary", 0)).measurements.at(0));
    EXPECT_EQ(beyond.diverged_a, 1);
    EXPECT_TRUE(std::isnan(beyond.difference.mean));
    EXPECT_FALSE(beyond.difference.interval);
}

TEST(Comparison, UnlikeTokenizersComparePerByteAndWord) {
    const auto a = row_of("alibi", 1, 64);
    auto b = a;
    b.tokenizer = "other";
    b.data = "other ids";
    EXPECT_EQ(compare_rows({{&a, &b}}).per, LossUnit::byte);
    EXPECT_NEAR(compare_rows({{&a, &b}}).difference.mean, 0, 1e-12);
    for (auto& loss : b.block_nll) loss *= 1.5;
    EXPECT_NEAR(compare_rows({{&a, &b}}).difference.mean, a.nll / 2 / 4, 1e-12);
    EXPECT_NEAR(compare_rows({{&a, &b}}, LossUnit::word).difference.mean,
                a.nll / 2 * static_cast<double>(a.tokens) / 5000, 1e-9);
    EXPECT_THAT(error_of<DataError>([&] { compare_rows({{&a, &b}}, LossUnit::token); }), HasSubstr("--per byte"));
    b.block_bytes[0] += 4;
    EXPECT_THAT(error_of<DataError>([&] { compare_rows({{&a, &b}}); }), HasSubstr("different texts"));
    b.block_bytes.clear();
    EXPECT_THAT(error_of<DataError>([&] { compare_rows({{&a, &b}}); }), HasSubstr("block_bytes"));
    b = a;
    b.block_nll.pop_back();
    EXPECT_THAT(error_of<DataError>([&] { compare_rows({{&a, &b}}); }), HasSubstr("measure it again"));
}

}  // namespace
}  // namespace longbow
