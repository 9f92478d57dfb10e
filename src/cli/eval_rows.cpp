#include "eval_rows.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <set>

#include "eval_output.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/input.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/data/store_name.h"
#include "longbow/model/device_memory.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

EvalRequest request_of(const EvalFlags& flags, const MeasuredRun& run, std::int64_t length) {
    auto request = flags.request;
    request.length = length;
    request.dtype = run.dtype;
    return request;
}

std::string results_of(const EvalFlags& flags, const MeasuredRun& run) {
    return flags.out.empty() ? (run.folder / "results.jsonl").string() : flags.out;
}

// A row as it would be, without its numbers: what results.jsonl is searched for.
EvalResult expected_row(const MeasuredRun& run, const TokenStream& stream, const EvalRequest& request) {
    const auto& checkpoint = run.checkpoint;
    auto config = checkpoint.config;
    const auto print = [&] { return config_fingerprint(config, registered_config_context()); };
    EvalResult row;
    row.name = run.name;
    row.position = config.position.method;
    row.train_length = config.train.length;
    row.seed = config.train.seed;
    row.updates = checkpoint.state.updates;
    row.checkpoint = checkpoint.fingerprint;
    row.tokenizer = run.tokenizer;
    row.config = print();
    config.train.seed = 0;
    config.train.seeds.clear();
    row.config_group = print();
    row.data = stream.fingerprint();
    take_settings(row, request);
    return row;
}

// An output that can be written, and takes the place of none of the texts.
void check_apart(const std::string& flag, const std::string& path, const std::vector<std::string>& texts) {
    if (find_output(path).stream) return;
    for (const auto& text : texts) {
        if (same_output(path, text)) throw UsageError(flag + " " + path + " is the text that is measured: name another file");
    }
}

// What is measured, and the run's own records, stay whole.
void check_not_of_run(const MeasuredRun& run, const std::string& flag, const std::string& path) {
    const auto place = find_output(path);
    if (place.stream) return;
    // Stores and checkpoints have a manifest of their files; results that somebody put beside them are none of these.
    const auto ending = place.path.extension();
    if (ending != ".jsonl" && ending != ".npy" && fs::exists(place.path) &&
        fs::exists(fs::absolute(place.path).parent_path() / "manifest.json"))
        throw UsageError(flag + " " + path + " is a file of a token store or a checkpoint: name another file");
    for (const char* name : {"config.yaml", "metrics.jsonl", "log.txt", "fork.json"}) {
        if (same_output(path, run.folder / name)) throw UsageError(flag + " " + path + " is the run's " + name + ": name another file");
    }
}

// Everything that can go wrong with a run without a forward pass, for all lengths.
void check_run(const EvalFlags& flags, const MeasuredRun& run, const TokenStream& stream, EvalPlans& plans, bool leader, bool warns) {
    for (const auto length : flags.lengths) {
        const auto request = request_of(flags, run, length);
        plans.of(stream, request);
        check_length(*run.checkpoint.model, length);
        if (warns) warn_if_unreached(plan_request(stream, request));
    }
    if (!leader || flags.dry_run) return;
    const auto results = results_of(flags, run);
    check_apart("--out", results, flags.text);
    check_not_of_run(run, "--out", results);
    if (flags.token_logprobs.empty()) return;
    for (const auto length : flags.lengths) {
        const auto path = logprobs_path(flags.token_logprobs, run.name, length);
        check_apart("--token-logprobs", path, flags.text);
        check_not_of_run(run, "--token-logprobs", path);
        if (!find_output(path).stream && same_output(path, results))
            throw UsageError("--token-logprobs " + path + " is the --out file: name another");
    }
}

// Two runs of one name (two checkpoints of a run) would write one file.
void check_logprobs(const EvalFlags& flags, const std::vector<MeasuredRun>& runs) {
    const auto& pattern = flags.token_logprobs;
    if (pattern.empty() || runs.size() == 1) return;
    if (pattern.find("{run}") == std::string::npos) {
        throw UsageError("--token-logprobs with several runs needs {run} in the file name, e.g. logprobs-{run}" +
                         std::string(flags.lengths.size() > 1 ? "-{length}" : "") + ".npy");
    }
    std::map<std::string, const MeasuredRun*> paths;
    for (const auto& run : runs) {
        const auto path = logprobs_path(pattern, run.name, flags.lengths.front());
        const auto [other, fresh] = paths.emplace(path, &run);
        if (fresh) continue;
        throw UsageError("--token-logprobs: " + path + " would hold those of " + other->second->checkpoint.path.string() + " and of " +
                         run.checkpoint.path.string() + ": measure them by a command each");
    }
}

fs::path partial_of(const PlannedRun& plan, const PlannedRow& row) {
    const auto key = fingerprint(json_text(to_json(row.expected)));
    return plan.partials.empty() ? fs::path() : plan.partials / (".eval-" + key.substr(key.size() - 12) + ".partial");
}

