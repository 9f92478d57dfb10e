#include "longbow/eval/measured_run.h"

#include <torch/types.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "longbow/checkpoint/public_model.h"
#include "longbow/config/context.h"
#include "longbow/config/fields.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/eval/runs.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

// Compares paths with their numbers in numerical order: seed-2 comes before seed-10.
bool before(const fs::path& a, const fs::path& b) {
    const auto x = a.string(), y = b.string();
    const auto digits = [](const std::string& text, std::size_t at) {
        return std::min(text.find_first_not_of("0123456789", at), text.size()) - at;
    };
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
        const auto m = digits(x, i), n = digits(y, i);
        if (m != n && m > 0 && n > 0) return m < n;
        if (x[i] != y[i]) return x[i] < y[i];
    }
    return x.size() < y.size();
}

struct Located {
    fs::path checkpoint;
    fs::path named;       // what the run's name is made of: the checkpoint, or a public model's place
    std::string variant;  // follows the name
    std::string model;    // MeasuredRun::model
    // The public model whose place in the cache `checkpoint` is.
    std::optional<PublicModel> imported{};
};

std::vector<Located> located(const std::vector<fs::path>& checkpoints) {
    std::vector<Located> places;
    for (const auto& checkpoint : checkpoints) places.push_back({checkpoint, checkpoint, "", "", std::nullopt});
    return places;
}

// Returns the checkpoints that an argument stands for; that of a public model has no path yet. A text that exists as a
// path is that path, even if it contains '@'. A folder that is no run stands for all runs in it.
std::vector<Located> checkpoints_of(const std::string& text) {
    if (const auto model = public_model(text)) return {{{}, model->place, model->variant(), text, model}};
    fs::path folder = text;
    std::string which;
    if (const auto at = text.rfind('@'); !fs::exists(folder) && at != std::string::npos) {
        folder = text.substr(0, at);
        which = text.substr(at);
    }
    if (const auto run = run_of_checkpoints(folder); !run.empty())
        return located({resolve_checkpoint(run.string() + which)});
    const bool is_run = fs::exists(folder / "checkpoints") || fs::exists(folder / "manifest.json");
    std::vector<fs::path> runs;
    if (fs::is_directory(folder) && !is_run) {
        for (const auto& found : find_runs(folder)) {
            if (found.checkpoints) runs.push_back(found.folder);
        }
    }
    if (runs.empty()) return located({resolve_checkpoint(text)});
    std::sort(runs.begin(), runs.end(), before);
    std::vector<fs::path> checkpoints;
    for (const auto& run : runs) checkpoints.push_back(resolve_checkpoint(run.string() + which));
    return located(checkpoints);
}

std::vector<Located> locate_all(const std::vector<std::string>& arguments) {
    std::vector<Located> found, places;
    for (const auto& text : arguments) {
        for (auto& place : checkpoints_of(text)) found.push_back(std::move(place));
    }
    std::set<fs::path> seen;
    for (auto& place : found) {
        // A public model's files are read for this, so that all other arguments have been looked up before.
        if (place.imported) place.checkpoint = cached_place(*place.imported);
        if (seen.insert(fs::weakly_canonical(place.checkpoint)).second) places.push_back(std::move(place));
    }
    return places;
}

std::vector<std::string> names_of(const std::vector<Located>& places) {
    std::vector<fs::path> named;
    for (const auto& place : places) named.push_back(place.named);
    auto names = run_names(named);
    for (std::size_t i = 0; i < names.size(); ++i) names[i] += places[i].variant;
    return names;
}

// Before an import there are no weights, and a manifest lists no files.
bool has_weights(const MeasuredRun& run) { return run.checkpoint.manifest.contains("files"); }

// This check comes before the first forward pass. The model has no values, which would take memory and time.
void check_model(MeasuredRun& run, const Config& config) {
    const auto shape = make_meta_model(config, run.vocab_size());
    if (has_weights(run)) check_weights(run.checkpoint.path, *shape);
    run.max_length = shape->position().max_length();
    run.depends_on_length = shape->position().depends_on_length();
    make_attention_backend(config.attention.backend, attention_request(config, shape->position(), run.dtype, "cpu"));
}

// The model chooses its parts by its type and its attention, so these must be in its configuration.
Config model_config(const MeasuredRun& run) {
    auto config = run.checkpoint.config;
    config.train.dtype = run.dtype;
    return config;
}

// Applies the overrides to the run's configuration as if they had been given to `longbow train`, and says what changes.
void override_settings(MeasuredRun& run, const std::vector<std::string>& overrides) {
    if (overrides.empty()) return;
    const auto& known = registered_config_context();
    auto& config = run.checkpoint.config;
    const auto before = config;
    config = load_config({{}, overrides, config_json(before, known), run.checkpoint.path.string()}, known);
    run.overrides = join(overrides, " ");
    if (!has_weights(run)) return;
    std::vector<std::string> changes;
    for (const auto& change : config_differences(before, config, known))
        changes.push_back(change.key + ": " + change.before + " -> " + change.after);
    log::info(run.name + ": measured with " +
              (changes.empty() ? "its own settings, which the overrides repeat" : join(changes, "; ")));
}

