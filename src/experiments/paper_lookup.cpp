// Our own measurement of a published cell, from what training and evaluation left behind in a run.
#include <algorithm>
#include <numeric>

#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/core/strings.h"
#include "longbow/experiments/paper.h"

namespace longbow {

namespace {

fs::path folder_of(const ReportRun& run) { return fs::absolute(run.results).lexically_normal().parent_path(); }

// A run whose store names another of the paper's data sets is none of this one; any other may be.
bool may_be(const ReportRun& run, const std::string& dataset) {
    const auto store = run.settings.find("data.store");
    if (store == run.settings.end() || store->second.find(dataset) != std::string::npos) return true;
    const auto other = {"wikitext103", "bookcorpus", "cc100"};
    return std::none_of(other.begin(), other.end(), [&](const char* name) { return store->second.find(name) != std::string::npos; });
}

std::vector<Json> training_rows(const fs::path& run) {
    std::vector<Json> rows;
    const auto file = run / "metrics.jsonl";
    if (!fs::exists(file)) return rows;
    for (const auto& line : split(read_file(file), '\n')) {
        auto row = Json::parse(line, nullptr, false);
        if (row.is_object() && row.value("event", "") == "train" && row.contains("timing")) rows.push_back(std::move(row));
    }
    return rows;
}

std::optional<double> median_speed(const std::vector<Json>& rows) {
    std::vector<double> speeds;
    for (const auto& row : rows) speeds.push_back(row["timing"].value("tokens_per_second", 0.0));
    if (speeds.empty()) return std::nullopt;
    std::nth_element(speeds.begin(), speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2), speeds.end());
    return speeds[speeds.size() / 2];
}

std::optional<double> parameter_millions(const fs::path& run) {
    for (const auto* link : {"best", "last"}) {
        const auto file = run / "checkpoints" / link / "model.safetensors";
        if (!fs::exists(file)) continue;
        const MappedFile map(file);
        double count = 0;
        for (const auto& tensor : parse_safetensors_header(map.bytes(), file.string()).tensors) {
            count += std::accumulate(tensor.shape.begin(), tensor.shape.end(), 1.0, [](double a, std::int64_t b) { return a * static_cast<double>(b); });
        }
        return count / 1e6;
    }
    return std::nullopt;
}

// Of the rows up to `after_updates` (0: all), one quantity of training.
std::optional<double> training_quantity(const fs::path& run, const Target& target, double after_updates) {
    if (target.quantity == Quantity::parameters) return parameter_millions(run);
    auto rows = training_rows(run);
    if (after_updates > 0) std::erase_if(rows, [&](const Json& row) { return row.value("update", 0.0) > after_updates; });
    if (rows.empty()) return std::nullopt;
    const auto& last = rows.back();
    if (target.quantity == Quantity::train_speed) return median_speed(rows);
    if (target.quantity == Quantity::train_memory) return last["timing"].value("memory_mb", 0.0) / 1e3;
    if (target.quantity == Quantity::updates) return last.value("update", 0.0);
    return last["timing"].value("seconds", 0.0) / 3600;
}

}  // namespace

Lookup lookup_in(const std::vector<ReportRun>& runs, const Scale& scale) {
    return [&runs, scale](const Target& target) -> std::optional<Measured> {
        std::optional<Measured> found;
        for (const auto& run : runs) {
            for (const auto& row : run.rows) {
                const bool model = row.position == target.method && row.train_length == scale.length(target.train_length);
                if (!model || !may_be(run, target.dataset)) continue;
                const bool evaluation = target.length > 0;
                if (!evaluation) {
                    const auto value = training_quantity(folder_of(run), target, early_update(run, target));
                    if (value) found = {*value, std::nullopt, std::nullopt, 0};
                    break;
                }
            }
        }
        return found;
    };
}

}  // namespace longbow
