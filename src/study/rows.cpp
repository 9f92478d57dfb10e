#include "rows.h"

#include <algorithm>

#include "longbow/config/fields.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"

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

std::vector<SavedRow> read_saved_rows(const fs::path& file) {
    std::vector<SavedRow> rows;
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
        rows.push_back({eval_result_from_json(json, where), json[kSettingsKey].get<std::string>()});
    }
    return rows;
}

bool take_saved_rows(PlannedModel& model, const std::vector<SavedRow>& saved, const ConfigContext& context,
                     std::vector<EvalResult>& rows) {
    std::vector<EvalResult> found;
    for (const auto& eval : model.evals) {
        const auto print = settings_print(model.config, model.config.train.seed, eval.overrides, context);
        for (const auto length : eval.lengths) {
            const auto row = std::find_if(saved.rbegin(), saved.rend(), [&](const SavedRow& one) {
                return one.settings == print && is_row_of(one.row, model, eval, length);
            });
            if (row == saved.rend()) return false;
            found.push_back(row->row);
        }
    }
    if (found.empty()) return false;
    for (auto& eval : model.evals) eval.missing.clear();
    model.done_updates = model.updates;
    rows = std::move(found);
    return true;
}

bool write_saved_rows(const fs::path& file, const StudyPlan& plan, const ConfigContext& context) {
    std::string text;
    for (const auto& variant : plan.variants) {
        for (std::size_t seed = 0; seed < variant.seeds.size(); ++seed) {
            if (!variant.done[seed]) continue;
            for (const auto& cells : variant.cells) {
                for (const auto& cell : cells) {
                    for (const auto& row : cell.rows) {
                        if (row.seed != variant.seeds[seed]) continue;
                        auto json = to_json(row);
                        json[kSettingsKey] = settings_print(variant.config, row.seed, variant.at_evaluation, context);
                        text += json_text(json) + "\n";
                    }
                }
            }
        }
    }
    if (text.empty()) return false;
    fs::create_directories(file.parent_path());
    write_file_atomic(file, text);
    return true;
}

}  // namespace longbow
