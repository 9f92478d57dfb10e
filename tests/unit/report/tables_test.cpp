// Tests which rows share a table and a curve, and what their headings say.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "longbow/core/error.h"
#include "report/charts.h"
#include "report_case.h"

namespace longbow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

std::vector<std::string> headings(const std::vector<ReportRun>& runs, Metric metric = Metric::ppl) {
    std::vector<std::string> texts;
    for (const auto& table : make_tables(runs, metric)) texts.push_back(table.heading());
    return texts;
}

EvalResult of_first(EvalResult row, std::int64_t tokens) {
    row.max_stream_tokens = tokens;
    return row;
}

// A row over the first 60,000 tokens must not take the place of the full row at its length.
TEST(Tables, ARowOverFewerTokensReplacesNoFullOne) {
    const std::vector<ReportRun> runs{
        run_with("alibi", {measured("alibi", 64, 70.5, 1, 117420), measured("alibi", 1024, 69.8, 1, 117420),
                           of_first(measured("alibi", 1024, 75, 1, 60000), 60000)})};
    const auto tables = make_tables(runs, Metric::ppl);
    ASSERT_THAT(tables, SizeIs(2));
    EXPECT_DOUBLE_EQ(tables[0].rows[0].cells.at(1024).mean, 69.8);
    EXPECT_DOUBLE_EQ(tables[1].rows[0].cells.at(1024).mean, 75);
    EXPECT_EQ(
        headings(runs)[0],
        "austen/store (xxh3:0123456789abcdef), valid split, protocol paper, non-overlapping (117,420 tokens scored)");
    EXPECT_EQ(
        headings(runs)[1],
        "austen/store (xxh3:0123456789abcdef), valid split, protocol paper, non-overlapping, first 60,000 tokens (60,000 tokens scored)");
    EXPECT_THAT(length_chart(tables[0]).series[0].y, ElementsAre(70.5, 69.8));
    // Not even if the row does not say that it was limited.
    auto silent = runs;
    silent[0].rows[2].max_stream_tokens = 0;
    EXPECT_THAT(make_tables(silent, Metric::ppl), SizeIs(2));
    EXPECT_DOUBLE_EQ(make_tables(silent, Metric::ppl)[0].rows[0].cells.at(1024).mean, 69.8);
}

TEST(Tables, ALimitThatTheSplitDidNotReachIsNone) {
    EXPECT_THAT(headings({run_with("a", {measured("alibi", 64, 50), of_first(measured("t5", 64, 60), 1000000)})}),
                ElementsAre(Not(HasSubstr("first"))));
}

// Whatever rows are mixed, each curve has points of one model, corpus, number of tokens, document rule and dtype.
TEST(Tables, NoCurveMixesRows) {
    std::vector<EvalResult> rows;
    std::map<double, EvalResult> by_ppl;
    double ppl = 20;
    const std::vector<void (*)(EvalResult&)> changes{
        [](EvalResult&) {},
        [](EvalResult& r) { r.data = "xxh3:other"; },
        [](EvalResult& r) { r.dtype = "bf16"; },
        [](EvalResult& r) { r.within_documents = true; },
        [](EvalResult& r) { r.max_stream_tokens = 11000, r.tokens = 11000; },
        [](EvalResult& r) { r.tokens = 11500; },
        [](EvalResult& r) { r.checkpoint = "later", r.updates = 800; },
        [](EvalResult& r) { r.stride = 32; },
        [](EvalResult& r) { r.protocol = "hf"; },
        [](EvalResult& r) { r.protocol = "hf", r.tokens = 11999 - r.length; },
        [](EvalResult& r) { r.tokenizer = "xxh3:other", r.data = "xxh3:third"; }};
    for (const auto* position : {"alibi", "t5"}) {
        for (const auto change : changes) {
            for (const std::int64_t length : {64, 128, 256}) {
                rows.push_back(changed(measured(position, length, ppl += 0.25), change));
                by_ppl[rows.back().ppl] = rows.back();
            }
        }
    }
    std::set<double> seen;
    for (const auto& table : make_tables({run_with("all", rows)}, Metric::ppl)) {
        if (table.metric != Metric::ppl) continue;
        for (const auto& series : length_chart(table).series) {
            const auto& first = by_ppl.at(series.y.front());
            for (const double y : series.y) {
                const auto& row = by_ppl.at(y);
                seen.insert(y);
                EXPECT_EQ(row.data, first.data);
                EXPECT_EQ(row.dtype, first.dtype);
                EXPECT_EQ(row.tokenizer, first.tokenizer);
                EXPECT_EQ(row.checkpoint, first.checkpoint);
                EXPECT_EQ(row.position, first.position);
                EXPECT_EQ(row.protocol, first.protocol);
                EXPECT_EQ(row.within_documents, first.within_documents);
                EXPECT_EQ(row.max_stream_tokens, first.max_stream_tokens);
                if (series.line) {
                    EXPECT_EQ(row.tokens, first.tokens);
                }
            }
        }
    }
    EXPECT_EQ(seen.size(), rows.size());  // none is lost
}

