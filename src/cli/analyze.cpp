// longbow analyze: explains a result. Its one analysis is early-token.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <map>
#include <memory>

#include "eval_estimate.h"
#include "flag_values.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/eval/measure.h"
#include "longbow/report/early_token.h"
#include "longbow/telemetry/log.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct EarlyTokenFlags {
    MeasureRequest request;
    EvalRequest evaluation;  // at each length: sliding, and without overlap
    std::vector<std::int64_t> lengths;
    std::string out;
    bool json = false;
};

// Completes the request from the flags: two evaluations for each length, with windows without overlap and with sliding
// ones.
void complete(EarlyTokenFlags& flags) {
    take_model_overrides(flags.request);
    if (!flags.out.empty()) check_output_folder(flags.out);
    auto& lengths = flags.lengths;
    auto& stride = flags.evaluation.stride;
    lengths = distinct_lengths(lengths);
    std::sort(lengths.begin(), lengths.end());
    if (lengths.size() < 2)
        throw UsageError("longbow analyze early-token compares lengths: give two or more, e.g. --lengths 64,256");
    if (stride == 0) stride = std::max<std::int64_t>(1, lengths.front() / 4);
    if (stride >= lengths.front()) {
        throw UsageError(fmt::format("--stride {} leaves windows of the shortest length, {}, no context: take less",
                                     stride, lengths.front()));
    }
    for (const auto length : lengths) {
        for (const auto of_windows : {length, stride}) {
            auto& evaluation = flags.request.evaluations.emplace_back(flags.evaluation);
            evaluation.length = length;
            evaluation.stride = of_windows;
        }
    }
}

// Returns the folder for a run's figure and numbers; empty if nothing is written.
fs::path out_of(const EarlyTokenFlags& flags, const MeasuredRun& run, bool several) {
    return flags.out.empty() || !several ? fs::path(flags.out) : fs::path(flags.out) / run.name;
}

void check_outputs(const EarlyTokenFlags& flags, const std::deque<PlannedRun>& runs) {
    std::map<fs::path, const MeasuredRun*> folders;
    for (const auto& planned : runs) {
        const auto& run = planned.run;
        const auto folder = out_of(flags, run, runs.size() > 1);
        if (folder.empty()) return;
        if (const auto [other, inserted] = folders.emplace(folder, &run); !inserted) {
            throw UsageError("--out: " + folder.string() + " would be written for both " +
                             other->second->checkpoint.path.string() + " and " + run.checkpoint.path.string() +
                             ": analyze each of them with its own command");
        }
        check_output_folder(folder);
    }
    for (const auto& [named, run] : folders) {
        const auto folder = make_output_folder(named);
        for (const char* name : {"early-token.json", "early-token.svg"}) check_output(folder / name);
    }
}

// Returns the file in which an evaluation's losses are kept until the whole analysis is done; empty if the run has no
// folder for partial results.
fs::path partial_of(const PlannedRun& planned, const PlannedRow& row) {
    const auto& expected = row.expected;
    const auto key = fingerprint(fmt::format("{}|{}|{}|{}|{}|{}", expected.checkpoint, expected.data, expected.length,
                                             expected.stride, expected.max_stream_tokens, expected.dtype));
    return planned.partials.empty() ? fs::path()
                                    : planned.partials / (".analyze-" + key.substr(key.size() - 12) + ".partial");
}

fs::path partial_folder(const fs::path& out, const MeasuredRun& run) {
    if (!out.empty()) return out;
    if (!runs_in_model(run) && ::access(run.folder.c_str(), W_OK) == 0) return run.folder;
    log::warn(run.folder.string() +
              " cannot be written to: an interruption will lose what is done (--out names another place)");
    return {};
}

EarlyTokenAnalysis analyse(const MeasurePlan& plan, PlannedRun& run, WorkProgress& progress) {
    std::vector<MeasuredRow> rows;
    for (const auto& row : run.rows) rows.push_back(measure_row(plan, run, row, partial_of(run, row), progress));
    std::vector<EarlyTokenLength> lengths;
    std::vector<std::vector<double>> disjoint, sliding;
    for (std::size_t i = 0; i < rows.size(); i += 2) {
        lengths.push_back({std::move(rows[i].row), std::move(rows[i + 1].row), {}});
        disjoint.push_back(std::move(rows[i].nll));
        sliding.push_back(std::move(rows[i + 1].nll));
    }
    return analyse_early_tokens(std::move(lengths), disjoint, sliding);
}

