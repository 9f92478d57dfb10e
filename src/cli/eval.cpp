// longbow eval: measures the perplexity of checkpoints at several lengths, and writes one row of results.jsonl for
// each.
#include <iostream>

#include "eval_estimate.h"
#include "eval_flags.h"
#include "eval_output.h"
#include "flag_values.h"
#include "longbow/attention/attention_backend.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/input.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/eval/measure_results.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/terminal.h"
#include "ranks.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct EvalFlags {
    RankOptions ranks;
    ResultsRequest request;
    EvalRequest evaluation;  // at each length
    std::vector<std::int64_t> lengths;
    bool json = false;
};

// Completes the request from the flags, and checks what can be checked without a run.
void complete(EvalFlags& flags) {
    auto& request = flags.request;
    take_model_overrides(request);
    if (!request.out.empty()) check_output(request.out);
    flags.lengths = distinct_lengths(flags.lengths);
    for (const auto length : flags.lengths) {
        request.evaluations.push_back(flags.evaluation);
        request.evaluations.back().length = length;
        check_plan(plan_request(request.evaluations.back(), 0));
    }
    check_one_text(request, "longbow eval");
    if (printable(request.data_set) != request.data_set)
        throw UsageError("--data-set " + printable(request.data_set) + ": a name is one line of UTF-8");
    if (!request.token_logprobs.empty() && flags.lengths.size() > 1 &&
        request.token_logprobs.find("{length}") == std::string::npos) {
        throw UsageError(
            "--token-logprobs with several lengths needs {length} in the file name, e.g. logprobs-{length}.npy");
    }
}

ResultsRequest request_on(const EvalFlags& flags, const Ranked& ranked) {
    auto request = flags.request;
    request.device = ranked.device;
    request.threads = ranked.threads;
    return request;
}

int eval(const EvalFlags& flags, const Ranked& ranked) {
    auto& ranks = *ranked.ranks;
    install_stop_handlers();
    for (const auto& file : flags.request.files) {
        if (ranks.leader() && !can_be_read_again(file) && fs::exists(file))
            log::info("waiting for the text that comes from " + file);
    }
    ranks.stage("reading the checkpoints and the text", /*patient=*/true);
    ResultsMeasurement measurement(request_on(flags, ranked), ranks);
    const auto print_row = [&](const PlannedRun& run, const EvalResult& row) {
        if (flags.json && !measurement.uses_standard_output(run)) std::cout << json_text(to_json(row)) << std::endl;
    };
    const auto print_table = [&](const PlannedRun& run, const std::vector<EvalResult>& rows) {
        const bool rows_alone = measurement.uses_standard_output(run);  // the table then goes to stderr
        if (flags.json || (rows_alone && log::is_quiet())) return;
        auto& out = rows_alone ? std::cerr : std::cout;
        if (&run != &measurement.plan().runs().front()) out << "\n";
        out << eval_table(rows, !rows_alone && stdout_is_terminal() ? stdout_width() : 0) << std::flush;
    };
    measurement.measure(print_row, print_table);
    return 0;
}

int dry_run(const EvalFlags& flags, const Ranked& ranked) {
    prepare_process(ranked.device);
    ResultsMeasurement measurement(request_on(flags, ranked), *ranked.ranks);
    print_estimates(measurement.plan());
    return 0;
}

void add_eval(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<EvalFlags>();
    auto* verb = add_verb(
        app, context, "eval", "Perplexity of checkpoints at several lengths",
        "longbow eval runs/alibi --data data/corpora/austen/store --lengths 64,128,256,512,1024\n"
        "  longbow eval runs/alibi@last --text my.txt --lengths 512 --stride 256 --json\n"
        "  longbow eval runs/alibi runs/rotary --data data/corpora/austen/store --lengths 1024 --out both.jsonl\n"
        "  longbow eval runs/rotary position.scaling=yarn position.factor=4 --data data/corpora/austen/store --lengths 256\n"
        "  longbow eval runs/pythia --ids ids.npy --protocol hf --lengths 2048,8192 --stride 512");
    auto& request = flags->request;
    auto& evaluation = flags->evaluation;
    verb->add_option(
            "CHECKPOINT", request.checkpoints,
            "Run directory (its best), checkpoint directory, RUN@last, RUN@step=N, a folder of seeds, or a public model "
            "(FOLDER or FILE.gguf, docs/import.md); one or more. "
            "position.KEY=VALUE and attention.KEY=VALUE among them change these settings of all")
        ->required();
    add_text_flags(verb, request);
    verb->add_option(
            "--data-set", request.data_set,
            "The data set's name for the rows, e.g. wikitext103; default: the one that the path of the store or text names, if it does")
        ->type_name("NAME");
    add_list(verb, "--lengths", flags->lengths, "Evaluation lengths, e.g. 512,1024", whole_number())
        ->required()
        ->type_name("L,..");
    add_window_flags(verb, evaluation);
    add_model_flags(verb, request.model, evaluation);
    verb->add_option("--out", request.out, "results.jsonl that takes all rows; default: each run's own")
        ->transform(output_file())
        ->type_name("FILE");
    verb->add_option(
            "--token-logprobs", request.token_logprobs,
            "NumPy file of one log-probability a scored token, float32 or with --dtype fp64 float64; {run} and {length} stand for the run's name and the length")
        ->transform(output_file())
        ->type_name("FILE.npy");
    verb->add_flag("--json", flags->json, "Rows as JSON lines on standard output");
    verb->add_flag("--dry-run", request.only_estimates,
                   "Print what is to be measured and how long it will take on this machine; nothing is written");
    verb->add_flag("--again", request.again, "Measure again what results.jsonl has already");
    add_rank_arguments(verb, flags->ranks);
    run_with(verb, context, [flags](const CommonOptions& common) {
        complete(*flags);
        check_ranks_can_read(flags->ranks, flags->request.read_files());
        if (flags->request.only_estimates)
            return dry_run(*flags, {std::make_shared<Communicator>(), resolve_device(common.device), common.threads});
        return run_ranked(flags->ranks, common, DistConfig{}.timeout,
                          [&](const Ranked& ranked) { return eval(*flags, ranked); });
    });
}
LONGBOW_REGISTER_VERB(30, add_eval);

}  // namespace

}  // namespace longbow
