// Plans a study: which models its grid has, how each is trained and measured, and what of it is done.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/grid/cost.h"
#include "longbow/study/study.h"
#include "measured_model.h"
#include "probe_cells.h"
#include "probe_kinds.h"
#include "rows.h"

namespace longbow {

namespace {

constexpr const char* kResults = "results.jsonl";

std::vector<std::string> texts_of(const std::vector<StudySetting>& settings) {
    std::vector<std::string> texts;
    texts.reserve(settings.size());
    for (const auto& setting : settings) texts.push_back(setting.text);
    return texts;
}

// The settings of a combination of values, with the places where they were written.
struct Combination {
    std::vector<const StudyValue*> values;
    std::vector<StudySetting> settings, at_evaluation;

    // Throws the error anew with the file and line of the setting that it is about.
    [[noreturn]] void refuse(const Error& error) const {
        const std::string what = error.what();
        auto place = values.front()->place;
        for (const auto* list : {&settings, &at_evaluation}) {
            for (const auto& setting : *list) {
                if (what.find("'" + setting.text + "'") != std::string::npos || starts_with(what, setting.text + ":"))
                    place = setting.place;
            }
        }
        throw ConfigError(place + ": " + what);
    }
};

class Planner {
public:
    explicit Planner(const StudyRequest& request) : request_(request), study_(request.settings) {}

    StudyPlan plan() {
        plan_.probe = study_.probe.kind;
        std::vector<const StudyValue*> chosen;
        combine(chosen);
        for (auto& variant : plan_.variants) variant.baseline = baseline_of(variant);
        const auto saved = study_.rows.empty() ? SavedRows{} : read_saved_rows(study_.rows);
        for (auto& model : plan_.models) {
            find_done(model, request_);
            auto probes = find_probe_rows(model, request_.run_dir);
            auto& rows = rows_[model.name];
            const bool here = model.done();
            if (here || !take_saved_rows(model, saved, request_.context, rows)) {
                rows.perplexity = read_results((request_.run_dir / model.name / kResults).string());
                rows.probes = std::move(probes);
                plan_.done += here;
            } else {
                ++plan_.from_rows;
            }
        }
        for (auto& variant : plan_.variants) fill_cells(variant);
        plan_.all_models = plan_.models.size();
        add_parts();
        warn_of_unreached(plan_);
        count_flops(plan_);
        return std::move(plan_);
    }

private:
    void combine(std::vector<const StudyValue*>& chosen) {
        if (chosen.size() == study_.axes.size()) return add_variant(chosen);
        for (const auto& value : study_.axes[chosen.size()].values) {
            chosen.push_back(&value);
            combine(chosen);
            chosen.pop_back();
        }
    }

    void add_variant(const std::vector<const StudyValue*>& values) {
        Combination combination{values, study_.settings, {}};
        StudyVariant variant;
        for (const auto* value : values) {
            variant.values.push_back(value->name);
            combination.settings.insert(combination.settings.end(), value->settings.begin(), value->settings.end());
            combination.at_evaluation.insert(combination.at_evaluation.end(), value->at_evaluation.begin(),
                                             value->at_evaluation.end());
        }
        variant.name = join(variant.values, "-");
        for (const auto& other : plan_.variants) {
            if (other.name == variant.name)
                throw ConfigError(values.back()->place + ": two combinations of values are called " + variant.name +
                                  ": rename one of the values");
        }
        variant.overrides = texts_of(combination.settings);
        variant.at_evaluation = texts_of(combination.at_evaluation);
        MeasuredModel measured;
        try {
            add_models(variant);
            measured = measured_model(variant, request_.context);
            add_cells(variant, measured.max_length);
        } catch (const ConfigError& error) {
            combination.refuse(error);
        } catch (const UsageError& error) {
            combination.refuse(error);
        }
        if (study_.probe.chosen()) add_probe_cells(variant, study_.probe, measured, plan_.models);
        plan_.variants.push_back(std::move(variant));
    }

    // Finds or adds the trained models of a variant, one a seed. Variants that differ only in what an evaluation
    // changes share them.
    void add_models(StudyVariant& variant) {
        for (const auto& other : plan_.variants) {
            if (other.overrides != variant.overrides) continue;
            variant.models = other.models;
            variant.seeds = other.seeds;
            variant.config = other.config;
            return;
        }
        for (const auto seed : study_.seeds) {
            PlannedModel model;
            model.name = variant.name + "/seed-" + std::to_string(seed);
            model.timed_as = variant.name;
            model.files = study_.base;
            model.overrides = variant.overrides;
            model.overrides.push_back("train.seed=" + std::to_string(seed));
            load_planned(model, request_.context);
            if (!model.config.train.seeds.empty())
                throw ConfigError("train.seeds: a study trains each seed by itself: name them in its own seeds");
            if (study_.probe.kind != kProbeOfTasks && model.config.data.store.empty())
                throw ConfigError(
                    "data.store: a study measures its models on the store that they are trained on, so that "
                    "each needs one (and no data.mixture); models of a task are measured by probe: {kind: tasks}");
            model.method = model.config.position.method_names();
            model.train_length = model.config.train.length;
            variant.models.push_back(plan_.models.size());
            variant.seeds.push_back(seed);
            plan_.models.push_back(std::move(model));
        }
        variant.config = plan_.models[variant.models.front()].config;
    }

