// Tests the published numbers, and the paper's tables with and without our measurements beside them.
#include "longbow/paper/formats.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/metrics.h"

namespace longbow {
namespace {

using testing::HasSubstr;
using testing::Not;

std::optional<Measured> nothing(const Target&) { return std::nullopt; }

TEST(Published, TheFileIsTheOneThatWasChecked) { EXPECT_EQ(fingerprint(published_text()), "xxh3:9fdc5359f37711c6"); }

struct Cell {
    const char* table;
    std::size_t row;  // counted from 0
    const char* column;
    const char* text;
};

// Read from pages 15 to 25 of the paper.
TEST(Published, CellsPickedByHand) {
    const Cell cells[] = {
        {"table1", 0, "train_kwps", "28.5"},        {"table1", 8, "eval_kwps", "4.9"},
        {"table1", 10, "train_memory_gb", "19.3"},  {"table1", 5, "train_length", "3072"},
        {"table2", 0, "sinusoidal_ppl", "20.05"},   {"table2", 0, "alibi_wps", "14726"},
        {"table2", 12, "rotary_ppl", "19.79"},      {"table2", 16, "t5_bias_ppl", "18.77"},
        {"table2", 34, "alibi_ppl", "18.31"},       {"table2", 34, "t5_bias_ppl", "OOM"},
        {"table3", 0, "t5_bias_ppl", "18.80"},      {"table3", 18, "t5_bias_ppl", "18.30"},
        {"table3", 34, "sinusoidal_ppl", "453.32"}, {"table3", 34, "input_length", "16024"},
        {"table4", 0, "rotary_wps", "12548"},       {"table4", 29, "alibi_ppl", "17.15"},
        {"table4", 26, "t5_bias_wps", "3579"},      {"table5", 0, "lvalid_64", "28.46"},
        {"table5", 3, "lvalid_3072", "18.40"},      {"table5", 8, "lvalid_1536", "19.05"},
        {"table5", 9, "lvalid_1024", "19.33"},      {"table5", 10, "lvalid_512", "19.65"},
        {"table6", 2, "inference_kwps", "7.3"},     {"table6", 3, "test_ppl", "19.08"},
        {"table6", 4, "params_m", "247"},           {"table7", 7, "valid_ppl", "15.81"},
        {"table7", 12, "test_ppl", "17.66"},        {"table7", 5, "params_m", "329"},
        {"table8", 0, "lvalid_3072", "13.55"},      {"table8", 3, "lvalid_1024", "14.73"},
        {"table9", 1, "test_ppl", "10.98"},         {"table10", 4, "valid_ppl", "14.06"},
        {"table10", 6, "test_ppl", "10.40"},        {"table11", 0, "updates_k", "46.7"},
        {"table11", 3, "lvalid_2048_ppl", "8.92"},  {"table12", 0, "lvalid_2048_ppl", "105.42"},
        {"table12", 5, "memory_gb", "29.4"},        {"table13", 1, "lvalid_2048", "302.6"},
        {"table14", 0, "lvalid_3072", "30.77"},     {"table15", 0, "lvalid_1536", "18.2"},
    };
    EXPECT_EQ(std::size(cells), 40U);
    for (const auto& cell : cells) {
        const auto& table = published_table(cell.table);
        EXPECT_EQ(table.rows.at(cell.row).at(table.column(cell.column)).text, cell.text)
            << cell.table << " row " << cell.row << " " << cell.column;
    }
}

TEST(Published, UnknownNamesAreRefused) {
    EXPECT_THROW(published_table("table16"), UsageError);
    EXPECT_THROW(published_figure("figure12"), UsageError);
}

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

// The first header, one of its lines, the number of its rows, and the columns: the paper's layout and decimals, made
// from the published numbers alone.
TEST(PaperTable, EachHasThePapersLayout) {
    struct Layout {
        const char* table;
        const char* header;
        const char* line;
        std::size_t rows;
    };
    const Layout layouts[] = {
        {"table1", "| Method | Train L | Train, k WPS | Eval, k WPS | Train memory, GB |",
         "| ALiBi | 512 | 28.3 | 85.8 | 15.3 |", 12},
        {"table2",
         "| Lvalid | Sinusoidal PPL | Sinusoidal WPS | Rotary PPL | Rotary WPS | T5 bias PPL | T5 bias WPS | ALiBi PPL | ALiBi WPS |",
         "| 13512 | 382.91 | 5174 | 73.27 | 4692 | OOM | – | 18.31 | 4962 |", 35},
        {"table3", "| Lvalid | Sinusoidal PPL | Sinusoidal WPS |",
         "| 1104 | 19.28 | 16870 | 19.27 | 14837 | 18.69 | 14635 | 18.52 | 17009 |", 35},
        {"table4", "| Lvalid | Sinusoidal PPL | Sinusoidal WPS |",
         "| 3092 | 18.60 | 13742 | 18.48 | 12458 | 17.92 | 8361 | 17.55 | 13783 |", 33},
        {"table5", "| Method | Train L | 64 | 128 | 256 | 512 | 1024 | 1536 | 2048 | 3072 |",
         "| ALiBi | 512 | – | – | – | 19.73 | 18.81 | 18.50 | 18.48 | 18.40 |", 11},
        {"table6", "| Method | Train L | Lvalid | Param., M | Train, k WPS | Inference, k WPS | Valid PPL | Test PPL |",
         "| ALiBi | 512 | 3072 | 247 | 28.3 | 13.6 | 18.40 | 19.08 |", 5},
        {"table7", "| Model | Train L | Lvalid | Param., M | Valid PPL | Test PPL |",
         "| Transformer-XL (Dai et al., 2019) |  |  | 257 | – | 18.30 |", 13},
        {"table8", "| Method | Train L | 512 | 1024 | 3072 |", "| Sinusoidal |  | 14.80 | 14.73 | 14.46 |", 4},
        {"table9", "| Method | Train L | Lvalid | Param., M | Valid PPL | Test PPL |",
         "| ALiBi | 512 | 3072 | 247 | 13.55 | 10.98 |", 3},
        {"table10", "| Model | Train L | Lvalid | Param., M | Valid PPL | Test PPL |",
         "| ALiBi | 3072 | 3072 | 247 | 12.70 | 10.40 |", 7},
        {"table11", "| Method | Train L | Memory, GB | Updates, k | GPU hours, k | 1024 PPL | 2048 PPL |",
         "| Sinusoidal | 1024 | 26.2 | 46.7 | 5.5 | 9.24 | – |", 4},
        {"table12", "| Method | Train L | Memory, GB | Updates, k | GPU hours, k | 512 PPL | 1024 PPL | 2048 PPL |",
         "| ALiBi | 512 | 24.6 | 50.0 | 5.5 | 9.79 | 9.30 | 9.54 |", 6},
        {"table13", "| Method | Train L | 512 | 1024 | 1536 | 2048 | 3072 |",
         "| Sinusoidal | 1024 | – | 18.05 | 206.55 | 302.60 | 393.71 |", 3},
        {"table14", "| Method | Train L | 512 | 1024 | 1536 | 2048 | 3072 |",
         "| T5 bias | 512 | 17.92 | 18.51 | 20.36 | 22.62 | 30.77 |", 3},
        {"table15", "| Method | Train L | 512 | 1024 | 1536 | 2048 | 3072 |",
         "| ALiBi | 512 | 17.98 | 17.92 | 18.20 | 18.28 | 18.30 |", 3},
    };
    ASSERT_EQ(published_tables().size(), 15U);
    for (const auto& layout : layouts) {
        const auto text = render_paper_table(published_table(layout.table), Scale{}, nothing, TextFormat::markdown);
        EXPECT_THAT(text, HasSubstr(layout.header)) << layout.table;
        EXPECT_THAT(text, HasSubstr(layout.line)) << layout.table;
        EXPECT_EQ(count_of(text, "\n|"), layout.rows + 2) << layout.table;
        EXPECT_THAT(text, Not(HasSubstr("| ours |"))) << layout.table;
        for (const auto format : {TextFormat::csv, TextFormat::latex, TextFormat::html})
            EXPECT_FALSE(render_paper_table(published_table(layout.table), Scale{}, nothing, format).empty());
        EXPECT_EQ(Json::parse(render_paper_table(published_table(layout.table), Scale{}, nothing, TextFormat::json))
                      .at("table")
                      .get<std::string>(),
                  layout.table);
    }
}

TEST(Target, SaysWhatACellMeasures) {
    const auto of = [](const char* name, std::size_t row, const char* column) {
        const auto& table = published_table(name);
        return target_of(table, row, table.column(column));
    };
    EXPECT_EQ(of("table5", 3, "lvalid_3072"),
              (Target{"wikitext103", "alibi", 512, Quantity::ppl, 3072, 0, "valid", 0}));
    EXPECT_EQ(of("table5", 8, "lvalid_64"),
              (Target{"wikitext103", "sinusoidal", 64, Quantity::ppl, 64, 0, "valid", 0}));
    EXPECT_EQ(of("table5", 1, "lvalid_64"), std::nullopt);
    EXPECT_EQ(of("table5", 1, "method"), std::nullopt);
    EXPECT_EQ(of("table2", 1, "t5_bias_wps"),
              (Target{"wikitext103", "t5", 512, Quantity::eval_speed, 513, 0, "valid", 0}));
    EXPECT_EQ(of("table1", 8, "eval_kwps"),
              (Target{"wikitext103", "t5", 3072, Quantity::batched_eval_speed, 3072, 0, "valid", 0}));
    EXPECT_EQ(of("table1", 8, "train_memory_gb"),
              (Target{"wikitext103", "t5", 3072, Quantity::train_memory, 0, 0, "", 0}));
    EXPECT_EQ(of("table7", 11, "test_ppl"), (Target{"wikitext103", "alibi", 512, Quantity::ppl, 3072, 512, "test", 0}));
    EXPECT_EQ(of("table7", 1, "test_ppl"), std::nullopt);  // a number of another publication
    EXPECT_EQ(of("table10", 4, "valid_ppl"),
              (Target{"bookcorpus", "sinusoidal", 3072, Quantity::ppl, 3072, 512, "valid", 0}));
    EXPECT_EQ(of("table11", 0, "lvalid_1024_ppl"),
              (Target{"cc100", "sinusoidal", 1024, Quantity::ppl, 1024, 0, "valid", 46700}));
    EXPECT_EQ(of("table12", 2, "lvalid_1024_ppl"),
              (Target{"cc100", "sinusoidal", 1024, Quantity::ppl, 1024, 0, "valid", 0}));
    EXPECT_EQ(of("table13", 0, "lvalid_3072"),
              (Target{"wikitext103", "sinusoidal", 512, Quantity::ppl, 3072, 1, "valid", 0}));
}

TEST(Scale, TheDemoMapsLengthsAndThinsTables) {
    const auto scale = demo_scale();
    EXPECT_EQ(scale.length(64), 8);
    EXPECT_EQ(scale.length(3072), 384);
    const auto& table = published_table("table2");
    const auto rows = scale.rows_of(table);
    ASSERT_EQ(rows.size(), 10U);
    EXPECT_EQ(rows.front(), 0U);
    EXPECT_EQ(rows.back(), 34U);
    std::set<std::int64_t> lengths;
    for (const auto row : rows) lengths.insert(scale.length(static_cast<std::int64_t>(table.rows[row][0].value)));
    EXPECT_EQ(lengths.size(), 10U);
    EXPECT_EQ(scale.rows_of(published_table("table5")).size(), 11U);
    EXPECT_THAT(scale.banner(), HasSubstr("NOT A REPRODUCTION"));
    EXPECT_EQ(Scale{}.banner(), "");
    EXPECT_EQ(Scale{}.rows_of(table).size(), 35U);
    const Target sliding{"wikitext103", "alibi", 512, Quantity::ppl, 1024, 1, "valid", 0};
    EXPECT_EQ(scale.stride(sliding), 1);
    EXPECT_EQ(scale.stream_tokens(sliding), 4096);
    const Target table_7{"wikitext103", "alibi", 512, Quantity::ppl, 3072, 512, "valid", 0};
    EXPECT_EQ(scale.stride(table_7), 64);
    EXPECT_EQ(scale.stream_tokens(table_7), 0);
}

TEST(PaperTable, SetsOursBesideThePapers) {
    const auto ours = [](const Target& target) -> std::optional<Measured> {
        if (target.train_length != 512 || target.method != "alibi") return std::nullopt;
        return Measured{target.length == 512 ? 19.8 : 18.333, 17.0, 19.5, 1000};
    };
    const auto text = render_paper_table(published_table("table5"), Scale{}, ours, TextFormat::markdown);
    EXPECT_THAT(
        text,
        HasSubstr("| ALiBi | 512 | ours | – | – | – | 19.80 | 18.33 | 18.33 | 18.33 | 18.33 |\n"
                  "|  |  | 95 % | – | – | – | 17.00–19.50 | 17.00–19.50 | 17.00–19.50 | 17.00–19.50 | 17.00–19.50 |\n"
                  "|  |  | paper | – | – | – | 19.73 | 18.81 | 18.50 | 18.48 | 18.40 |\n"
                  "|  |  | difference | – | – | – | +0.07 | -0.48 | -0.17 | -0.15 | -0.07 |\n"));
    EXPECT_THAT(text, HasSubstr("| ALiBi | 1024 | paper | – | – | – | – | 18.66 |"));
    EXPECT_THAT(text, Not(HasSubstr("DEMO")));
    for (const auto format :
         {TextFormat::markdown, TextFormat::csv, TextFormat::latex, TextFormat::json, TextFormat::html}) {
        const auto demo = render_paper_table(published_table("table5"), demo_scale(), ours, format);
        EXPECT_THAT(demo, HasSubstr("NOT A REPRODUCTION")) << name_of(format);
        EXPECT_THAT(demo, HasSubstr("512 (64)")) << name_of(format);
    }
}

TEST(PaperTable, SpeedsAndMemoryComeInThePapersUnits) {
    const auto ours = [](const Target& target) -> std::optional<Measured> {
        switch (target.quantity) {
            case Quantity::train_speed: return Measured{28400, {}, {}, 0};
            case Quantity::parameters: return Measured{246933504, {}, {}, 0};
            case Quantity::eval_speed: return Measured{13600, {}, {}, 0};
            default: return std::nullopt;
        }
    };
    const auto text = render_paper_table(published_table("table6"), Scale{}, ours, TextFormat::markdown);
    EXPECT_THAT(text, HasSubstr("| ALiBi | 512 | 3072 | ours | 247 | 28.4 | 13.6 | – | – |"));
    EXPECT_THAT(text, HasSubstr("|  |  |  | difference | -0 | +0.1 | +0.0 | – | – |"));
}

class Lookups : public testing::Test {
protected:
    void SetUp() override {
        namespace fs = std::filesystem;
        folder_ = fs::path(testing::TempDir()) / "paper_lookup_test";
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    EvalResult row(std::int64_t length, std::int64_t stride, double ppl) const {
        EvalResult row;
        row.position = "alibi";
        row.protocol = "paper";
        row.split = "valid";
        row.train_length = 512;
        row.length = length;
        row.stride = stride;
        row.tokens = 217646;
        row.ppl = ppl;
        row.ppl_ci = Interval{ppl - 1, ppl + 1};
        row.tokens_per_second = 777;
        row.updates = 100;
        return row;
    }
    ReportRun run(std::vector<EvalResult> rows) const {
        ReportRun run;
        run.results = (folder_ / "results.jsonl").string();
        run.rows = std::move(rows);
        run.metrics = read_metrics(folder_ / "metrics.jsonl");
        return run;
    }
    std::filesystem::path folder_;
};

TEST_F(Lookups, FindRowsByEverythingThatTheyMeasure) {
    auto limited = row(512, 512, 99);
    limited.max_stream_tokens = 4096;
    auto other = row(512, 512, 99);
    other.protocol = "hf";
    const std::vector<ReportRun> runs{run({row(512, 512, 20), row(1024, 1024, 19), row(512, 1, 18), limited, other})};
    const auto ours = lookup_in(runs, Scale{});
    Target target{"wikitext103", "alibi", 512, Quantity::ppl, 512, 0, "valid", 0};
    EXPECT_DOUBLE_EQ(ours(target)->value, 20);
    EXPECT_DOUBLE_EQ(*ours(target)->low, 19);
    target.stride = 1;
    EXPECT_DOUBLE_EQ(ours(target)->value, 18);
    target.stride = 512;
    EXPECT_DOUBLE_EQ(ours(target)->value, 20);  // stride 512 at length 512 means no overlap
    target.split = "test";
    EXPECT_FALSE(ours(target));
    target.split = "valid";
    target.method = "t5";
    EXPECT_FALSE(ours(target));
    target.method = "alibi";
    target.quantity = Quantity::eval_speed;
    EXPECT_DOUBLE_EQ(ours(target)->value, 777);
}

TEST_F(Lookups, ADivergedModelIsShownAsOne) {
    auto bad = row(512, 512, NAN);
    bad.nll = NAN;
    bad.ppl_ci.reset();
    const std::vector<ReportRun> runs{run({bad})};
    for (const auto format :
         {TextFormat::markdown, TextFormat::csv, TextFormat::latex, TextFormat::json, TextFormat::html}) {
        std::string text;
        for (const auto& table : published_tables())
            text += render_paper_table(table, Scale{}, lookup_in(runs, Scale{}), format);
        EXPECT_THAT(text, HasSubstr("diverged")) << name_of(format);
        EXPECT_THAT(text, Not(testing::ContainsRegex("[ ,>\"]-?nan[^a-z]"))) << name_of(format);
    }
}

TEST_F(Lookups, SpeedsThatWereNotFiniteAreNoNumbers) {
    std::ofstream(folder_ / "metrics.jsonl")
        << R"({"event":"train","update":50,"timing":{"seconds":1,"tokens_per_second":null,"memory_mb":null}})"
        << "\n"
        << R"({"event":"train","update":100,"timing":{"seconds":null,"tokens_per_second":500}})"
        << "\n";
    const std::vector<ReportRun> runs{run({row(512, 512, 20)})};
    const auto ours = lookup_in(runs, Scale{});
    EXPECT_DOUBLE_EQ(ours({"wikitext103", "alibi", 512, Quantity::train_speed, 0, 0, "", 0})->value, 500);
    EXPECT_TRUE(std::isnan(ours({"wikitext103", "alibi", 512, Quantity::gpu_hours, 0, 0, "", 0})->value));
}

TEST_F(Lookups, TablesSayHowManyBlocksTheirIntervalsStandOn) {
    auto few = row(1024, 1024, 21);
    few.tokens = 20 * 1024;
    const std::vector<ReportRun> runs{run({row(512, 512, 20), few})};
    std::string text;
    for (const auto& table : published_tables())
        text += render_paper_table(table, Scale{}, lookup_in(runs, Scale{}), TextFormat::markdown);
    EXPECT_THAT(text, HasSubstr("Student's t over 20 to 213 blocks of 1,024 targets (none below 10)"));
    few.tokens = 9 * 1024;
    const std::vector<ReportRun> short_runs{run({few})};
    text.clear();
    for (const auto& table : published_tables())
        text += render_paper_table(table, Scale{}, lookup_in(short_runs, Scale{}), TextFormat::markdown);
    EXPECT_THAT(text, HasSubstr("no interval, because that needs 10 blocks"));
    EXPECT_THAT(text, Not(HasSubstr("Student's t")));
}

TEST_F(Lookups, KeepDataSetsApart) {
    std::vector<ReportRun> runs{run({row(512, 512, 20)})};
    runs[0].settings["data.store"] = "data/corpora/bookcorpus/store";
    const auto ours = lookup_in(runs, Scale{});
    EXPECT_FALSE(ours({"wikitext103", "alibi", 512, Quantity::ppl, 512, 0, "valid", 0}));
    EXPECT_TRUE(ours({"bookcorpus", "alibi", 512, Quantity::ppl, 512, 0, "valid", 0}));
}

TEST_F(Lookups, ARowsOwnDataSetCountsMoreThanItsStoresPath) {
    auto named = row(512, 512, 20);
    named.data_set = "wikitext103";
    std::vector<ReportRun> runs{run({named})};
    runs[0].settings["data.store"] = "data/corpora/bookcorpus/store";
    const auto ours = lookup_in(runs, Scale{});
    EXPECT_TRUE(ours({"wikitext103", "alibi", 512, Quantity::ppl, 512, 0, "valid", 0}));
    EXPECT_FALSE(ours({"bookcorpus", "alibi", 512, Quantity::ppl, 512, 0, "valid", 0}));
    auto demo = row(64, 64, 20);
    demo.train_length = 64;
    demo.data_set = "austen";
    const std::vector<ReportRun> small{run({demo})};
    EXPECT_TRUE(lookup_in(small, demo_scale())({"wikitext103", "alibi", 512, Quantity::ppl, 512, 0, "valid", 0}));
    EXPECT_FALSE(lookup_in(small, Scale{})({"wikitext103", "alibi", 64, Quantity::ppl, 64, 0, "valid", 0}))
        << "Austen is no WikiText";
}

TEST_F(Lookups, TrainingComesFromMetricsAndAnEarlyStopFromItsOwnFile) {
    std::ofstream(folder_ / "metrics.jsonl")
        << "{\"event\":\"train\",\"update\":40,\"timing\":{\"seconds\":3600,\"tokens_per_second\":100,\"memory_mb\":900}}\n"
           "{\"event\":\"train\",\"update\":50,\"timing\":{\"seconds\":4500,\"tokens_per_second\":300,\"memory_mb\":950}}\n"
           "{\"event\":\"valid\",\"update\":50,\"ppl\":7}\n"
           "{\"event\":\"train\",\"update\":100,\"timing\":{\"seconds\":7200,\"tokens_per_second\":200,\"memory_mb\":1000}}\n";
    auto early = row(512, 512, 30);
    early.updates = 50;
    append_result((folder_ / "early.jsonl").string(), early);
    append_result((folder_ / "speed.jsonl").string(), row(512, 512, 20));
    const std::vector<ReportRun> runs{run({row(512, 512, 20)})};
    const auto ours = lookup_in(runs, Scale{});
    Target target{"cc100", "alibi", 512, Quantity::updates, 0, 0, "", 0};
    EXPECT_DOUBLE_EQ(ours(target)->value, 100);
    target.quantity = Quantity::gpu_hours;
    EXPECT_DOUBLE_EQ(ours(target)->value, 2);
    target.quantity = Quantity::train_memory;
    EXPECT_DOUBLE_EQ(ours(target)->value, 1e9);
    target.quantity = Quantity::train_speed;
    EXPECT_DOUBLE_EQ(ours(target)->value, 200);
    target.after_updates = 46700;
    target.quantity = Quantity::updates;
    EXPECT_DOUBLE_EQ(ours(target)->value, 50);
    target.quantity = Quantity::gpu_hours;
    EXPECT_DOUBLE_EQ(ours(target)->value, 1.25);
    EXPECT_DOUBLE_EQ(ours({"cc100", "alibi", 512, Quantity::ppl, 512, 0, "valid", 46700})->value, 30);
    EXPECT_DOUBLE_EQ(ours({"wikitext103", "alibi", 512, Quantity::batched_eval_speed, 512, 0, "valid", 0})->value, 777);
}

}  // namespace
}  // namespace longbow
