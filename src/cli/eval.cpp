// longbow eval: perplexity of checkpoints at several lengths, one row of results.jsonl each.
#include <algorithm>
#include <iostream>

#include "eval_estimate.h"
#include "eval_output.h"
#include "eval_rows.h"
#include "flag_values.h"
#include "longbow/attention/attention_backend.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/input.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/terminal.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

void check_flags(EvalFlags& flags) {
    if (!flags.out.empty()) check_output(flags.out);
    flags.lengths = distinct_lengths(flags.lengths);
    for (const auto length : flags.lengths) check_plan({flags.request.protocol, length, flags.request.stride, 0, {}});
    if (flags.data.empty() == flags.text.empty()) throw UsageError("longbow eval needs either --data STORE or --text FILE");
    if (!flags.token_logprobs.empty() && flags.lengths.size() > 1 && flags.token_logprobs.find("{length}") == std::string::npos) {
        throw UsageError("--token-logprobs with several lengths needs {length} in the file name, e.g. logprobs-{length}.npy");
    }
}

int dry_run(const EvalFlags& flags, const Ranked& ranked) {
    prepare_process(ranked.device);
    const auto limit = flags.request.max_stream_tokens;
    MeasuredText text(flags.data, flags.text, flags.split, ranked.threads, limit > 0 ? std::min(limit, kAssumedTokens) : kAssumedTokens);
    EvalPlans windows;
    auto runs = load_eval_runs(flags, text, windows, /*leader=*/true);
    const auto plans = plan_rows(flags, runs, text, windows, ranked);
    const int width = stdout_is_terminal() ? stdout_width() : 0;
    double seconds = 0;
    for (const auto& plan : plans) {
        std::vector<EstimatedWork> work;
        for (const auto& row : plan.rows) work.push_back({&row.plan, row.to_measure ? "" : "done"});
        const auto estimate =
            estimate_work(plan.run, plan.stream, work, ranked.device, kDryRunSeconds / static_cast<double>(plans.size()), width);
        plan.run.checkpoint.model.reset();
        std::cout << estimate.text << "\n" << std::flush;
        seconds += estimate.seconds;
    }
    std::cout << assumed_text(text, flags.data, width) << estimate_total(seconds, ranked.device, ranked.threads);
    return 0;
}

int eval(const EvalFlags& flags, const Ranked& ranked) {
    auto& ranks = *ranked.ranks;
    install_stop_handlers();
    for (const auto& file : flags.text) {
        if (ranks.leader() && !can_be_read_again(file) && fs::exists(file)) log::info("waiting for the text that comes from " + file);
    }
    ranks.stage("reading the checkpoints and the text", /*patient=*/true);
    MeasuredText text(flags.data, flags.text, flags.split, ranked.threads);
    EvalPlans windows;
    auto runs = load_eval_runs(flags, text, windows, ranks.leader());
    auto plans = plan_rows(flags, runs, text, windows, ranked);
    WorkProgress progress(flops_of(plans), WorkProgress::Of::command);
    for (auto& plan : plans) {
        std::vector<EvalResult> rows;
        const auto work = [&] { rows = measure(flags, plan, progress, ranked); };
        plans.size() == 1 ? work() : named(plan.run, work);
        plan.run.checkpoint.model.reset();                                             // one model at a time
        const bool rows_alone = ranks.leader() && plan.results->is_standard_output();  // there: the table is for the eyes
        if (flags.json || !ranks.leader() || (rows_alone && log::is_quiet())) continue;
        auto& out = rows_alone ? std::cerr : std::cout;
        if (&plan != &plans.front()) out << "\n";
        out << eval_table(rows, !rows_alone && stdout_is_terminal() ? stdout_width() : 0) << std::flush;
    }
    return 0;
}

void add_eval(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<EvalFlags>();
    auto* verb = add_verb(app, context, "eval", "Perplexity of checkpoints at several lengths",
                          "longbow eval runs/alibi --data data/corpora/austen/store --lengths 64,128,256,512,1024\n"
                          "  longbow eval runs/alibi@last --text my.txt --lengths 512 --stride 256 --json\n"
                          "  longbow eval runs/alibi runs/rotary --data data/corpora/austen/store --lengths 1024 --out both.jsonl");
    auto& request = flags->request;
    verb->add_option("CHECKPOINT", flags->checkpoints,
                     "Run directory (its best), checkpoint directory, RUN@last, RUN@step=N, or a folder of seeds; one or more")
        ->required();
    verb->add_option("--data", flags->data, "Token store (longbow prepare)")->type_name("STORE");
    verb->add_option("--text", flags->text, "Text file, encoded with the checkpoint's tokenizer; may be repeated")
        ->type_name("FILE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
    verb->add_option("--split", flags->split, "Split of the store")->capture_default_str()->type_name("NAME");
    add_list(verb, "--lengths", flags->lengths, "Evaluation lengths, e.g. 512,1024", whole_number())->required()->type_name("L,..");
    verb->add_option("--stride", request.stride, "Targets a window, with up to length - stride tokens of context; default: the protocol's")
        ->check(whole_number())
        ->type_name("S");
    verb->add_option("--protocol", request.protocol, join(protocol_names(), " | ") + " (docs/evaluation.md)")
        ->capture_default_str()
        ->type_name("NAME");
    verb->add_flag("--within-documents", request.within_documents, "Windows begin anew at each document");
    verb->add_option("--max-tokens", request.max_batch_tokens, "Input tokens a forward pass")
        ->capture_default_str()
        ->check(whole_number())
        ->type_name("N");
    verb->add_option("--max-stream-tokens", request.max_stream_tokens, "Only the first N tokens of the split")
        ->check(whole_number())
        ->type_name("N");
    verb->add_option("--dtype", flags->model.dtype,
                     join(choice_names<DType>(), " | ") + "; default: fp32 (fp64 for a checkpoint trained so)")
        ->check(CLI::IsMember(choice_names<DType>()))
        ->type_name("DTYPE");
    auto backends = attention_backend_names();
    backends.emplace_back("auto");
    verb->add_option("--attention", flags->model.attention, join(backends, " | ") + "; default: as the checkpoint's configuration says")
        ->check(CLI::IsMember(backends))
        ->type_name("BACKEND");
    verb->add_option("--out", flags->out, "results.jsonl that takes all rows; default: each run's own")
        ->transform(output_file())
        ->type_name("FILE");
    verb->add_option("--token-logprobs", flags->token_logprobs,
                     "NumPy file of one log-probability a scored token; {run} and {length} stand for the run's name and the length")
        ->transform(output_file())
        ->type_name("FILE.npy");
    verb->add_flag("--json", flags->json, "Rows as JSON lines on standard output");
    verb->add_flag("--dry-run", flags->dry_run, "Print what is to be measured and how long it will take here; nothing is written");
    verb->add_flag("--again", flags->again, "Measure again what results.jsonl has already");
    add_rank_arguments(verb, flags->ranks);
    run_with(verb, context, [flags](const CommonOptions& common) {
        check_flags(*flags);
        check_ranks_can_read(flags->ranks, flags->text);
        if (flags->dry_run) return dry_run(*flags, {std::make_shared<Communicator>(), resolve_device(common.device), common.threads});
        return run_ranked(flags->ranks, common, DistConfig{}.timeout, [&](const Ranked& ranked) { return eval(*flags, ranked); });
    });
}
LONGBOW_REGISTER_VERB(30, add_eval);

}  // namespace

}  // namespace longbow
