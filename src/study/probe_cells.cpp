#include "probe_cells.h"

#include <algorithm>

#include "longbow/core/dtype.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "probe_kinds.h"

namespace longbow {

namespace {

constexpr const char* kProbes = "probes.jsonl";

const ProbeRow* last_row(const std::vector<ProbeRow>& rows, const PlannedModel& model, const PlannedProbe& probe,
                         std::size_t index) {
    const auto found = std::find_if(rows.rbegin(), rows.rend(),
                                    [&](const ProbeRow& row) { return is_row_of(row, model, probe, index); });
    return found == rows.rend() ? nullptr : &*found;
}

const Json* at(const Json& row, const std::string& pointer) {
    const Json::json_pointer place(pointer);
    return row.contains(place) ? &row.at(place) : nullptr;
}

// Adds the mean over the cell's rows of those that have a number. `rows` are those of the probe, in its order.
void add_score(ProbeCell& cell, const std::vector<ProbeRow>& rows) {
    if (cell.rows.empty()) return;
    ProbeScore score{rows[cell.rows.front()].seed, 0, {}, rows[cell.rows.front()].row};
    double count = 0;
    for (const auto index : cell.rows) {
        const auto* number = at(rows[index].row, cell.value);
        if (number == nullptr || !number->is_number()) continue;
        score.value += number->get<double>();
        ++count;
    }
    if (count == 0) return;
    score.value /= count;
    const auto* interval = cell.interval.empty() ? nullptr : at(score.row, cell.interval);
    if (interval != nullptr && interval->is_array() && interval->size() == 2 && (*interval)[0].is_number() &&
        (*interval)[1].is_number())
        score.interval = Interval{(*interval)[0].get<double>(), (*interval)[1].get<double>()};
    cell.scores.push_back(std::move(score));
}

}  // namespace

void add_probe_cells(StudyVariant& variant, const StudyProbe& probe, const MeasuredModel& measured,
                     std::vector<PlannedModel>& models) {
    PlannedProbe planned{.kind = probe.kind,
                         .file = kProbes,
                         .items = probe.items,
                         .seed = probe.seed,
                         .overrides = variant.at_evaluation};
    kind_of(probe).plan(variant, probe, measured, variant.probe_cells, planned);
    if (planned.rows.empty()) return;
    for (const auto index : variant.models) {
        auto& probes = models[index].probes;
        const bool there = std::any_of(probes.begin(), probes.end(),
                                       [&](const PlannedProbe& one) { return one.overrides == planned.overrides; });
        if (!there) probes.push_back(planned);
    }
}

bool is_row_of(const ProbeRow& row, const PlannedModel& model, const PlannedProbe& probe, std::size_t index) {
    const auto dtype = name_of(model.config.train.dtype == DType::fp64 ? DType::fp64 : DType::fp32);
    const auto has = [&](const std::string& key, const Json& value) {
        return row.row.contains(key) && row.row[key] == value;
    };
    for (const auto& wanted : probe.rows[index].items()) {
        if (!has(wanted.key(), wanted.value())) return false;
    }
    return row.seed == model.config.train.seed && has("probe", probe.kind) && has("items", probe.items) &&
           has("seed", probe.seed) && has("overrides", join(probe.overrides, " ")) && has("dtype", dtype) &&
           row.row.contains("updates") && row.row["updates"].is_number() &&
           row.row["updates"].get<std::int64_t>() >= model.updates;
}

std::vector<ProbeRow> find_probe_rows(PlannedModel& model, const std::filesystem::path& run_dir) {
    const auto run = run_dir / model.name;
    if (model.probes.empty() || !model.trained()) return {};
    auto rows = read_probe_rows(run / kProbes);
    if (!is_newer(run / kProbes, run)) return rows;
    for (auto& probe : model.probes) {
        probe.missing = false;
        for (std::size_t index = 0; index < probe.rows.size(); ++index)
            probe.missing = probe.missing || last_row(rows, model, probe, index) == nullptr;
    }
    return rows;
}

void fill_probe_cells(StudyVariant& variant, const PlannedModel& model, const std::vector<ProbeRow>& rows) {
    for (const auto& probe : model.probes) {
        if (probe.missing || probe.overrides != variant.at_evaluation) continue;
        std::vector<ProbeRow> own;
        for (std::size_t index = 0; index < probe.rows.size(); ++index) {
            const auto* row = last_row(rows, model, probe, index);
            if (row == nullptr) return;
            own.push_back(*row);
        }
        for (auto& cell : variant.probe_cells) add_score(cell, own);
        variant.probe_rows.insert(variant.probe_rows.end(), own.begin(), own.end());
    }
}

}  // namespace longbow