// The weights stay what they are, so that the changed model must store tensors of the same names and shapes.
void check_overridden(MeasuredRun& run) {
    try {
        check_model(run, model_config(run));
    } catch (const CheckpointError& error) {
        if (run.overrides.empty()) throw;
        throw ConfigError(run.overrides + ": the weights do not fit this model (" + error.what() +
                          "); an evaluation may override what leaves the names and shapes of the weights");
    }
}

MeasuredRun run_of(const Located& place, const std::string& name, const ModelChoice& choice,
                   LoadedCheckpoint checkpoint) {
    MeasuredRun run;
    run.checkpoint = std::move(checkpoint);
    run.folder = place.model.empty() ? run_folder(place.checkpoint) : fs::current_path();
    if (!place.model.empty()) run.model_place = place.named;
    run.model = escape_invalid_utf8(place.model);
    run.name = name;
    run.tokenizer = run.checkpoint.tokenizer->fingerprint();
    override_settings(run, choice.overrides);
    auto& config = run.checkpoint.config;
    run.dtype = !choice.dtype.empty()               ? choice_named<DType>(choice.dtype).value()
                : config.train.dtype == DType::fp64 ? DType::fp64
                                                    : DType::fp32;
    if (!choice.attention.empty() && choice.attention != config.attention.backend) {
        config.attention.backend = choice.attention;  // the row's fingerprint then includes it
        config.attention.options.clear();
    }
    check_overridden(run);
    return run;
}

MeasuredRun load_run(const Located& place, const std::string& name, const ModelChoice& choice) {
    return run_of(place, name, choice,
                  open_checkpoint(place.imported ? cached_checkpoint(*place.imported) : place.checkpoint));
}

}  // namespace

std::vector<std::string> take_overrides(std::vector<std::string>& arguments) {
    std::vector<std::string> overrides, others;
    for (auto& text : arguments) {
        const auto dot = text.find('.'), equals = text.find('=');
        const auto section = text.substr(0, std::min(dot, text.size()));
        const auto& sections = config_sections();
        const bool sets =
            dot < equals && equals != std::string::npos && !fs::exists(text) && text.find_first_of("/@") > equals &&
            std::any_of(sections.begin(), sections.end(), [&](const Section& known) { return known.name == section; });
        if (!sets) {
            others.push_back(std::move(text));
            continue;
        }
        if (section != "position" && section != "attention") {
            throw UsageError(text +
                             ": an evaluation may override position.* and attention.* only; other settings are "
                             "those with which the run was trained");
        }
        overrides.push_back(std::move(text));
    }
    arguments = std::move(others);
    return overrides;
}

std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(const MeasuredRun&)>& check) {
    const auto places = locate_all(arguments);
    const auto names = names_of(places);
    const auto check_run = [&](const MeasuredRun& run) {
        places.size() == 1 ? check(run) : named(run, [&] { check(run); });
    };
    // An import takes long, so that what can be checked of all runs is checked before the first.
    std::vector<std::optional<MeasuredRun>> loaded(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto& place = places[i];
        if (place.imported && !is_cached(*place.imported)) {
            check_run(run_of(place, names[i], choice, checkpoint_to_import(*place.imported)));
        } else {
            check_run(loaded[i].emplace(load_run(place, names[i], choice)));
        }
    }
    std::vector<MeasuredRun> runs;
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (!loaded[i]) check_run(loaded[i].emplace(load_run(places[i], names[i], choice)));
        runs.push_back(std::move(*loaded[i]));
    }
    return runs;
}

LanguageModel& model_on_device(MeasuredRun& run, const std::string& device) {
    auto& model = run.checkpoint.model;
    if (!model) model = load_model(run.checkpoint, model_config(run));
    model->to(torch::Device(device));
    return *model;
}

void named(const MeasuredRun& run, const std::function<void()>& work) {
    try {
        work();
    } catch (const InterruptedError&) {
        throw;
    } catch (const Error& error) {
        throw Error(run.name + " (" + run.checkpoint.path.string() + "): " + error.what(), error.code());
    }
}

bool runs_in_model(const MeasuredRun& run) {
    std::error_code error;
    for (auto folder = run.folder; fs::is_directory(run.model_place, error); folder = folder.parent_path()) {
        if (fs::equivalent(folder, run.model_place, error)) return true;
        if (!folder.has_relative_path()) break;
    }
    return false;
}

}  // namespace longbow
