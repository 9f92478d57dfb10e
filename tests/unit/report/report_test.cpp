// Tests tables of rows whose numbers are known: each format holds them, and unlike rows share no table.
#include "longbow/report/figure.h"
#include "longbow/report/format.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "longbow/core/chosen.h"
#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "report/charts.h"

namespace longbow {
namespace {

using testing::HasSubstr;
using testing::Not;

EvalResult row_of(const std::string& position, std::int64_t length, double ppl, std::uint64_t seed = 1) {
    EvalResult row;
    row.name = position + "-run";
    row.position = position;
    row.protocol = "paper";
    row.split = "valid";
    row.train_length = 64;
    row.length = row.stride = length;
    row.tokens = 12000;
    row.nll = std::log(ppl);
    row.ppl = ppl;
    row.ppl_ci = Interval{ppl - 1, ppl + 1};
    row.bits_per_byte = 1.25;
    row.seed = seed;
    row.updates = 600;
    row.checkpoint = position + std::to_string(seed);
    row.data = "data";
    row.tokenizer = "tokenizer";
    row.config = position + std::to_string(seed);
    row.config_group = position;
    for (const double weight : block_counts(row.tokens)) row.block_nll.push_back(weight * row.nll);
    row.block_nll[1] += 100;
    row.block_nll[2] -= 100;
    row.position_begin = {0, 1, 2, 4};
    row.nll_by_position = {5, 4.5, 4.2, 4.1};
    return row;
}

ReportRun run_of(const std::string& name, std::vector<EvalResult> rows) {
    ReportRun run;
    run.name = name;
    run.rows = std::move(rows);
    return run;
}

std::vector<ReportRun> two_models() {
    return {run_of("a", {row_of("sinusoidal", 64, 60), row_of("sinusoidal", 1024, 90)}),
            run_of("b", {row_of("alibi", 64, 50), row_of("alibi", 1024, 49)})};
}

TEST(Report, MarkdownHoldsTheTable) {
    const auto text = render_report(two_models(), Metric::ppl, TextFormat::markdown);
    EXPECT_THAT(text, HasSubstr("| Model | trained at | 64 | 1024 | ppl(1024) / ppl(64) |"));
    EXPECT_THAT(text, HasSubstr("| Sinusoidal | 64 | 60.00 | 90.00 | 1.500 [1.500, 1.500] |"));
    EXPECT_THAT(text, HasSubstr("| ALiBi | 64 | **50.00** | **49.00** | 0.980 [0.980, 0.980] |"));
    EXPECT_THAT(text, HasSubstr("valid split, protocol paper, non-overlapping (12,000 tokens scored)"));
}

TEST(Report, GrowthIsPairedByBlocks) {
    auto runs = two_models();
    auto& far = runs[0].rows[1];
    far.block_nll[0] += 40;
    const auto tables = make_tables(runs, Metric::ppl);
    const auto& growth = *tables.at(0).rows.at(0).growth;
    ASSERT_TRUE(growth.interval);
    EXPECT_EQ(growth.blocks, 12);
    const double centre = std::log(1.5) + 40.0 / 12000;
    // The interval lies around the ratio of the blocks' means.
    EXPECT_NEAR(std::log(growth.interval->low * growth.interval->high), 2 * centre, 1e-9);
    const double wide = std::log(growth.interval->high / growth.interval->low);
    far.block_nll[0] += 40;  // blocks that grow differently widen the interval
    EXPECT_NEAR(
        std::log(make_tables(runs, Metric::ppl).at(0).rows.at(0).growth->interval->high) - centre - 40.0 / 12000, wide,
        1e-9);
    far.tokens = 11999;
    // Rows that scored other tokens share no table, so that they are not compared.
    EXPECT_FALSE(make_tables(runs, Metric::ppl).at(0).rows.at(0).growth.has_value());
}

TEST(Report, SeedsAreAveraged) {
    const std::vector<ReportRun> runs{run_of("1", {row_of("alibi", 64, 50, 1), row_of("alibi", 128, 55, 1)}),
                                      run_of("2", {row_of("alibi", 64, 54, 2), row_of("alibi", 128, 54, 2)})};
    const auto tables = make_tables(runs, Metric::ppl);
    ASSERT_EQ(tables.size(), 1U);
    ASSERT_EQ(tables[0].rows.size(), 1U);
    const auto& cell = tables[0].rows[0].cells.at(64);
    EXPECT_EQ(cell.seeds, 2);
    EXPECT_DOUBLE_EQ(cell.mean, 52);
    EXPECT_DOUBLE_EQ(cell.sd, std::sqrt(8.0));
    EXPECT_DOUBLE_EQ(tables[0].rows[0].growth->ratio, (1.1 + 1.0) / 2);
    EXPECT_FALSE(tables[0].rows[0].growth->interval);
    EXPECT_THAT(render_report(runs, Metric::ppl, TextFormat::markdown), HasSubstr("52.00 ± 2.83"));
    EXPECT_THAT(render_report(runs, Metric::ppl, TextFormat::latex), HasSubstr("52.00 $\\pm$ 2.83"));
}

TEST(Report, TheLastMeasurementOfAThingStands) {
    const auto tables = make_tables({run_of("a", {row_of("alibi", 64, 50), row_of("alibi", 64, 51)})}, Metric::ppl);
    EXPECT_DOUBLE_EQ(tables.at(0).rows.at(0).cells.at(64).mean, 51);
    EXPECT_EQ(tables[0].rows[0].cells.at(64).seeds, 1);
}

TEST(Report, CheckpointsOfOneSeedAreModelsOfTheirOwn) {
    auto later = row_of("alibi", 64, 45);
    later.checkpoint = "later";
    later.updates = 1200;
    const auto tables = make_tables({run_of("a", {row_of("alibi", 64, 50), later})}, Metric::ppl);
    ASSERT_EQ(tables.at(0).rows.size(), 2U);
    EXPECT_EQ(tables[0].rows[1].label, "alibi-run, 1,200 updates");
}

TEST(Report, UnlikeMeasurementsNeverShareATable) {
    for (const auto change :
         {+[](EvalResult& r) { r.protocol = "lm-eval"; }, +[](EvalResult& r) { r.split = "test"; },
          +[](EvalResult& r) { r.stride = 32; }, +[](EvalResult& r) { r.data = "other"; },
          +[](EvalResult& r) { r.tokenizer = "other"; }, +[](EvalResult& r) { r.within_documents = true; },
          +[](EvalResult& r) { r.max_stream_tokens = 3000; }, +[](EvalResult& r) { r.dtype = "bf16"; }}) {
        auto other = row_of("t5", 64, 70);
        change(other);
        EXPECT_EQ(make_tables({run_of("a", {row_of("alibi", 64, 50), other})}, Metric::ppl).size(), 2U);
    }
    EXPECT_EQ(make_tables({run_of("a", {row_of("alibi", 64, 50), row_of("t5", 64, 70)})}, Metric::ppl).size(), 1U);
}

TEST(Report, CsvQuotesAndJsonParses) {
    auto runs = two_models();
    runs[0].rows[0].name = runs[0].rows[1].name = "a, \"quoted\" name";
    const auto csv = render_report(runs, Metric::ppl, TextFormat::csv);
    EXPECT_THAT(
        csv,
        HasSubstr(
            "Sinusoidal,\"a, \"\"quoted\"\" name\",sinusoidal,64,valid,paper,non-overlapping,false,64,12000,1,60,"));
    std::size_t commas = 0;
    for (const char c : csv.substr(0, csv.find('\n'))) commas += c == ',';
    const auto last = csv.substr(csv.rfind("\nALiBi") + 1);
    EXPECT_EQ(static_cast<std::size_t>(std::count(last.begin(), last.end(), ',')), commas);
    const auto json = Json::parse(render_report(runs, Metric::bpb, TextFormat::json));
    EXPECT_DOUBLE_EQ(json.at(0).at("models").at(1).at("values").at(0).at("bits_per_byte").get<double>(), 1.25);
    EXPECT_DOUBLE_EQ(json.at(0).at("models").at(1).at("growth").at("ratio").get<double>(), 0.98);
    EXPECT_THROW(chosen<TextFormat>("format", "pdf"), UsageError);
    EXPECT_THROW(chosen<Metric>("metric", "accuracy"), UsageError);
}

TEST(Report, ThePageStandsAlone) {
    auto runs = two_models();
    runs[0].settings = {{"train.length", "64"}, {"position.method", "<sinusoidal>"}};
    runs[1].settings = {{"train.length", "64"}, {"position.method", "alibi"}};
    runs[0].train_nll = runs[1].train_nll = {{10, 6.0}, {20, 5.0}, {30, 4.5}};
    auto html = render_report(runs, Metric::ppl, TextFormat::html);
    const std::string name_space = " xmlns=\"http://www.w3.org/2000/svg\"";  // names the format; nothing is fetched
    for (auto at = html.find(name_space); at != std::string::npos; at = html.find(name_space))
        html.erase(at, name_space.size());
    for (const auto* outside : {"http://", "https://", "<script", "<link", "src="})
        EXPECT_THAT(html, Not(HasSubstr(outside)));
    EXPECT_THAT(html, HasSubstr("&lt;sinusoidal&gt;"));
    EXPECT_THAT(html, HasSubstr("What all runs share"));
    std::size_t figures = 0;
    for (auto at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1)) ++figures;
    EXPECT_EQ(figures, 3U);
    EXPECT_THAT(html, Not(HasSubstr("nan")));
    EXPECT_THAT(html, Not(HasSubstr("inf")));
}

TEST(Report, ATrainingThatCannotBeDrawnSaysWhy) {
    auto runs = two_models();
    const auto fault = [&]() -> std::string {
        try {
            report_svg(runs, Metric::nll, Figure::training);
        } catch (const DataError& error) {
            return error.what();
        }
        return "none";
    };
    EXPECT_THAT(fault(), HasSubstr("metrics.jsonl"));
    runs[0].train_nll = {{10, 6.0}};
    EXPECT_THAT(fault(), HasSubstr("no run has logged its loss twice"));
    runs[0].train_nll = {{10, 6.0}, {20, 5.0}};
    EXPECT_EQ(fault(), "none");
}

TEST(Runs, AreFoundByFileFolderAndFolderOfRuns) {
    namespace fs = std::filesystem;
    const auto top = fs::path(testing::TempDir()) / "report_runs_test";
    fs::remove_all(top);
    fs::create_directories(top / "alibi" / "checkpoints");
    EXPECT_THROW(read_runs({top.string()}), DataError);
    append_result((top / "alibi" / "results.jsonl").string(), row_of("alibi", 64, 50));
    std::ofstream(top / "alibi" / "config.yaml") << "train: {length: 64, seeds: [1, 2]}\n";
    std::ofstream(top / "alibi" / "metrics.jsonl") << "{\"update\": 10, \"loss\": 5.5}\nhalf a li";
    for (const auto& input : {top, top / "alibi", top / "alibi" / "results.jsonl"}) {
        const auto runs = read_runs({input.string()});
        ASSERT_EQ(runs.size(), 1U);
        EXPECT_EQ(runs[0].name, "alibi");
        EXPECT_EQ(runs[0].settings.at("train.length"), "64");
        EXPECT_EQ(runs[0].settings.at("train.seeds"), "[1, 2]");
        ASSERT_EQ(runs[0].train_nll.size(), 1U);
        EXPECT_DOUBLE_EQ(runs[0].train_nll[0].value, 5.5);
    }
    EXPECT_THROW(read_runs({(top / "nothing").string()}), DataError);
}

TEST(Report, HasNoNumberAtALengthThatNoWindowReached) {
    auto beyond = row_of("alibi", 4096, 99.25);
    beyond.longest_window = 300;
    const std::vector<ReportRun> runs{run_of("a", {row_of("alibi", 64, 50), row_of("alibi", 128, 49), beyond})};
    const auto tables = make_tables(runs, Metric::ppl);
    const auto& row = tables.at(0).rows.at(0);
    EXPECT_EQ(row.cells.at(4096).unreached, 1);
    EXPECT_EQ(row.growth->to, 128);
    EXPECT_THAT(position_chart(tables.at(0)).title, HasSubstr("window of 128 tokens"));
    EXPECT_TRUE(std::isnan(length_chart(tables.at(0)).series.at(0).y.at(2)));
    for (const auto format :
         {TextFormat::markdown, TextFormat::csv, TextFormat::latex, TextFormat::json, TextFormat::html}) {
        EXPECT_THAT(render_report(runs, Metric::ppl, format), Not(HasSubstr("99.25"))) << name_of(format);
    }
    EXPECT_THAT(render_report(runs, Metric::ppl, TextFormat::markdown), HasSubstr("no such window"));
}

}  // namespace
}  // namespace longbow