TEST(Tables, SlidingOnesKeepTheTrainingLength) {
    auto rows = std::vector{measured("alibi", 64, 70), measured("alibi", 128, 68)};
    for (const std::int64_t length : {128, 256})
        rows.push_back(changed(measured("alibi", length, 60), [](EvalResult& r) { r.stride = 64; }));
    const auto tables = make_tables({run_with("a", rows)}, Metric::ppl);
    ASSERT_THAT(tables, SizeIs(2));
    EXPECT_EQ(tables[0].stride_text, "non-overlapping");
    EXPECT_THAT(tables[0].lengths, ElementsAre(64, 128));
    EXPECT_EQ(tables[1].stride_text, "stride 64");
    EXPECT_THAT(tables[1].lengths, ElementsAre(64, 128, 256));
    EXPECT_DOUBLE_EQ(tables[1].rows[0].cells.at(64).mean, 70);
    EXPECT_DOUBLE_EQ(tables[1].rows[0].cells.at(128).mean, 60);
    EXPECT_EQ(tables[1].rows[0].growth->from, 64);
}

TEST(Tables, StridesOfProtocolHf) {
    const auto hf = [](std::int64_t length, std::int64_t stride) {
        return changed(measured("alibi", length, 50),
                       [&](EvalResult& r) { r.protocol = "hf", r.stride = stride, r.tokens = 11999; });
    };
    const auto strides = [](const std::vector<EvalResult>& rows) {
        std::map<std::string, std::vector<std::int64_t>> found;
        for (const auto& table : make_tables({run_with("a", rows)}, Metric::ppl))
            found[table.stride_text] = table.lengths;
        return found;
    };
    using Found = std::map<std::string, std::vector<std::int64_t>>;
    EXPECT_EQ(strides({hf(64, 32), hf(128, 64)}), (Found{{"stride of half the length", {64, 128}}}));
    EXPECT_EQ(strides({hf(64, 64), hf(128, 128)}), (Found{{"non-overlapping", {64, 128}}}));
    EXPECT_EQ(strides({hf(64, 64), hf(128, 64), hf(256, 64)}),
              (Found{{"stride of half the length", {128}}, {"stride 64", {64, 128, 256}}}));
}

TEST(Tables, LengthsThatScoreUnlikeTokensAreNotJoinedAndSaySo) {
    const auto chunks = [](const char* position, std::int64_t length, double ppl) {
        return changed(measured(position, length, ppl),
                       [&](EvalResult& r) { r.protocol = "llamacpp", r.tokens = 6000 - length; });
    };
    const std::vector<ReportRun> runs{run_with("a", {chunks("alibi", 64, 50), chunks("alibi", 128, 49)})};
    const auto tables = make_tables(runs, Metric::ppl);
    ASSERT_THAT(tables, SizeIs(1));
    EXPECT_THAT(tables[0].heading(), HasSubstr("(tokens scored differ by length)"));
    EXPECT_FALSE(length_chart(tables[0]).series[0].line);
    EXPECT_THAT(length_chart(tables[0]).caption, HasSubstr("not joined"));
    EXPECT_THAT(render_report(runs, Metric::ppl, TextFormat::markdown),
                HasSubstr("| 64 (5,936 tokens) | 128 (5,872 tokens) |"));
}

