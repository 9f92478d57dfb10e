#include "rows.h"

#include <algorithm>

#include "longbow/config/fields.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "probe_cells.h"

namespace longbow {

namespace {

constexpr const char* kSettingsKey = "settings";

// Returns a fingerprint of the settings that decide a row's numbers. Those of logging, checkpoints and validation are
// not among them, so that a change of these trains nothing again.
std::string settings_print(const Config& trained, std::uint64_t seed, const std::vector<std::string>& overrides,
                           const ConfigContext& context) {
    auto config = trained;
    config.train.seed = seed;
    if (!overrides.empty()) config = load_config({{}, overrides, config_json(config, context), "the model"}, context);
    auto fields = effective_fields(config, context);
    std::erase_if(fields, [](const Field& field) {
        const auto key = field.path();
        return !decides_weights(key) && !describes_text(key) && key != "train.stop";
    });
    return fields_fingerprint(config, fields);
}

}  // namespace

SavedRows read_saved_rows(const fs::path& file) {
    SavedRows rows;
    if (!fs::exists(file)) return rows;
    const auto lines = split(read_file(file), '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (trim(lines[i]).empty()) continue;
        const auto where = file.string() + ":" + std::to_string(i + 1);
        const auto json = parse_json(lines[i]);
        if (!json.is_object() || !json.contains(kSettingsKey) || !json[kSettingsKey].is_string()) {
            throw DataError(where +
                            ": not a row that `longbow study --save-rows` wrote; remove the line, or restore "
                            "the file");
        }
        const auto settings = json[kSettingsKey].get<std::string>();
        if (json.contains("probe")) {
            rows.probes.emplace_back(probe_row_from_json(json, where), settings);
        } else {
            rows.perplexity.emplace_back(eval_result_from_json(json, where), settings);
        }
    }
    return rows;
}

bool take_saved_rows(PlannedModel& model, const SavedRows& saved, const ConfigContext& context, ModelRows& rows) {
    ModelRows found;
    // Adds the last row of the wanted settings that `is_wanted` takes, and returns whether there is one.
    const auto take = [](const auto& from, const std::string& print, const auto& is_wanted, auto& to) {
        const auto row = std::find_if(from.rbegin(), from.rend(),
                                      [&](const auto& one) { return one.second == print && is_wanted(one.first); });
        if (row == from.rend()) return false;
        to.push_back(row->first);
        return true;
    };
    for (const auto& eval : model.evals) {
        const auto print = settings_print(model.config, model.config.train.seed, eval.overrides, context);
        for (const auto length : eval.lengths) {
            const auto is_wanted = [&](const EvalResult& row) { return is_row_of(row, model, eval, length); };
            if (!take(saved.perplexity, print, is_wanted, found.perplexity)) return false;
        }
    }
    for (const auto& probe : model.probes) {
        const auto print = settings_print(model.config, model.config.train.seed, probe.overrides, context);
        for (std::size_t index = 0; index < probe.rows.size(); ++index) {
            const auto is_wanted = [&](const ProbeRow& row) { return is_row_of(row, model, probe, index); };
            if (!take(saved.probes, print, is_wanted, found.probes)) return false;
        }
    }
    if (found.perplexity.empty() && found.probes.empty()) return false;
    for (auto& eval : model.evals) eval.missing.clear();
    for (auto& probe : model.probes) probe.missing = false;
    model.done_updates = model.updates;
    rows = std::move(found);
    return true;
}

bool write_saved_rows(const fs::path& file, const StudyPlan& plan, const ConfigContext& context) {
    std::string text;
    for (const auto& variant : plan.variants) {
        for (std::size_t i = 0; i < variant.seeds.size(); ++i) {
            if (!variant.done[i]) continue;
            const auto seed = variant.seeds[i];
            const auto print = settings_print(variant.config, seed, variant.at_evaluation, context);
            const auto add = [&](Json json) {
                json[kSettingsKey] = print;
                text += json_text(json) + "\n";
            };
            for (const auto& cells : variant.cells) {
                for (const auto& cell : cells) {
                    for (const auto& row : cell.rows) {
                        if (row.seed == seed) add(to_json(row));
                    }
                }
            }
            for (const auto& row : variant.probe_rows) {
                if (row.seed == seed) add(row.row);
            }
        }
    }
    if (text.empty()) return false;
    fs::create_directories(file.parent_path());
    write_file_atomic(file, text);
    return true;
}

}  // namespace longbow
