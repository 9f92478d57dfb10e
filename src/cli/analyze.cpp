// longbow analyze: explains a result. Its one analysis is early-token.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <set>

#include "eval_estimate.h"
#include "eval_output.h"
#include "flag_values.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/data/store_name.h"
#include "longbow/eval/evaluator.h"
#include "longbow/report/early_token.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/terminal.h"
#include "measured_run.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct EarlyTokenFlags {
    std::vector<std::string> checkpoints;
    std::string data, split = "valid", out;
    std::vector<std::int64_t> lengths;
    EvalRequest request;
    bool json = false, dry_run = false;
};

void check_flags(EarlyTokenFlags& flags) {
    flags.lengths = distinct_lengths(flags.lengths);
    std::sort(flags.lengths.begin(), flags.lengths.end());
    if (flags.lengths.size() < 2) throw UsageError("longbow analyze early-token compares lengths: give two or more, e.g. --lengths 64,256");
    if (flags.request.stride == 0) flags.request.stride = std::max<std::int64_t>(1, flags.lengths.front() / 4);
    if (flags.request.stride >= flags.lengths.front()) {
        throw UsageError(strprintf("--stride %lld leaves windows of the shortest length, %lld, no context: take less",
                                   static_cast<long long>(flags.request.stride), static_cast<long long>(flags.lengths.front())));
    }
}

// Two evaluations for each length: windows without overlap, then sliding ones.
std::vector<EvalRequest> requests_of(const EarlyTokenFlags& flags, const MeasuredRun& run) {
    std::vector<EvalRequest> requests;
    for (const auto length : flags.lengths) {
        for (const auto stride : {length, flags.request.stride}) {
            auto& request = requests.emplace_back(flags.request);
            request.length = length;
            request.stride = stride;
            request.dtype = run.dtype;
        }
    }
    return requests;
}

// Returns the folder for a run's figure and numbers; empty if nothing is written.
fs::path out_of(const EarlyTokenFlags& flags, const MeasuredRun& run, bool several) {
    return flags.out.empty() || !several ? fs::path(flags.out) : fs::path(flags.out) / run.name;
}

void check_outputs(const EarlyTokenFlags& flags, const std::vector<MeasuredRun>& runs) {
    std::map<fs::path, const MeasuredRun*> folders;
    for (const auto& run : runs) {
        const auto folder = out_of(flags, run, runs.size() > 1);
        if (folder.empty()) return;
        if (const auto [other, fresh] = folders.emplace(folder, &run); !fresh) {
            throw UsageError("--out: " + folder.string() + " would hold the figures of " + other->second->checkpoint.path.string() +
                             " and of " + run.checkpoint.path.string() + ": analyze them by a command each");
        }
        check_output_folder(folder);
    }
    for (const auto& [named, run] : folders) {
        const auto folder = make_output_folder(named);
        for (const char* name : {"early-token.json", "early-token.svg"}) check_output(folder / name);
    }
}

// Returns the file in which an evaluation's losses are kept until the whole analysis is done; empty if `folder` is
// empty.
fs::path partial_of(const fs::path& folder, const MeasuredRun& run, const TokenStream& stream, const EvalRequest& request) {
    const auto key = fingerprint(strprintf("%s|%s|%lld|%lld|%lld|%s", run.checkpoint.fingerprint.c_str(), stream.fingerprint().c_str(),
                                           static_cast<long long>(request.length), static_cast<long long>(request.stride),
                                           static_cast<long long>(request.max_stream_tokens), std::string(name_of(request.dtype)).c_str()));
    return folder.empty() ? fs::path() : folder / (".analyze-" + key.substr(key.size() - 12) + ".partial");
}

fs::path partial_folder(const fs::path& out, const MeasuredRun& run) {
    if (!out.empty()) return out;
    if (::access(run.folder.c_str(), W_OK) == 0) return run.folder;
    log::warn(run.folder.string() + " cannot be written to: an interruption will lose what is done (--out names another place)");
    return {};
}

EarlyTokenAnalysis analyse(const EarlyTokenFlags& flags, MeasuredRun& run, const TokenStream& stream, EvalPlans& plans,
                           const fs::path& partials, WorkProgress& progress, std::vector<fs::path>& kept) {
    std::vector<std::vector<float>> series;
    std::vector<EvalResult> rows;
    for (const auto& request : requests_of(flags, run)) {
        EvalOptions options;
        options.label = strprintf("%s, length %lld, stride %lld", run.name.c_str(), static_cast<long long>(request.length),
                                  static_cast<long long>(request.stride));
        options.whole = &progress;
        options.partial = kept.emplace_back(partial_of(partials, run, stream, request));
        options.keep_partial = true;
        const auto& plan = plans.of(stream, request);
        series.push_back(evaluate_tokens(*run.checkpoint.model, stream, plan, options));
        auto& row = rows.emplace_back(summarise(series.back(), stream, plan));
        row.name = run.name;
        row.position = run.checkpoint.config.position.method;
        row.train_length = run.checkpoint.config.train.length;
        row.split = flags.split;
        row.data_name = store_name(flags.data);
    }
    std::vector<EarlyTokenLength> lengths;
    std::vector<std::vector<float>> apart, sliding;
    for (std::size_t i = 0; i < rows.size(); i += 2) {
        lengths.push_back({std::move(rows[i]), std::move(rows[i + 1]), {}});
        apart.push_back(std::move(series[i]));
        sliding.push_back(std::move(series[i + 1]));
    }
    return analyse_early_tokens(std::move(lengths), apart, sliding);
}