// Returns a row of the same text in other tokens: twice as many, of half the bytes each.
EvalResult in_other_tokens(const std::string& position, std::int64_t length, double ppl) {
    auto row = measured(position, length, ppl, 1, 24000);
    row.data = "xxh3:fedcba9876543210";
    row.data_name = "austen-bytes";
    row.tokenizer = "xxh3:00000000000000bb";
    for (auto& bytes : row.block_bytes) bytes /= 2;
    row.bits_per_byte = row.nll / std::log(2.0) / 2;
    return row;
}

TEST(Tables, UnlikeTokenizersStandSideBySidePerByte) {
    const std::vector<ReportRun> runs{run_with("a", {measured("alibi", 64, 50)}),
                                      run_with("b", {in_other_tokens("alibi", 64, 8)})};
    const auto tables = make_tables(runs, Metric::ppl);
    ASSERT_THAT(tables, SizeIs(3));
    EXPECT_THAT(tables[0].heading(), HasSubstr("a token is one of tokenizer xxh3:00000000000000aa's"));
    EXPECT_THAT(tables[1].heading(), HasSubstr("a token is one of tokenizer xxh3:00000000000000bb's"));
    EXPECT_EQ(tables[2].metric, Metric::bpb);
    EXPECT_EQ(
        tables[2].heading(),
        "austen/store = austen-bytes, valid split, protocol paper, non-overlapping (the same 48,000 bytes scored); 2 tokenizers, lengths in each model's own tokens");
    ASSERT_THAT(tables[2].rows, SizeIs(2));
    EXPECT_EQ(tables[2].rows[0].label, "ALiBi (austen/store)");
    EXPECT_FALSE(tables[2].rows[0].growth);
    EXPECT_THAT(make_tables(runs, Metric::bpb), SizeIs(1));
    EXPECT_THAT(make_tables(runs, Metric::ppl_per_word), SizeIs(1));
    // Another text makes another table.
    auto other = runs;
    for (auto& bytes : other[1].rows[0].block_bytes) bytes *= 1.01;
    EXPECT_THAT(make_tables(other, Metric::bpb), SizeIs(2));
    EXPECT_THAT(make_tables(other, Metric::ppl), SizeIs(2));
}

std::vector<bool> bold(const ReportTable& table, std::int64_t length) {
    std::vector<bool> found;
    for (const auto& row : table.rows) found.push_back(row.cells.at(length).best);
    return found;
}

// Returns a row that is worse by `nats` per token on average; the difference is larger and smaller by `swing` in turns
// from block to block.
EvalResult worse(const std::string& position, double nats, double swing) {
    auto row = measured(position, 64, 50 * std::exp(nats));
    const auto counts = block_counts(row.tokens);
    for (std::size_t i = 0; i + 1 < counts.size(); ++i) row.block_nll[i] += (i % 2 == 0 ? swing : -swing) * counts[i];
    return row;
}

TEST(Tables, BoldIsTheBestAndWhatIsNotClearlyWorse) {
    const std::vector<EvalResult> rows{
        measured("alibi", 64, 50), worse("t5", 0.01, 0.1), worse("rotary", 0.01, 0.001),
        changed(measured("none", 64, 60), [](EvalResult& r) { r.nll = r.ppl = kNoValue; })};
    EXPECT_THAT(bold(make_tables({run_with("a", rows)}, Metric::ppl).at(0), 64), ElementsAre(true, true, false, false));
    EXPECT_THAT(bold(make_tables({run_with("a", {rows[0]})}, Metric::ppl).at(0), 64), ElementsAre(false));
    // With 9 blocks, nothing is clear.
    auto few = std::vector{measured("alibi", 64, 50, 1, 9000), measured("t5", 64, 80, 1, 9000)};
    const std::vector<ReportRun> runs{run_with("a", few)};
    EXPECT_THAT(bold(make_tables(runs, Metric::ppl).at(0), 64), ElementsAre(true, true));
    EXPECT_THAT(render_report(runs, Metric::ppl, TextFormat::markdown), HasSubstr("below 10 blocks nothing is"));
}

