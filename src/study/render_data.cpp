// Writes a study's numbers for programs: CSV with a row a number, and JSON with everything that is known of each.
#include <cmath>

#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "probe_kinds.h"
#include "tables.h"

namespace longbow {

namespace {

std::string number(double value) { return std::isfinite(value) ? number_text(value) : ""; }

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(); }
Json json_interval(const std::optional<Interval>& interval) {
    return interval ? Json{interval->low, interval->high} : Json();
}

Json cell_json(const StudyCell& cell, const StudySummary& summary) {
    const auto& value = summary.cell;
    Json json{{"length", cell.length},
              {"stride", cell.stride},
              {"absent", cell.absent.empty() ? Json() : Json(cell.absent)},
              {"seeds", value.seeds},
              {"diverged", value.diverged},
              {"mean", json_number(value.mean)},
              {"sd", value.seeds > 1 ? json_number(value.sd) : Json()},
              {"ci", json_interval(value.seeds > 1 ? value.over_seeds : value.interval)},
              {"rows", Json::array()}};
    for (const auto& row : cell.rows) {
        json["rows"].push_back({{"seed", row.seed},
                                {"ppl", json_number(row.ppl)},
                                {"nll", json_number(row.nll)},
                                {"tokens", row.tokens},
                                {"checkpoint", row.checkpoint}});
    }
    if (!summary.difference) return json;
    const auto& difference = *summary.difference;
    json["difference"] = {{"mean", json_number(difference.difference.mean)},
                          {"ci", json_interval(difference.difference.interval)},
                          {"per", name_of(difference.per)},
                          {"seeds", difference.pairs.size()},
                          {"p", difference.p_value ? Json(*difference.p_value) : Json()},
                          {"p_holm", summary.adjusted_p ? Json(*summary.adjusted_p) : Json()}};
    return json;
}

}  // namespace

std::string study_csv(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    if (study.probe.chosen()) return probe_csv(plan, study, table);
    std::vector<std::string> header{"model"};
    for (const auto& axis : study.axes) header.push_back(axis.name);
    for (const auto* column :
         {"stride", "length", "seeds", "mean", "sd", "low_95", "high_95", "diverged", "absent", "baseline",
          "difference", "difference_low_95", "difference_high_95", "per", "p", "p_holm"})
        header.emplace_back(column);
    auto text = "# " + study.name + ", " + metric_key(table.metric) + "\n" + csv_line(header);
    for (std::size_t stride = 0; stride < table.cells.size(); ++stride) {
        for (std::size_t i = 0; i < plan.variants.size(); ++i) {
            const auto& variant = plan.variants[i];
            for (std::size_t at = 0; at < variant.cells[stride].size(); ++at) {
                const auto& cell = variant.cells[stride][at];
                const auto& [value, difference, adjusted] = table.cells[stride][i][at];
                std::vector<std::string> line{variant.name};
                line.insert(line.end(), variant.values.begin(), variant.values.end());
                const auto bounds = [&](const std::optional<Interval>& interval) {
                    line.push_back(interval ? number(interval->low) : "");
                    line.push_back(interval ? number(interval->high) : "");
                };
                line.insert(line.end(),
                            {std::to_string(cell.stride), std::to_string(cell.length), std::to_string(value.seeds),
                             number(value.mean), value.seeds > 1 ? number(value.sd) : ""});
                bounds(value.seeds > 1 ? value.over_seeds : value.interval);
                line.insert(line.end(), {std::to_string(value.diverged), cell.absent, variant.baseline,
                                         difference ? number(difference->difference.mean) : ""});
                bounds(difference ? difference->difference.interval : std::nullopt);
                line.insert(line.end(), {difference ? std::string(name_of(difference->per)) : "",
                                         difference && difference->p_value ? number(*difference->p_value) : "",
                                         adjusted ? number(*adjusted) : ""});
                text += csv_line(line);
            }
        }
    }
    return text;
}

std::string study_json(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    const bool probe = study.probe.chosen();
    Json out{{"study", study.name}, {"title", title_of(study)}};
    if (probe) {
        out["probe"] = {{"kind", study.probe.kind}, {"items", study.probe.items}, {"seed", study.probe.seed}};
        if (kind_of(study.probe).reads_text) out["probe"]["split"] = study.probe.split;
    } else {
        out["metric"] = metric_key(table.metric);
        out["split"] = study.split;
    }
    out["seeds"] = study.seeds;
    out["baseline"] = study.baseline.empty() ? Json() : Json(study.baseline);
    if (!probe) {
        out["correction"] = "holm";
        out["comparisons"] = table.comparisons;
    }
    out["notes"] = notes_of(plan, study, table);
    out["models"] = Json::array();
    for (std::size_t i = 0; i < plan.variants.size(); ++i) {
        const auto& variant = plan.variants[i];
        Json model{{"name", variant.name},
                   {"settings", variant.overrides},
                   {"at_evaluation", variant.at_evaluation},
                   {"baseline", variant.baseline.empty() ? Json() : Json(variant.baseline)},
                   {"cells", Json::array()}};
        for (std::size_t axis = 0; axis < study.axes.size(); ++axis)
            model["values"][study.axes[axis].name] = variant.values[axis];
        for (std::size_t stride = 0; stride < table.cells.size(); ++stride) {
            for (std::size_t at = 0; at < variant.cells[stride].size(); ++at)
                model["cells"].push_back(cell_json(variant.cells[stride][at], table.cells[stride][i][at]));
        }
        if (probe) {
            if (variant.config.task.chosen())
                model["task"] = {{"name", variant.config.task.name}, {"length", variant.config.task.length}};
            for (std::size_t at = 0; at < variant.probe_cells.size(); ++at)
                model["cells"].push_back(probe_cell_json(variant.probe_cells[at], table.probes[i][at], study.probe));
        }
        out["models"].push_back(std::move(model));
    }
    return json_text(out, 2) + "\n";
}

}  // namespace longbow
