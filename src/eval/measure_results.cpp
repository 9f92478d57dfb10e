#include "longbow/eval/measure_results.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "longbow/checkpoint/import.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/input.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/eval/logprobs.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

// Throws Error if the output cannot be written, and UsageError if it is one of the texts that are measured.
void check_not_a_text(const std::string& flag, const std::string& path, const std::vector<std::string>& texts) {
    if (find_output(path).stream) return;
    for (const auto& text : texts) {
        if (same_output(path, text))
            throw UsageError(flag + " " + path + " is the text that is measured: name another file");
    }
}

// Throws UsageError if the output would overwrite what is measured or one of the run's own records.
void check_not_of_run(const MeasuredRun& run, const std::string& flag, const std::string& path) {
    const auto place = find_output(path);
    if (place.stream) return;
    // Stores and checkpoints have a manifest of their files; results that somebody put beside those are not among them.
    const auto ending = place.path.extension();
    if (ending != ".jsonl" && ending != ".npy" && fs::exists(place.path) &&
        fs::exists(fs::absolute(place.path).parent_path() / "manifest.json"))
        throw UsageError(flag + " " + path + " is a file of a token store or a checkpoint: name another file");
    if (!run.model_place.empty()) {
        for (const auto& file : imported_files(run.model_place)) {
            if (same_output(path, file))
                throw UsageError(flag + " " + path + " is a file of the model that is measured: name another file");
        }
        return;
    }
    for (const char* name : {"config.yaml", "metrics.jsonl", "log.txt", "fork.json"}) {
        if (same_output(path, run.folder / name))
            throw UsageError(flag + " " + path + " is the run's " + name + ": name another file");
    }
}

fs::path partial_of(const PlannedRun& run, const PlannedRow& row) {
    auto losses = row.expected;
    losses.data_set.clear();  // the losses do not depend on the name of the data set
    if (losses.bos == default_bos(losses.protocol)) losses.bos.reset();  // as an earlier version named its file
    const auto key = fingerprint(json_text(to_json(losses)));
    return run.partials.empty() ? fs::path() : run.partials / (".eval-" + key.substr(key.size() - 12) + ".partial");
}

}  // namespace

ResultsMeasurement::ResultsMeasurement(ResultsRequest request, Communicator& ranks)
    : request_(std::move(request)),
      ranks_(ranks),
      plan_(request_, /*warns=*/ranks.leader(), [this](const MeasuredRun& run) { check_outputs(run); }) {
    check_logprobs();
    for (auto& run : plan_.runs()) find_known(run);
}

void ResultsMeasurement::check_outputs(const MeasuredRun& run) {
    if (!ranks_.leader() || request_.only_estimates) return;
    const auto results = results_of(run);
    if (request_.out.empty() && runs_in_model(run)) {
        throw UsageError("the results would lie in the model's own folder, " + run.model_place.string() +
                         ": name a file with --out, or run the command in another folder");
    }
    const auto texts = request_.read_files();
    check_not_a_text("--out", results, texts);
    check_not_of_run(run, "--out", results);
    if (request_.token_logprobs.empty()) return;
    if (request_.token_logprobs.find("{run}") == std::string::npos) {
        // A run is examined once more after an import.
        const auto own = run.model.empty() ? run.checkpoint.path.string() : run.model;
        if (!first_.empty() && first_ != own) refuse_logprobs_of_several();
        first_ = own;
    }
    for (const auto& evaluation : request_.evaluations) {
        const auto path = logprobs_path(request_.token_logprobs, run.name, evaluation.length);
        check_not_a_text("--token-logprobs", path, texts);
        check_not_of_run(run, "--token-logprobs", path);
        if (!find_output(path).stream && same_output(path, results))
            throw UsageError("--token-logprobs " + path + " is the --out file: name another");
    }
}

void ResultsMeasurement::refuse_logprobs_of_several() const {
    throw UsageError("--token-logprobs with several runs needs {run} in the file name, e.g. logprobs-{run}" +
                     std::string(request_.evaluations.size() > 1 ? "-{length}" : "") + ".npy");
}

