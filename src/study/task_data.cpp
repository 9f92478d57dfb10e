// Writes the numbers of the probe `tasks` for programs, beside render_data.cpp.
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "tables.h"

namespace longbow {

namespace {

Json json_interval(const std::optional<Interval>& interval) {
    return interval ? Json{interval->low, interval->high} : Json();
}

}  // namespace

std::string task_csv(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    std::vector<std::string> header{"model"};
    for (const auto& axis : study.axes) header.push_back(axis.name);
    for (const auto* column :
         {"task_name", "task_length", "above", "up_to", "least_length", "most_length", "seeds", "mean", "sd", "low_95",
          "high_95", "absent", "baseline", "difference", "difference_low_95", "difference_high_95"})
        header.emplace_back(column);
    auto text = "# " + study.name + ", exact_match\n" + csv_line(header);
    for (std::size_t i = 0; i < plan.variants.size(); ++i) {
        const auto& variant = plan.variants[i];
        for (std::size_t at = 0; at < variant.task_cells.size(); ++at) {
            const auto& cell = variant.task_cells[at];
            const auto& one = table.tasks[i][at];
            std::vector<std::string> line{variant.name};
            line.insert(line.end(), variant.values.begin(), variant.values.end());
            const auto bounds = [&](const std::optional<Interval>& interval) {
                line.push_back(interval ? number_text(interval->low) : "");
                line.push_back(interval ? number_text(interval->high) : "");
            };
            line.insert(line.end(),
                        {variant.config.task.name, std::to_string(variant.config.task.length),
                         std::to_string(cell.from), std::to_string(cell.to), std::to_string(cell.least),
                         std::to_string(cell.most), std::to_string(one.seeds),
                         one.seeds > 0 ? number_text(one.mean) : "", one.seeds > 1 ? number_text(one.sd) : ""});
            bounds(one.interval);
            line.insert(line.end(), {cell.absent, variant.baseline, one.pairs > 0 ? number_text(one.difference) : ""});
            bounds(one.difference_interval);
            text += csv_line(line);
        }
    }
    return text;
}

Json task_cell_json(const TaskCell& cell, const TaskSummary& summary) {
    Json json{{"bucket", {cell.from, cell.to}},
              {"lengths", {cell.least, cell.most}},
              {"absent", cell.absent.empty() ? Json() : Json(cell.absent)},
              {"seeds", summary.seeds},
              {"exact_match", summary.seeds > 0 ? Json(summary.mean) : Json()},
              {"sd", summary.seeds > 1 ? Json(summary.sd) : Json()},
              {"ci", json_interval(summary.interval)},
              {"rows", Json::array()}};
    for (const auto& score : cell.scores) {
        json["rows"].push_back({{"seed", score.seed},
                                {"exact_match", score.exact_match},
                                {"token_accuracy", score.token_accuracy},
                                {"items", score.items},
                                {"checkpoint", score.checkpoint}});
    }
    if (summary.pairs == 0) return json;
    json["difference"] = {
        {"mean", summary.difference}, {"ci", json_interval(summary.difference_interval)}, {"seeds", summary.pairs}};
    return json;
}

}  // namespace longbow
