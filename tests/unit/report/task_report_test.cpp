// Tests the tables of rows that `longbow probe tasks` writes.
#include "longbow/report/task_report.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using ::testing::HasSubstr;

class TaskReports : public ::testing::Test {
protected:
    TaskReports() : folder_(fs::temp_directory_path() / ("task-report-" + std::to_string(::getpid()))) {
        fs::create_directories(folder_);
    }
    ~TaskReports() override { fs::remove_all(folder_); }

    static Json row(const std::string& name, std::uint64_t seed, int to, double exact) {
        return {{"probe", "tasks"},       {"name", name},           {"overrides", ""},
                {"position", "alibi"},    {"train_seed", seed},     {"config_group", name.substr(0, name.find('/'))},
                {"checkpoint", name},     {"dtype", "fp32"},        {"seed", 1},
                {"generator", 1},         {"task", "copy"},         {"task_length", 20},
                {"symbol", "symbols"},    {"bucket", {to / 2, to}}, {"lengths", {1, 20 * to}},
                {"items", 500},           {"exact_match", exact},   {"exact_match_ci", {exact / 2, exact}},
                {"token_accuracy", exact}};
    }

    std::string write(const std::string& name, const std::vector<Json>& rows) {
        const auto path = (folder_ / name).string();
        std::ofstream file(path);
        for (const auto& one : rows) file << json_text(one) << "\n";
        return path;
    }

    fs::path folder_;
};

TEST_F(TaskReports, SeedsAreOneModelWithTheSpreadOverThem) {
    const auto file = write(
        "probes.jsonl", {row("copy/seed-1", 1, 1, 0.8), row("copy/seed-2", 2, 1, 0.9), row("copy/seed-3", 3, 1, 0.3),
                         row("copy/seed-3", 3, 1, 1.0), row("copy/seed-1", 1, 2, 0.5), row("other", 1, 1, 0.25)});
    ASSERT_EQ(task_files({file}), std::vector{file});
    const auto reports = make_task_reports({file, file});
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_EQ(reports[0].ranges, (std::vector<TaskRange>{{0, 1}, {1, 2}}));
    ASSERT_EQ(reports[0].models.size(), 2U);
    EXPECT_EQ(reports[0].models[0].label, "copy");
    const auto& one = reports[0].models[0].cells.at({0, 1}).summary;
    EXPECT_EQ(one.seeds, 3);
    EXPECT_NEAR(one.mean, 0.9, 1e-12);
    EXPECT_NEAR(one.sd, 0.1, 1e-12);
    // The quantile of Student's t at 0.975 with 2 degrees of freedom is 4.302653 (any table), and 0.1 / sqrt(3) is the
    // standard error; the upper end would be above 1.
    EXPECT_NEAR(one.interval->low, 0.9 - 4.302653 * 0.1 / std::sqrt(3.0), 1e-6);
    EXPECT_EQ(one.interval->high, 1.0);
    const auto text = render_task_reports(reports, TextFormat::markdown);
    EXPECT_THAT(text, HasSubstr("| Model | position | to L | L to 2L |"));
    EXPECT_THAT(text, HasSubstr("| copy | alibi | 0.900 ± 0.100 (3) [0.652, 1.000] | 0.500 [0.250, 0.500] |"));
    EXPECT_THAT(text, HasSubstr("| other | alibi | 0.250 [0.125, 0.250] | – |"));
    EXPECT_THAT(text, HasSubstr("500 new items"));
}

TEST_F(TaskReports, OtherItemsAreAnotherTable) {
    auto other = row("copy", 1, 1, 0.5);
    other["seed"] = 2;
    auto longer = row("copy", 1, 1, 0.75);
    longer["task_length"] = 40;
    const auto file = write("probes.jsonl", {row("copy", 1, 1, 1.0), other, longer});
    const auto reports = make_task_reports({file});
    ASSERT_EQ(reports.size(), 3U);
    EXPECT_EQ(reports[1].models[0].cells.at({0, 1}).summary.mean, 0.5);
    EXPECT_EQ(reports[1].items_seed, 2U);
    EXPECT_EQ(reports[2].task_length, 40);
}

TEST_F(TaskReports, EveryFormatHasTheNumber) {
    const auto reports = make_task_reports({write("probes.jsonl", {row("a_b", 1, 1, 0.875)})});
    EXPECT_THAT(render_task_reports(reports, TextFormat::csv),
                HasSubstr("a_b,alibi,copy,20,0,1,500,1,fp32,1,0.875,,0.4375,0.875"));
    EXPECT_THAT(render_task_reports(reports, TextFormat::latex), HasSubstr("a\\_b & alibi & 0.875"));
    EXPECT_THAT(render_task_reports(reports, TextFormat::html), HasSubstr("<td>0.875 [0.438, 0.875]</td>"));
    const auto json = parse_json(render_task_reports(reports, TextFormat::json));
    EXPECT_EQ(json[0]["models"][0]["ranges"][0]["exact_match"], 0.875);
    EXPECT_EQ(json[0]["models"][0]["ranges"][0]["rows"][0]["checkpoint"], "a_b");
}

TEST_F(TaskReports, WhatIsNotOfTasksIsRefusedByName) {
    auto key = row("copy", 1, 1, 1.0);
    key["probe"] = "passkey";
    const auto others = write("passkey.jsonl", {key});
    EXPECT_THAT(error_of([&] { (void)task_files({others}); }), HasSubstr("the probe passkey"));
    const auto results = write("results.jsonl", {Json{{"name", "alibi"}, {"ppl", 10}}});
    EXPECT_TRUE(task_files({results}).empty());
    const auto tasks = write("probes.jsonl", {row("copy", 1, 1, 1.0), key});
    EXPECT_EQ(make_task_reports(task_files({tasks})).size(), 1U) << "rows of another probe beside them are left out";
    EXPECT_THAT(error_of([&] { (void)task_files({tasks, results}); }), HasSubstr("make a report of each kind"));
    const auto both = write("both.jsonl", {row("copy", 1, 1, 1.0), Json{{"name", "alibi"}}});
    EXPECT_THAT(error_of([&] { (void)task_files({both}); }), HasSubstr("two files"));
    auto cut = row("copy", 1, 1, 1.0);
    cut.erase("exact_match_ci");
    const auto damaged = write("damaged.jsonl", {row("copy", 1, 1, 1.0), cut});
    EXPECT_THAT(error_of([&] { (void)make_task_reports({damaged}); }), HasSubstr("damaged.jsonl:2"));
}

}  // namespace
}  // namespace longbow
