// Writes the numbers of a probe for programs, beside render_data.cpp.
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "probe_kinds.h"
#include "tables.h"

namespace longbow {

namespace {

Json json_interval(const std::optional<Interval>& interval) {
    return interval ? Json{interval->low, interval->high} : Json();
}

}  // namespace

std::string probe_csv(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    std::vector<std::string> header{"model"};
    for (const auto& axis : study.axes) header.push_back(axis.name);
    const auto& kind = kind_of(study.probe);
    header.insert(header.end(), kind.columns.begin(), kind.columns.end());
    for (const auto* column : {"seeds", "mean", "sd", "low_95", "high_95", "absent", "baseline", "difference",
                               "difference_low_95", "difference_high_95"})
        header.emplace_back(column);
    auto text = "# " + study.name + ", " + kind.key + "\n" + csv_line(header);
    for (std::size_t i = 0; i < plan.variants.size(); ++i) {
        const auto& variant = plan.variants[i];
        for (std::size_t at = 0; at < variant.probe_cells.size(); ++at) {
            const auto& cell = variant.probe_cells[at];
            const auto& one = table.probes[i][at];
            std::vector<std::string> line{variant.name};
            line.insert(line.end(), variant.values.begin(), variant.values.end());
            const auto bounds = [&](const std::optional<Interval>& interval) {
                line.push_back(interval ? number_text(interval->low) : "");
                line.push_back(interval ? number_text(interval->high) : "");
            };
            line.insert(line.end(), cell.about.begin(), cell.about.end());
            line.insert(line.end(), {std::to_string(one.seeds), one.seeds > 0 ? number_text(one.mean) : "",
                                     one.seeds > 1 ? number_text(one.sd) : ""});
            bounds(one.interval);
            line.insert(line.end(), {cell.absent, variant.baseline, one.pairs > 0 ? number_text(one.difference) : ""});
            bounds(one.difference_interval);
            text += csv_line(line);
        }
    }
    return text;
}

Json probe_cell_json(const ProbeCell& cell, const ProbeSummary& summary, const StudyProbe& probe) {
    const auto& kind = kind_of(probe);
    auto json = cell.tags;
    json["absent"] = cell.absent.empty() ? Json() : Json(cell.absent);
    json["seeds"] = summary.seeds;
    json[kind.key] = summary.seeds > 0 ? Json(summary.mean) : Json();
    json["sd"] = summary.seeds > 1 ? Json(summary.sd) : Json();
    json["ci"] = json_interval(summary.interval);
    json["rows"] = Json::array();
    for (const auto& score : cell.scores) {
        Json row{{"seed", score.seed}, {kind.key, score.value}};
        for (const char* key : kind.also) row[key] = score.row.value(key, Json());
        for (const char* key : {"items", "checkpoint"}) row[key] = score.row.value(key, Json());
        json["rows"].push_back(std::move(row));
    }
    if (summary.pairs == 0) return json;
    json["difference"] = {
        {"mean", summary.difference}, {"ci", json_interval(summary.difference_interval)}, {"seeds", summary.pairs}};
    return json;
}

}  // namespace longbow
