// Plans what the tables of other papers need, and says it as text.
#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/grid/commands.h"
#include "longbow/grid/cost.h"
#include "longbow/grid/run.h"
#include "longbow/paper/other_study.h"

namespace longbow {

namespace {

bool changes_any(const OtherRequest& request, const std::string& prefix) {
    return std::any_of(request.overrides.begin(), request.overrides.end(),
                       [&](const std::string& change) { return starts_with(change, prefix); });
}

std::string model_name(const OtherTable& table, const OtherRow& row, std::uint64_t seed) {
    return fmt::format("{}/{}-{}", table.name, row.config, seed);
}

PlannedModel make_model(const OtherRequest& request, const OtherTable& table, const OtherRow& row, std::uint64_t seed) {
    PlannedModel model;
    model.files = {(request.configs / table.configs / (row.config + ".yaml")).string()};
    if (!fs::exists(model.files.front())) {
        throw UsageError(
            model.files.front() +
            ": no such config file; run from the top of the checkout, or name its configs folder with --configs");
    }
    model.overrides = {"data.store=" + table.store, fmt::format("train.seed={}", seed)};
    model.overrides.insert(model.overrides.end(), request.overrides.begin(), request.overrides.end());
    load_planned(model, request.context);
    if (!model.config.train.seeds.empty())
        throw UsageError("train.seeds: " + table.name + " has the authors' seeds; take train.seed=N for a single one");
    model.name = model_name(table, row, model.config.train.seed);
    model.dataset = table.name;
    // Whatever else the caller takes is not the authors' data set, and its rows do not say that it is.
    if (!changes_any(request, "data.")) model.data_set = table.corpus;
    model.method = model.config.position.method;
    model.train_length = table.train_length;
    model.timed_as = table.name;  // even a part of such a model takes seconds, so one of each table is timed
    return model;
}

PlannedEval eval_of(const OtherRequest& request, const OtherTable& table, std::int64_t length) {
    PlannedEval eval;
    eval.file = "results.jsonl";
    eval.split = table.split;
    eval.stream_tokens = table.windows * length;
    if (request.max_stream_tokens > 0)
        eval.stream_tokens = eval.stream_tokens > 0 ? std::min(eval.stream_tokens, request.max_stream_tokens)
                                                    : request.max_stream_tokens;
    eval.split_tokens = static_cast<double>(eval.stream_tokens);
    return eval;
}

// Adds the models of a row and returns their places in the plan.
std::vector<std::size_t> add_models(OtherPlan& plan, const OtherRequest& request, const OtherTable& table,
                                    const OtherRow& row) {
    std::vector<std::size_t> places;
    if (row.config.empty()) return places;
    const bool one = changes_any(request, "train.seed=");
    for (const auto seed : table.seeds) {
        auto model = make_model(request, table, row, seed);
        for (const auto length : table.lengths) add_eval(model.evals, eval_of(request, table, length), length);
        find_done(model, request);
        places.push_back(plan.models.size());
        plan.models.push_back(std::move(model));
        if (one) break;
    }
    return places;
}

std::string store_text(const OtherTable& table, const std::string& config, const std::string& store) {
    if (fs::exists(fs::path(store) / "manifest.json")) return "data: " + store + "\n";
    return fmt::format(
        "data: {} is no token store, and no script here fetches {}. Make one of your copy, with GPT-2's vocab.json and "
        "merges.txt in a folder GPT2, and name it with data.store=DIR; a run without it ends with an error:\n    longbow prepare -c {} "
        "data.store=DIR data.train=TRAIN data.valid=VALID tokenizer.file=GPT2\n",
        store, table.text, config);
}

std::string lengths_text(const OtherTable& table, const OtherRow& row) {
    std::vector<std::string> lengths;
    for (std::size_t i = 0; i < row.values.size(); ++i) {
        if (row.values[i].kind != PublishedCell::Kind::empty) lengths.push_back(std::to_string(table.lengths[i]));
    }
    return join(lengths, ",");
}

// Returns the commands that measure a table's published checkpoints, which the user has to get.
std::string checkpoints_text(const OtherTable& table) {
    std::string text =
        "not trained here: these models are published checkpoints, or fine-tuned from such, which longbow does not fetch. "
        "Measure a folder of one, on a TEXT that is " +
        table.text + ":\n";
    for (const auto& row : table.rows) {
        if (row.checkpoint.empty()) continue;
        auto folder = row.checkpoint.substr(row.checkpoint.find('/') + 1);
        std::replace(folder.begin(), folder.end(), ' ', '-');
        text += fmt::format("    longbow eval models/{} {} --lengths {} --text TEXT    # {}\n", folder, table.evaluate,
                            lengths_text(table, row), row.checkpoint);
    }
    return text;
}

std::string table_text(const OtherTable& table, std::size_t index, const OtherPlan& plan, const OtherRequest& request) {
    std::string text = fmt::format("{}: Table {} of {} ({})\n", table.name, table.number, table.paper, table.authors);
    text += "published numbers: " + table.source + "\nrecipe: " + table.recipe + "\n";
    if (table.trained_here()) {
        const auto windows = request.max_stream_tokens > 0
                                 ? "the first " + with_commas(request.max_stream_tokens) + " tokens at most"
                             : table.windows > 0 ? "the first " + with_commas(table.windows) + " windows of each length"
                                                 : "all windows of each length";
        text += fmt::format("evaluation: {}, split {}, {}, without overlap\n", table.text, table.split, windows);
        for (const auto& row : plan.models_of[index]) {
            if (row.empty()) continue;
            const auto& model = plan.models[row.front()];
            text += store_text(table, model.files.front(), model.config.data.store);
            break;
        }
    } else {
        text += checkpoints_text(table);
    }
    return text + "\n" + render_other_table(table, &plan, request, TextFormat::markdown) + "\n";
}

// Refuses what only a dry run can do.
void require_trained(const OtherRequest& request) {
    for (const auto* table : request.tables) {
        if (!table->trained_here()) {
            throw UsageError(
                table->name +
                ": its models are published checkpoints, which longbow does not train or fetch; --dry-run shows "
                "the published numbers and the commands that measure your copy of a model");
        }
    }
}

std::vector<std::string> final_command(const OtherRequest& request) {
    std::vector<std::string> command{"reproduce"};
    for (const auto* table : request.tables) command.push_back(table->name);
    command.insert(command.end(), request.overrides.begin(), request.overrides.end());
    command.insert(command.end(), {"--run-dir", request.run_dir.string(), "--configs", request.configs.string()});
    if (request.max_stream_tokens > 0)
        command.insert(command.end(), {"--max-stream-tokens", std::to_string(request.max_stream_tokens)});
    return command;
}

OtherOutput write_other(const OtherPlan& plan, const OtherRequest& request) {
    OtherOutput output;
    output.files = OutputFiles(request.run_dir);
    for (const auto* table : request.tables) {
        const auto render = [&](TextFormat format) { return render_other_table(*table, &plan, request, format); };
        output.markdown += (output.markdown.empty() ? "" : "\n") + render(TextFormat::markdown);
        output.files.write_table(table->name, render);
    }
    return output;
}

}  // namespace

OtherPlan plan_other(const OtherRequest& request) {
    OtherPlan plan;
    for (const auto* table : request.tables) {
        auto& rows = plan.models_of.emplace_back();
        for (const auto& row : table->rows) rows.push_back(add_models(plan, request, *table, row));
    }
    warn_of_unreached(plan);
    count_flops(plan);
    const bool missing =
        std::any_of(plan.models.begin(), plan.models.end(), [](const PlannedModel& model) { return !model.done(); });
    if (request.meter && missing) measure_costs(plan, request);
    return plan;
}

std::string plan_text(const OtherPlan& plan, const OtherRequest& request) {
    std::string text;
    for (std::size_t i = 0; i < request.tables.size(); ++i) text += table_text(*request.tables[i], i, plan, request);
    if (plan.models.empty()) return text;
    const auto done =
        std::count_if(plan.models.begin(), plan.models.end(), [](const PlannedModel& model) { return model.done(); });
    text += fmt::format("in {}: {} models, {} of them done\n\n", request.run_dir.string(), plan.models.size(), done);
    return text + models_text(plan, request);
}

std::string shell_script(const OtherPlan& plan, const OtherRequest& request) {
    require_trained(request);
    return shell_script(plan, request, final_command(request));
}

std::string slurm_script(const OtherPlan& plan, const OtherRequest& request) {
    require_trained(request);
    return slurm_script(plan, request, final_command(request));
}

OtherOutput reproduce_other(const OtherRequest& request) {
    require_trained(request);
    return run_grid(
        request,
        "make a token store of your copy of the data set (--dry-run shows the command) and name it with data.store=DIR, "
        "or name the text with data.train and data.valid",
        [&] { return plan_other(request); },  // What has been trained meanwhile counts only in a new plan.
        [&](const OtherPlan&) { return write_other(plan_other(request), request); });
}

}  // namespace longbow
