#include "measured_run.h"

#include <torch/types.h>

#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/input.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/data/memory_stream.h"
#include "longbow/eval/runs.h"
#include "longbow/prepare/text_stream.h"

namespace longbow {

namespace {

// Orders paths by name, with numbers in them ordered by value: seed-2 before seed-10.
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

MeasuredRun load_run(const fs::path& path, const std::string& name, const ModelChoice& choice) {
    MeasuredRun run;
    run.checkpoint = load_checkpoint(path);
    run.folder = run_folder(path);
    run.name = name;
    run.tokenizer = run.checkpoint.tokenizer->fingerprint();
    auto& config = run.checkpoint.config;
    run.dtype = !choice.dtype.empty()               ? choice_named<DType>(choice.dtype).value()
                : config.train.dtype == DType::fp64 ? DType::fp64
                                                    : DType::fp32;
    // The model chooses its parts by its type and its attention. If the choice differs from the checkpoint's,
    // ready_model() builds another model.
    const bool same = run.dtype == config.train.dtype && (choice.attention.empty() || choice.attention == config.attention.backend);
    // So that the rows' configuration includes the choice.
    if (!choice.attention.empty()) config.attention.backend = choice.attention;
    if (!same) run.checkpoint.model.reset();
    return run;
}

// Returns the settings that decide how a text becomes documents and tokens.
DataConfig cutting(const DataConfig& data) {
    DataConfig rules;
    rules.documents = data.documents;
    rules.blank_lines = data.blank_lines;
    rules.jsonl_key = data.jsonl_key;
    return rules;
}

}  // namespace

std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(MeasuredRun&)>& check) {
    const auto paths = resolve_all(arguments);
    const auto names = run_names(paths);
    std::vector<MeasuredRun> runs;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        auto& run = runs.emplace_back(load_run(paths[i], names[i], choice));
        ready_model(run, "cpu");
        if (paths.size() == 1) {
            check(run);
        } else {
            named(run, [&] { check(run); });
            run.checkpoint.model.reset();  // at most one model is in memory
        }
    }
    return runs;
}

LanguageModel& ready_model(MeasuredRun& run, const std::string& device) {
    auto& model = run.checkpoint.model;
    if (!model) {
        auto config = run.checkpoint.config;
        config.train.dtype = run.dtype;
        model = make_language_model(config, run.vocab_size());
        load_weights(run.checkpoint.path, *model);
        model->eval();
    }
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

MeasuredText::MeasuredText(const std::string& store, std::vector<std::string> files, std::string split, int threads, std::int64_t assumed)
    : files_(std::move(files)), split_(std::move(split)), threads_(threads) {
    if (!files_.empty()) return;
    if (assumed > 0 && !fs::exists(fs::path(store) / "manifest.json")) {
        assumed_ = assumed;
    } else {
        store_ = std::make_unique<TokenStore>(store);
    }
}

const TokenStream& MeasuredText::stream(const MeasuredRun& run) {
    if (!store_) return encoded(run);
    if (store_->tokenizer_fingerprint() != run.tokenizer) {
        throw DataError(store_->path().string() + " was made with another tokenizer (" + store_->tokenizer_fingerprint() +
                        ") than the checkpoint " + run.checkpoint.path.string() + " (" + run.tokenizer +
                        "): prepare the text with the checkpoint's tokenizer, or use --text");
    }
    return store_->split(split_);
}

const TokenStream& MeasuredText::encoded(const MeasuredRun& run) {
    const auto rules = cutting(run.checkpoint.config.data);
    const auto known = std::find_if(encoded_.begin(), encoded_.end(),
                                    [&](const Encoded& one) { return one.tokenizer == run.tokenizer && one.data == rules; });
    if (known != encoded_.end()) return *known->stream;
    for (const auto& file : files_) {
        if (!encoded_.empty() && !can_be_read_again(file))
            throw UsageError(
                file + " can be read once, and these runs need it encoded by more than one tokenizer or rule: write it to a file first");
    }
    auto stream = is_assumed() ? assumed_for(run) : stream_of_text(*run.checkpoint.tokenizer, files_, rules, threads_);
    if (stream->size() == 0) throw DataError(join(files_, ", ") + ": no tokens to score");
    encoded_.push_back({run.tokenizer, rules, std::move(stream)});
    return *encoded_.back().stream;
}

// The assumed tokens are every id in turn, since their order does not affect the time.
std::unique_ptr<TokenStream> MeasuredText::assumed_for(const MeasuredRun& run) const {
    std::vector<TokenId> ids(static_cast<std::size_t>(assumed_));
    const auto words = run.checkpoint.tokenizer->vocab_size();
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(static_cast<std::int64_t>(i * 7919) % words);
    return stream_of_ids(std::move(ids), run.checkpoint.tokenizer->boundary());
}

}  // namespace longbow