// A loss whose perplexity no number holds may still have bits a byte.
TEST(Tables, ADivergedSeedIsNoneOfThoseWithAValue) {
    std::vector<EvalResult> rows;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        rows.push_back(measured("alibi", 64, 50, seed));
        rows.push_back(measured("rotary", 64, 50, seed));
        if (seed == 1) continue;
        rows.back().nll = 800;
        rows.back().ppl = kNoValue;
        rows.back().bits_per_byte = 800 / std::log(2.0) / 4;
    }
    const std::vector<ReportRun> runs{run_with("a", rows)};
    const auto table = make_tables(runs, Metric::bpb).at(0);
    for (const auto& row : table.rows) {
        const auto& cell = row.cells.at(64);
        EXPECT_EQ(cell.seeds, row.position == "alibi" ? 3 : 1);
        EXPECT_EQ(cell.diverged, row.position == "alibi" ? 0 : 2);
        EXPECT_NEAR(cell.mean, std::log(50) / std::log(2.0) / 4, 1e-9);
        EXPECT_THAT(cell_text(table, cell), HasSubstr(row.position == "alibi" ? " (3)" : " (2 of 3 seeds diverged)"));
    }
    const std::vector<ReportRun> one_model{run_with("a", {rows[1], rows[3], rows[5]})};
    const auto alone = make_tables(one_model, Metric::bpb).at(0);
    EXPECT_THAT(cell_text(alone, alone.rows.at(0).cells.at(64)), HasSubstr("(2 of 3 seeds diverged)"));
    for (const auto& note : table_notes(alone))
        EXPECT_THAT(note, Not(HasSubstr("seeds"))) << "one seed has no deviation";
}

TEST(Tables, ASeedWithoutAValueDidNotDiverge) {
    std::vector<EvalResult> rows{measured("alibi", 64, 50, 1), measured("alibi", 64, 50, 2)};
    rows[1].bits_per_byte = kNoValue;
    const std::vector<ReportRun> runs{run_with("a", rows)};
    const auto table = make_tables(runs, Metric::bpb).at(0);
    EXPECT_THAT(cell_text(table, table.rows.at(0).cells.at(64)), HasSubstr("(1 of 2 seeds without a value)"));
}

TEST(Tables, BoldPairsSeeds) {
    const auto seeds = [](const std::string& position, double ppl, double spread) {
        std::vector<EvalResult> rows;
        for (std::uint64_t seed = 1; seed <= 3; ++seed)
            rows.push_back(measured(position, 64, ppl + spread * (static_cast<double>(seed) - 2), seed));
        return rows;
    };
    const auto marks = [&](double spread) {
        auto rows = seeds("alibi", 50, 0);
        for (const auto& row : seeds("t5", 51, spread)) rows.push_back(row);
        return bold(make_tables({run_with("a", rows)}, Metric::ppl).at(0), 64);
    };
    EXPECT_THAT(marks(0.01), ElementsAre(true, false));
    EXPECT_THAT(marks(5), ElementsAre(true, true));  // the seeds differ by more than the models
}

TEST(Tables, BoldOfUnlikeTokenizersGoesByBytes) {
    const auto marks = [](double ppl) {
        const auto table =
            make_tables({run_with("a", {measured("alibi", 64, 50), in_other_tokens("t5", 64, ppl)})}, Metric::bpb)
                .at(0);
        return bold(table, 64);
    };
    EXPECT_THAT(marks(std::sqrt(50) * 1.1), ElementsAre(true, false));  // two of these tokens are one of the others
    EXPECT_THAT(marks(std::sqrt(50) / 1.1), ElementsAre(false, true));
}