    // Adds a cell for each evaluation. `max_length` is the longest window that the variant serves; 0: any.
    void add_cells(StudyVariant& variant, std::int64_t max_length) {
        for (const auto stride : study_.strides) {
            auto& cells = variant.cells.emplace_back();
            const auto lengths = in_tokens(study_.lengths, study_.multiples, variant.config.train.length);
            for (const auto length : lengths) {
                StudyCell cell{length, stride == 0 ? length : stride, "", {}};
                if (max_length > 0 && length > max_length)
                    cell.absent = fmt::format("the positions end at {}", max_length);
                else if (stride > length)
                    cell.absent = fmt::format("stride {} is longer", stride);
                else
                    add_evals(variant, stride, length);
                cells.push_back(std::move(cell));
            }
        }
    }

    void add_evals(const StudyVariant& variant, std::int64_t stride, std::int64_t length) {
        PlannedEval eval;
        eval.file = kResults;
        eval.split = study_.split;
        eval.stride = stride;
        eval.stream_tokens = study_.max_stream_tokens;
        eval.split_tokens = split_tokens(variant.config, study_.split);
        eval.overrides = variant.at_evaluation;
        for (const auto model : variant.models) add_eval(plan_.models[model].evals, eval, length);
    }

    [[nodiscard]] std::string baseline_of(const StudyVariant& variant) const {
        if (study_.baseline.empty()) return "";
        for (const auto& other : plan_.variants) {
            std::size_t unlike = 0, differences = 0;
            for (std::size_t axis = 0; axis < variant.values.size(); ++axis) {
                if (variant.values[axis] == other.values[axis]) continue;
                ++differences;
                unlike += other.values[axis] != study_.baseline;
            }
            if (differences == 1 && unlike == 0) return other.name;
        }
        return "";
    }

    // Gives a variant the rows of its models. Of several rows of one measurement, the last one counts.
    void fill_cells(StudyVariant& variant) {
        for (const auto index : variant.models) {
            const auto& model = plan_.models[index];
            const auto& rows = rows_.at(model.name).perplexity;
            fill_probe_cells(variant, model, rows_.at(model.name).probes);
            variant.done.push_back(model.done());
            for (const auto& eval : model.evals) {
                if (eval.overrides != variant.at_evaluation) continue;
                for (auto& cell : cells_at(variant, eval.stride)) {
                    if (!cell.absent.empty() || eval.missing.contains(cell.length)) continue;
                    const auto found = std::find_if(rows.rbegin(), rows.rend(), [&](const EvalResult& row) {
                        return is_row_of(row, model, eval, cell.length);
                    });
                    if (found != rows.rend()) cell.rows.push_back(*found);
                }
            }
        }
    }

    std::vector<StudyCell>& cells_at(StudyVariant& variant, std::int64_t stride) const {
        const auto at = std::find(study_.strides.begin(), study_.strides.end(), stride);
        return variant.cells[static_cast<std::size_t>(at - study_.strides.begin())];
    }

    [[nodiscard]] bool belongs(const StudyVariant& variant, const StudyPart& part) const {
        for (std::size_t axis = 0; axis < study_.axes.size(); ++axis) {
            const auto names = [&](const StudyValue& value) {
                return std::find(part.values.begin(), part.values.end(), value.name) != part.values.end();
            };
            const auto& values = study_.axes[axis].values;
            const bool named = std::any_of(values.begin(), values.end(), names);
            if (named && std::find(part.values.begin(), part.values.end(), variant.values[axis]) == part.values.end())
                return false;
        }
        return true;
    }

    // Finds the models of each part, and drops those that are not of the requested one.
    void add_parts() {
        std::set<std::string> wanted;
        std::vector<std::string> names;
        for (const auto& part : study_.parts) {
            names.push_back(part.name);
            std::set<std::string> models;
            for (const auto& variant : plan_.variants) {
                if (!belongs(variant, part)) continue;
                for (const auto index : variant.models) models.insert(plan_.models[index].name);
            }
            if (part.name == request_.part) wanted = models;
            plan_.parts.emplace_back(part.name, std::move(models));
        }
        if (request_.part.empty()) return;
        if (std::find(names.begin(), names.end(), request_.part) == names.end()) {
            const auto near = nearest(request_.part, names);
            throw UsageError("--part " + request_.part + ": " + study_.file + " has no such part" +
                             (near            ? "; did you mean " + *near + "?"
                              : names.empty() ? ", because it has none"
                                              : "; there are " + join(names, ", ")));
        }
        std::erase_if(plan_.models, [&](const PlannedModel& model) { return !wanted.contains(model.name); });
    }

    const StudyRequest& request_;
    const StudySettings& study_;
    StudyPlan plan_;
    std::map<std::string, ModelRows> rows_;  // of each model
};

}  // namespace

StudyPlan plan_study(const StudyRequest& request) { return Planner(request).plan(); }

}  // namespace longbow