// Throws UsageError if two runs of one name (two checkpoints of a run) would write the same file.
void ResultsMeasurement::check_logprobs() {
    const auto& pattern = request_.token_logprobs;
    auto& runs = plan_.runs();
    if (pattern.empty() || runs.size() == 1) return;
    if (pattern.find("{run}") == std::string::npos) refuse_logprobs_of_several();
    std::map<std::string, const MeasuredRun*> paths;
    for (const auto& [run, stream, rows, partials] : runs) {
        const auto path = logprobs_path(pattern, run.name, request_.evaluations.front().length);
        const auto [other, fresh] = paths.emplace(path, &run);
        if (fresh) continue;
        throw UsageError("--token-logprobs: " + path + " would be written for both " +
                         other->second->checkpoint.path.string() + " and " + run.checkpoint.path.string() +
                         ": measure each of them with its own command");
    }
}

void ResultsMeasurement::find_known(PlannedRun& run) {
    const auto out = results_of(run.run);
    std::vector<EvalResult> known;
    std::string partials;
    if (request_.only_estimates) {
        if (can_be_read_again(out)) known = read_results(out);
    } else if (ranks_.leader()) {
        auto& results = outputs_[out];
        if (!results) results = std::make_shared<ResultsOutput>(out);
        known = results->known();
        partials = results->folder_for_partials(runs_in_model(run.run) ? fs::path() : run.run.folder).string();
    }
    run.partials = ranks_.from_leader(partials);
    for (auto& row : run.rows) {
        const auto found = std::find_if(known.rbegin(), known.rend(), [&](const EvalResult& one) {
            return one.matches(row.expected, Measurement::kAll);
        });
        if (found != known.rend() && !request_.again) row.known = *found;
        row.to_measure = ranks_.from_leader(row.known && request_.token_logprobs.empty() ? "known" : "").empty();
    }
}

std::string ResultsMeasurement::results_of(const MeasuredRun& run) const {
    return request_.out.empty() ? (run.folder / "results.jsonl").string() : request_.out;
}

bool ResultsMeasurement::uses_standard_output(const PlannedRun& run) const {
    return outputs_.at(results_of(run.run))->is_standard_output();
}

EvalResult ResultsMeasurement::measure_planned(PlannedRun& run, const PlannedRow& row, WorkProgress& progress) {
    const auto& expected = row.expected;
    const auto left_out = row.plan->documents_left_out;
    log::info(fmt::format("{}: {} windows by protocol {}, stride {}{}{}", row.label,
                          with_commas(static_cast<std::int64_t>(row.plan->windows.size())), expected.protocol,
                          expected.stride, expected.rules_text(),
                          left_out > 0 ? fmt::format("; {} shorter document{} left out", with_commas(left_out),
                                                     left_out == 1 ? " is" : "s are")
                                       : ""));
    auto measured = measure_row(plan_, run, row, partial_of(run, row), progress, evaluation_share(ranks_));
    if (!request_.token_logprobs.empty() && ranks_.leader())
        write_logprobs(logprobs_path(request_.token_logprobs, run.run.name, expected.length), measured.nll,
                       row.plan->request.dtype);
    return std::move(measured.row);
}

void ResultsMeasurement::measure(
    const std::function<void(const PlannedRun&, const EvalResult&)>& row_done,
    const std::function<void(const PlannedRun&, const std::vector<EvalResult>&)>& run_done) {
    const bool leader = ranks_.leader();
    WorkProgress progress(plan_.flops(), WorkProgress::Scope::command);
    plan_.each_run([&](PlannedRun& run) {
        const auto out = results_of(run.run);
        if (leader) outputs_.at(out)->open();
        std::vector<EvalResult> rows;
        for (const auto& row : run.rows) {
            if (row.to_measure) {
                auto measured = measure_planned(run, row, progress);
                if (!leader) continue;
                if (!std::isfinite(measured.nll))
                    log::warn(row.label +
                              ": its losses are not finite, so that there is no perplexity (has this run diverged?)");
                if (!row.known) outputs_.at(out)->add(measured);
                rows.push_back(std::move(measured));
                std::error_code gone;
                fs::remove(partial_of(run, row), gone);
                failpoint("eval.row");
            } else {
                if (!leader) continue;
                log::info(row.label + ": already in " + out + " (--again measures again)");
                rows.push_back(*row.known);
            }
            progress.finish();
            row_done(run, rows.back());
        }
        if (leader) run_done(run, rows);
    });
}

}  // namespace longbow