std::vector<MeasuredRun> load(const EarlyTokenFlags& flags, MeasuredText& text, EvalPlans& plans) {
    std::set<const TokenStream*> seen;  // runs that share a text are warned about it once
    return load_runs(flags.checkpoints, {}, [&](MeasuredRun& run) {
        const auto& stream = text.stream(run);
        const bool first = seen.insert(&stream).second;
        for (const auto& request : requests_of(flags, run)) {
            plans.of(stream, request);
            check_length(*run.checkpoint.model, request.length);
            if (first && request.stride == request.length) warn_if_unreached(plan_request(stream, request));
        }
    });
}

int dry_run(const EarlyTokenFlags& flags, const CommonOptions& common) {
    const auto device = resolve_device(common.device);
    prepare_process(device);
    const auto limit = flags.request.max_stream_tokens;
    MeasuredText text(flags.data, {}, flags.split, common.threads, limit > 0 ? std::min(limit, kAssumedTokens) : kAssumedTokens);
    EvalPlans plans;
    auto runs = load(flags, text, plans);
    const int width = stdout_is_terminal() ? stdout_width() : 0;
    double seconds = 0;
    for (auto& run : runs) {
        std::vector<EstimatedWork> work;
        for (const auto& request : requests_of(flags, run)) work.push_back({&plans.of(text.stream(run), request), ""});
        const auto estimate = estimate_work(run, text.stream(run), work, device, kDryRunSeconds / static_cast<double>(runs.size()), width);
        run.checkpoint.model.reset();
        std::cout << estimate.text << "\n" << std::flush;
        seconds += estimate.seconds;
    }
    std::cout << assumed_text(text, flags.data, width) << estimate_total(seconds, device, common.threads);
    return 0;
}

int early_token(const EarlyTokenFlags& flags, const CommonOptions& common) {
    install_stop_handlers();
    const auto device = resolve_device(common.device);
    prepare_process(device);
    MeasuredText text(flags.data, {}, flags.split, common.threads);
    EvalPlans plans;
    auto runs = load(flags, text, plans);
    check_outputs(flags, runs);
    double flops = 0;
    for (const auto& run : runs) {
        for (const auto& request : requests_of(flags, run))
            flops += evaluation_flops(run.checkpoint.config, run.vocab_size(), plans.of(text.stream(run), request).windows);
    }
    WorkProgress progress(flops, WorkProgress::Of::command);
    Json all = Json::array();
    for (auto& run : runs) {
        const auto out = out_of(flags, run, runs.size() > 1);
        EarlyTokenAnalysis analysis;
        std::vector<fs::path> kept;
        const auto work = [&] {
            ready_model(run, device);
            analysis = analyse(flags, run, text.stream(run), plans, partial_folder(out, run), progress, kept);
        };
        runs.size() == 1 ? work() : named(run, work);
        run.checkpoint.model.reset();
        progress.finish();
        all.push_back(early_token_json(analysis));
        if (!flags.json) std::cout << (&run == &runs.front() ? "" : "\n") << early_token_text(analysis) << std::flush;
        if (!out.empty()) {
            write_file_atomic(out / "early-token.json", json_text(all.back(), 2) + "\n");
            write_file_atomic(out / "early-token.svg", early_token_svg(analysis));
            log::info("wrote " + (out / "early-token.{json,svg}").string());
        }
        for (const auto& file : kept) fs::remove(file);
    }
    if (flags.json) std::cout << json_text(runs.size() == 1 ? all.front() : all, 2) << "\n";
    return 0;
}

void add_analyze(CLI::App& app, VerbContext& context) {
    const char* example =
        "longbow analyze early-token runs/alibi --data data/corpora/austen/store --lengths 64,256,1024 --out runs/alibi/early-token";
    auto* group = add_verb_group(app, "analyze", "Say why a result is what it is", example);
    auto flags = std::make_shared<EarlyTokenFlags>();
    auto* verb = add_verb(*group, context, "early-token",
                          "How much of the gain from longer inputs is the early-token curse (appendix B of the ALiBi paper)", example);
    verb->add_option("CHECKPOINT", flags->checkpoints,
                     "Run directory (its best), checkpoint directory, RUN@last, RUN@step=N, or a folder of seeds; one or more")
        ->required();
    verb->add_option("--data", flags->data, "Token store (longbow prepare)")->type_name("STORE")->required();
    verb->add_option("--split", flags->split, "Split of the store")->capture_default_str()->type_name("NAME");
    add_list(verb, "--lengths", flags->lengths, "Evaluation lengths, two or more", whole_number())->required()->type_name("L,..");
    verb->add_option("--stride", flags->request.stride,
                     "Of the sliding windows; default: a quarter of the shortest length (the paper's: 1)")
        ->check(whole_number())
        ->type_name("S");
    verb->add_option("--max-stream-tokens", flags->request.max_stream_tokens, "Only the first N tokens of the split")
        ->check(whole_number())
        ->type_name("N");
    verb->add_option("--out", flags->out, "Folder for early-token.json and the figure early-token.svg; of several runs a folder each in it")
        ->check(output_folder())
        ->type_name("DIR");
    verb->add_flag("--json", flags->json, "JSON on standard output instead of text; of several runs an array");
    verb->add_flag("--dry-run", flags->dry_run, "Print what is to be measured and how long it will take here; nothing is written");
    run_with(verb, context, [flags](const CommonOptions& common) {
        check_flags(*flags);
        return flags->dry_run ? dry_run(*flags, common) : early_token(*flags, common);
    });
}
LONGBOW_REGISTER_VERB(45, add_analyze);

}  // namespace

}  // namespace longbow