TEST(Tables, LabelsAreNeverAlike) {
    const auto labels = [](const std::vector<EvalResult>& rows) {
        std::vector<std::string> found;
        const auto tables = make_tables({run_with("a", rows)}, Metric::ppl);
        for (const auto& row : tables.at(0).rows) found.push_back(row.label);
        return found;
    };
    const auto base = measured("alibi", 64, 50);
    EXPECT_THAT(labels({base, measured("t5", 64, 50)}), ElementsAre("ALiBi", "T5 bias"));
    EXPECT_THAT(labels({base, changed(base, [](EvalResult& r) { r.train_length = 128; })}),
                ElementsAre("ALiBi, L=64", "ALiBi, L=128"));
    // Another back-end means the same weights under another configuration.
    EXPECT_THAT(labels({base, changed(base, [](EvalResult& r) { r.config = r.config_group = "xxh3:123456"; })}),
                ElementsAre("alibi, 400 updates, config alibi1", "alibi, 400 updates, config 123456"));
}

TEST(Tables, SeveralSeedsAreCalledByWhatTheirNamesShare) {
    std::vector<EvalResult> rows{measured("alibi", 64, 50, 1), measured("alibi", 64, 52, 2)};
    rows[0].name = "alibi/seed-1";
    rows[1].name = "alibi/seed-2";
    const auto table = make_tables({run_with("a", rows)}, Metric::ppl).at(0);
    EXPECT_EQ(table.rows.at(0).name, "alibi");
    const auto series = length_chart(table).series.at(0);
    // The bars reach one standard deviation to either side.
    EXPECT_NEAR(series.high.at(0) - series.low.at(0), 2 * std::sqrt(2.0), 1e-9);
}

TEST(Tables, ErrorBarsAreTheIntervals) {
    const auto chart = length_chart(
        make_tables({run_with("a", {measured("alibi", 64, 50), measured("alibi", 128, 60)})}, Metric::ppl).at(0));
    EXPECT_THAT(chart.series.at(0).low, ElementsAre(45, 54));
    EXPECT_THAT(chart.series.at(0).high, ElementsAre(testing::DoubleEq(50 * 1.1), testing::DoubleEq(60 * 1.1)));
    EXPECT_THAT(chart.caption, HasSubstr("95 % intervals"));
}

TEST(Tables, PlacesOfFewTokensAreHollowAndCounted) {
    auto row = measured("alibi", 64, 50);
    row.position_begin = {0, 1, 2, 3};
    row.nll_by_position = {5, 4, 3, 2};
    row.tokens_by_position = {1000, 900, 800, 1};
    const auto chart = position_chart(make_tables({run_with("a", {row})}, Metric::ppl).at(0));
    EXPECT_THAT(chart.series.at(0).y, ElementsAre(5, 4, 3, 2));
    EXPECT_THAT(chart.series.at(0).weak, ElementsAre(false, false, false, true));
    EXPECT_THAT(chart.series.at(0).notes.back(), HasSubstr("mean of 1 token"));
    EXPECT_THAT(chart.caption, HasSubstr("fewer than 100 tokens"));
}

TEST(Tables, APlaceWeighsAsManyTokensAsItHas) {
    auto row = measured("alibi", 64, 50);
    row.position_begin = {16, 17, 18, 19, 20};  // 17 to 19 are drawn as one point
    row.nll_by_position = {1, 2, 4, 8, 1};
    row.tokens_by_position = {100, 300, 100, 100, 100};
    const auto series = position_series({&row});
    EXPECT_THAT(series.y, testing::Contains(testing::DoubleEq((2 * 300 + 4 * 100 + 8 * 100) / 500.0)));
}

TEST(Tables, RowsOfBeforeNameTheirDataByFingerprint) {
    EXPECT_THAT(
        headings({run_with("a", {changed(measured("alibi", 64, 50), [](EvalResult& r) { r.data_name.clear(); })})})
            .at(0),
        HasSubstr("data xxh3:0123456789abcdef, valid split"));
}

}  // namespace
}  // namespace longbow