// Returns the request for this machine, and sets the process up to compute it.
MeasureRequest prepared_request(const EarlyTokenFlags& flags, const CommonOptions& common) {
    auto request = flags.request;
    request.device = resolve_device(common.device);
    request.threads = common.threads;
    prepare_process(request.device);
    return request;
}

int early_token(const EarlyTokenFlags& flags, const CommonOptions& common) {
    install_stop_handlers();
    MeasurePlan plan(prepared_request(flags, common));
    const bool several = plan.runs().size() > 1;
    check_outputs(flags, plan.runs());
    WorkProgress progress(plan.flops(), WorkProgress::Scope::command);
    Json all = Json::array();
    plan.each_run([&](PlannedRun& run) {
        const auto out = out_of(flags, run.run, several);
        run.partials = partial_folder(out, run.run);
        const auto analysis = analyse(plan, run, progress);
        progress.finish();
        all.push_back(early_token_json(analysis));
        if (!flags.json)
            std::cout << (&run == &plan.runs().front() ? "" : "\n") << early_token_text(analysis) << std::flush;
        if (!out.empty()) {
            write_file_atomic(out / "early-token.json", json_text(all.back(), 2) + "\n");
            write_file_atomic(out / "early-token.svg", early_token_svg(analysis));
            log::info("wrote " + (out / "early-token.{json,svg}").string());
        }
        for (const auto& row : run.rows) fs::remove(partial_of(run, row));
    });
    if (flags.json) std::cout << json_text(several ? all : all.front(), 2) << "\n";
    return 0;
}

int dry_run(const EarlyTokenFlags& flags, const CommonOptions& common) {
    MeasurePlan plan(prepared_request(flags, common));
    print_estimates(plan);
    return 0;
}

void add_analyze(CLI::App& app, VerbContext& context) {
    const char* example =
        "longbow analyze early-token runs/alibi --data data/corpora/austen/store --lengths 64,256,1024 --out runs/alibi/early-token";
    auto* group = add_verb_group(app, "analyze", "Explain a result", example);
    auto flags = std::make_shared<EarlyTokenFlags>();
    auto& request = flags->request;
    auto* verb = add_verb(
        *group, context, "early-token",
        "How much of the gain from longer inputs is the early-token curse (appendix B of the ALiBi paper)", example);
    verb->add_option(
            "CHECKPOINT", request.checkpoints,
            "Run directory (its best), checkpoint directory, RUN@last, RUN@step=N, a folder of seeds, or a public model "
            "(FOLDER or FILE.gguf, docs/import.md); one or more. "
            "position.KEY=VALUE and attention.KEY=VALUE among them change these settings of all")
        ->required();
    verb->add_option("--data", request.store, "Token store (longbow prepare)")->type_name("STORE")->required();
    verb->add_option("--split", request.split, "Split of the store")->capture_default_str()->type_name("NAME");
    add_list(verb, "--lengths", flags->lengths, "Evaluation lengths, two or more", whole_number())
        ->required()
        ->type_name("L,..");
    verb->add_option("--stride", flags->evaluation.stride,
                     "Of the sliding windows; default: a quarter of the shortest length (the paper's: 1)")
        ->check(whole_number())
        ->type_name("S");
    verb->add_option("--max-stream-tokens", flags->evaluation.max_stream_tokens, "Only the first N tokens of the split")
        ->check(whole_number())
        ->type_name("N");
    verb->add_option("--out", flags->out,
                     "Folder for early-token.json and the figure early-token.svg; of several runs a folder each in it")
        ->check(output_folder())
        ->type_name("DIR");
    verb->add_flag("--json", flags->json, "JSON on standard output instead of text; of several runs an array");
    verb->add_flag("--dry-run", request.only_estimates,
                   "Print what is to be measured and how long it will take on this machine; nothing is written");
    run_with(verb, context, [flags](const CommonOptions& common) {
        complete(*flags);
        return flags->request.only_estimates ? dry_run(*flags, common) : early_token(*flags, common);
    });
}
LONGBOW_REGISTER_VERB(45, add_analyze);

}  // namespace

}  // namespace longbow
