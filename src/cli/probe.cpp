#include "probe.h"

#include <exception>
#include <iostream>

#include "flag_values.h"
#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/eval/eval_result.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/terminal.h"
#include "whole_number.h"

namespace longbow {

namespace {

// Holds the place of a run's rows.
class RowFile {
public:
    explicit RowFile(const std::filesystem::path& path) : place_(find_output(path)) {}

    void add(const std::vector<Json>& rows) {
        for (const auto& row : rows) {
            if (!place_.stream) {
                append_row(place_.path.string(), row);
                continue;
            }
            if (!stream_) stream_ = std::make_unique<OutputStream>(place_);
            stream_->write(json_text(row) + "\n");
        }
    }

private:
    OutputPlace place_;
    std::unique_ptr<OutputStream> stream_;
};

// Adds a run's rows to its place. Where that takes none, they go to the run's own file, so that no measurement is lost
// (a device may open and then be full).
void keep_rows(const std::filesystem::path& file, const MeasuredRun& run, const std::vector<Json>& rows) {
    try {
        RowFile(file).add(rows);
    } catch (const InterruptedError&) {
        throw;
    } catch (const Error& error) {
        const auto own = run.folder / "probes.jsonl";
        if (runs_in_model(run) || same_output(file, own)) throw;
        try {
            RowFile(own).add(rows);
        } catch (const Error&) {
            throw error;
        }
        throw Error(std::string(error.what()) + "; the rows are in " + own.string() + " instead", error.code());
    }
}

}  // namespace

CLI::App& probe_group(CLI::App& app) {
    for (auto* group : app.get_subcommands([](const CLI::App* verb) { return verb->get_name() == "probe"; }))
        return *group;
    return *add_verb_group(app, "probe", "Ask what a model can do that perplexity does not show",
                           "longbow probe tasks runs/copy");
}

void add_item_flags(CLI::App* verb, ProbeFlags& flags, const std::string& items_help) {
    verb->add_option("--items", flags.options.items, items_help)
        ->check(whole_number(1, 10'000'000))
        ->capture_default_str()
        ->type_name("N");
    verb->add_option("--seed", flags.options.seed, "Decides the items; the same seed gives the same ones")
        ->check(whole_number(0))
        ->capture_default_str()
        ->type_name("N");
}

void add_probe_flags(CLI::App* verb, ProbeFlags& flags, bool batches) {
    verb->add_option("CHECKPOINT", flags.checkpoints,
                     "Run directory, checkpoint directory, RUN@last, RUN@step=N, or a folder of seeds; one or more. "
                     "position.KEY=VALUE and attention.KEY=VALUE among them change these settings of all")
        ->required();
    if (batches) {
        verb->add_option("--max-tokens", flags.options.max_batch_tokens, "Input tokens a forward pass")
            ->check(whole_number())
            ->capture_default_str()
            ->type_name("N");
    }
    verb->add_option("--dtype", flags.model.dtype,
                     join(choice_names<DType>(), " | ") + "; default: fp32 (fp64 for a checkpoint trained so)")
        ->check(CLI::IsMember(choice_names<DType>()))
        ->type_name("DTYPE");
    verb->add_option("--out", flags.out, "File of JSON lines that takes all rows; default: each run's own probes.jsonl")
        ->transform(output_file())
        ->type_name("FILE");
    verb->add_flag("--json", flags.json, "Rows as JSON lines on standard output instead of the table");
}

void name_text(std::vector<Json>& rows, const MeasuredText& text) {
    for (auto& row : rows) {
        row["data_name"] = text.name();
        row["split"] = text.split();
    }
}

int run_probe(const ProbeFlags& flags, const CommonOptions& common, const Probe& probe) {
    install_stop_handlers();
    const auto device = resolve_device(common.device);
    prepare_process(device);
    auto checkpoints = flags.checkpoints;
    auto choice = flags.model;
    choice.overrides = take_overrides(checkpoints);
    if (checkpoints.empty())
        throw UsageError(choice.overrides.front() + " changes a setting of a checkpoint: name one, or more");
    if (!flags.out.empty()) check_output(flags.out);
    auto runs = load_runs(checkpoints, choice, probe.check);
    std::vector<std::filesystem::path> files;
    for (const auto& run : runs) {
        files.push_back(flags.out.empty() ? run.folder / "probes.jsonl" : std::filesystem::path(flags.out));
        check_output(files.back());
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        auto& run = runs[i];
        const auto work = [&] {
            const auto rows = probe.measure(run, model_on_device(run, device), device);
            std::exception_ptr failure;  // the table is shown nevertheless
            try {
                keep_rows(files[i], run, rows);
            } catch (const Error&) {
                failure = std::current_exception();
            }
            if (flags.json) {
                for (const auto& row : rows) std::cout << json_text(row) << "\n";
            } else {
                std::cout << (i > 0 ? "\n" : "") << probe.table(rows, stdout_is_terminal() ? stdout_width() : 0);
            }
            std::cout << std::flush;
            if (failure) std::rethrow_exception(failure);
        };
        runs.size() == 1 ? work() : named(run, work);
        run.checkpoint.model.reset();  // at most one model is in memory
    }
    return 0;
}

}  // namespace longbow