EvalResult evaluate(const EvalFlags& flags, const PlannedRun& plan, const PlannedRow& row, WorkProgress& progress, Communicator& ranks) {
    const auto& run = plan.run;
    const auto& expected = row.expected;
    reset_peak_memory(expected.device);
    EvalTiming timing;
    EvalOptions options;
    options.label = expected.name + strprintf(", length %lld", static_cast<long long>(expected.length));
    options.whole = &progress;
    options.partial = partial_of(plan, row);
    options.keep_partial = true;  // until the row is written
    options.timing = &timing;
    options.share = evaluation_share(ranks);
    log::info(strprintf("%s: %s windows by protocol %s, stride %lld", options.label.c_str(),
                        with_commas(static_cast<std::int64_t>(row.plan.windows.size())).c_str(), expected.protocol.c_str(),
                        static_cast<long long>(expected.stride)));
    const auto nll = evaluate_tokens(*run.checkpoint.model, plan.stream, row.plan, options);
    auto result = summarise(nll, plan.stream, row.plan, expected);
    result.data_name = flags.text.empty() ? store_name(flags.data) : text_name(flags.text);
    result.tokens_per_second = timing.seconds > 0 ? static_cast<double>(timing.tokens) / timing.seconds : 0;
    result.visited_fraction = timing.visited_fraction;
    result.peak_memory_mb = peak_memory_mb(expected.device);
    if (!flags.token_logprobs.empty() && ranks.leader())
        write_logprobs(logprobs_path(flags.token_logprobs, run.name, expected.length), nll);
    return result;
}

}  // namespace

std::vector<MeasuredRun> load_eval_runs(const EvalFlags& flags, MeasuredText& text, EvalPlans& plans, bool leader) {
    std::set<const TokenStream*> seen;  // runs that share a text are warned of it once
    auto runs = load_runs(flags.checkpoints, flags.model, [&](MeasuredRun& run) {
        const auto& stream = text.stream(run);
        check_run(flags, run, stream, plans, leader, leader && seen.insert(&stream).second);
    });
    check_logprobs(flags, runs);
    return runs;
}

std::vector<PlannedRun> plan_rows(const EvalFlags& flags, std::vector<MeasuredRun>& runs, MeasuredText& text, EvalPlans& windows,
                                  const Ranked& ranked) {
    auto& ranks = *ranked.ranks;
    std::vector<PlannedRun> plans;
    std::map<std::string, std::shared_ptr<ResultsOutput>> outputs;  // of several runs maybe one
    for (auto& run : runs) {
        const auto out = results_of(flags, run);
        auto& results = outputs[out];
        if (ranks.leader() && !flags.dry_run && !results) results = std::make_shared<ResultsOutput>(out);
        const auto partials = ranks.from_leader(results ? results->folder_for_partials(run.folder).string() : "");
        auto& plan = plans.emplace_back(PlannedRun{run, text.stream(run), results, partials, {}});
        const auto known = results                                   ? results->known()
                           : flags.dry_run && can_be_read_again(out) ? read_results(out)
                                                                     : std::vector<EvalResult>();
        for (const auto length : flags.lengths) {
            PlannedRow row{windows.of(plan.stream, request_of(flags, run, length)), {}, {}};
            row.expected = expected_row(run, plan.stream, row.plan.request);
            row.expected.split = text.split();
            row.expected.device = ranked.device;
            const auto found = std::find_if(known.rbegin(), known.rend(),
                                            [&](const EvalResult& one) { return one.measurement() == row.expected.measurement(); });
            if (found != known.rend() && !flags.again) row.known = *found;
            row.to_measure = ranks.from_leader(row.known && flags.token_logprobs.empty() ? "there" : "").empty();
            row.flops = evaluation_flops(run.checkpoint.config, run.vocab_size(), row.plan.windows);
            plan.rows.push_back(std::move(row));
        }
    }
    return plans;
}

double flops_of(const std::vector<PlannedRun>& plans) {
    double flops = 0;
    for (const auto& plan : plans) {
        for (const auto& row : plan.rows) flops += row.to_measure ? row.flops : 0;
    }
    return flops;
}

std::vector<EvalResult> measure(const EvalFlags& flags, PlannedRun& plan, WorkProgress& progress, const Ranked& ranked) {
    const bool leader = ranked.ranks->leader();
    if (leader) plan.results->open();
    std::vector<EvalResult> rows;
    for (const auto& row : plan.rows) {
        const auto label = strprintf("%s, length %lld", row.expected.name.c_str(), static_cast<long long>(row.expected.length));
        if (row.to_measure) {
            ready_model(plan.run, ranked.device);
            rows.push_back(evaluate(flags, plan, row, progress, *ranked.ranks));
            if (!leader) continue;
            if (!std::isfinite(rows.back().nll))
                log::warn(label + ": its losses are not finite, so that there is no perplexity (has this run diverged?)");
            if (!row.known) plan.results->add(rows.back());
            std::error_code gone;
            fs::remove(partial_of(plan, row), gone);
            failpoint("eval.row");
        } else {
            if (!leader) continue;
            log::info(label + ": already in " + results_of(flags, plan.run) + " (--again measures anew)");
            rows.push_back(*row.known);
        }
        progress.finish();
        if (flags.json && !plan.results->is_standard_output()) std::cout << json_text(to_json(rows.back())) << std::endl;
    }
    return rows;
}

}  // namespace longbow
