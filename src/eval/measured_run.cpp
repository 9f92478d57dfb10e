#include "longbow/eval/measured_run.h"

#include <torch/types.h>

#include <algorithm>
#include <set>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/eval/runs.h"

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

// Returns the checkpoints that an argument stands for. A text that exists as a path is that path, even if it contains
// '@'. A folder that is no run stands for all runs in it.
std::vector<fs::path> checkpoints_of(const std::string& text) {
    fs::path folder = text;
    std::string which;
    if (const auto at = text.rfind('@'); !fs::exists(folder) && at != std::string::npos) {
        folder = text.substr(0, at);
        which = text.substr(at);
    }
    if (const auto run = run_of_checkpoints(folder); !run.empty()) return {resolve_checkpoint(run.string() + which)};
    const bool is_run = fs::exists(folder / "checkpoints") || fs::exists(folder / "manifest.json");
    std::vector<fs::path> runs;
    if (fs::is_directory(folder) && !is_run) {
        for (const auto& found : find_runs(folder)) {
            if (found.checkpoints) runs.push_back(found.folder);
        }
    }
    if (runs.empty()) return {resolve_checkpoint(text)};
    std::sort(runs.begin(), runs.end(), before);
    std::vector<fs::path> checkpoints;
    for (const auto& run : runs) checkpoints.push_back(resolve_checkpoint(run.string() + which));
    return checkpoints;
}

std::vector<fs::path> resolve_all(const std::vector<std::string>& arguments) {
    std::vector<fs::path> checkpoints;
    std::set<fs::path> seen;
    for (const auto& text : arguments) {
        for (const auto& checkpoint : checkpoints_of(text)) {
            if (seen.insert(fs::canonical(checkpoint)).second) checkpoints.push_back(checkpoint);
        }
    }
    return checkpoints;
}

// This check comes before the first forward pass. The model has no values, which would take memory and time.
void check_model(MeasuredRun& run, const Config& config) {
    const auto shape = make_meta_model(config, run.vocab_size());
    check_weights(run.checkpoint.path, *shape);
    run.max_length = shape->position().max_length();
    make_attention_backend(config.attention.backend, attention_request(config, shape->position(), run.dtype, "cpu"));
}

// The model chooses its parts by its type and its attention, so these must be in its configuration.
Config model_config(const MeasuredRun& run) {
    auto config = run.checkpoint.config;
    config.train.dtype = run.dtype;
    return config;
}

MeasuredRun load_run(const fs::path& path, const std::string& name, const ModelChoice& choice) {
    MeasuredRun run;
    run.checkpoint = open_checkpoint(path);
    run.folder = run_folder(path);
    run.name = name;
    run.tokenizer = run.checkpoint.tokenizer->fingerprint();
    auto& config = run.checkpoint.config;
    run.dtype = !choice.dtype.empty()               ? choice_named<DType>(choice.dtype).value()
                : config.train.dtype == DType::fp64 ? DType::fp64
                                                    : DType::fp32;
    if (!choice.attention.empty() && choice.attention != config.attention.backend) {
        config.attention.backend = choice.attention;  // the row's fingerprint then includes it
        config.attention.options.clear();
    }
    check_model(run, model_config(run));
    return run;
}

}  // namespace

std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(const MeasuredRun&)>& check) {
    const auto paths = resolve_all(arguments);
    const auto names = run_names(paths);
    std::vector<MeasuredRun> runs;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        const auto& run = runs.emplace_back(load_run(paths[i], names[i], choice));
        paths.size() == 1 ? check(run) : named(run, [&] { check(run); });
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

}  // namespace longbow
