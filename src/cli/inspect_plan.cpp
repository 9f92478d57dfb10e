// longbow inspect plan: prints a protocol's windows and what an evaluation with them costs, without a model.
#include <fmt/core.h>

#include <algorithm>
#include <iostream>

#include "eval_flags.h"
#include "flag_values.h"
#include "inspect.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/data/token_store.h"
#include "longbow/eval/evaluator.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct PlanFlags {
    std::string store, split = "valid";
    std::vector<std::int64_t> lengths;
    std::int64_t tokens = 0, show = 4;
    EvalRequest request;
    bool json = false;
};

struct PlanSummary {
    std::int64_t windows = 0, passes = 0, inputs = 0, scored = 0, least_context = 0, most_context = 0;
    double mean_context = 0;
};

// The context of a target is the number of inputs in its window before the target's own input.
PlanSummary summarise_plan(const std::vector<EvalWindow>& windows) {
    PlanSummary summary;
    summary.windows = static_cast<std::int64_t>(windows.size());
    summary.least_context = windows.front().score_begin - windows.front().begin;
    double context = 0;
    for (const auto& w : windows) {
        const auto scored = w.end - w.score_begin;
        summary.scored += scored;
        summary.least_context = std::min(summary.least_context, w.score_begin - w.begin);
        summary.most_context = std::max(summary.most_context, w.end - 1 - w.begin);
        context += static_cast<double>(scored) * static_cast<double>(w.score_begin + w.end - 1 - 2 * w.begin) / 2;
    }
    summary.mean_context = context / static_cast<double>(summary.scored);
    const auto merged = merge_windows(windows);
    summary.passes = static_cast<std::int64_t>(merged.size());
    for (const auto& w : merged) summary.inputs += w.end - w.begin;
    return summary;
}

std::string window_text(const EvalWindow& w) {
    return fmt::format("  inputs [{}, {}){}, scored [{}, {})\n", w.begin, w.end,
                       w.boundary_first ? " after a boundary" : "", w.score_begin, w.end);
}

int inspect_plan(PlanFlags& flags) {
    flags.lengths = distinct_lengths(flags.lengths);
    const auto at_length = [&](std::int64_t length) {
        auto request = flags.request;
        request.length = length;
        return request;
    };
    for (const auto length : flags.lengths) check_plan(plan_request(at_length(length), 0));
    if (flags.store.empty() == (flags.tokens == 0))
        throw UsageError("longbow inspect plan needs either a STORE or --tokens N");
    if (flags.store.empty() && (flags.request.within_documents || flags.request.max_stream_tokens > 0)) {
        throw UsageError("longbow inspect plan: --within-documents and --max-stream-tokens need a STORE");
    }
    std::unique_ptr<TokenStore> store;
    if (!flags.store.empty()) store = std::make_unique<TokenStore>(flags.store);
    std::string text;
    for (const auto length : flags.lengths) {
        const auto request = at_length(length);
        auto plan = plan_request(request, flags.tokens);
        if (store) plan = plan_request(store->split(flags.split), request);
        const auto windows = plan_windows(plan);
        warn_if_unreached(plan);
        const auto s = summarise_plan(windows);
        const auto stride = stride_of(request);
        if (flags.json) {
            Json rows = Json::array();
            for (const auto& w : windows)
                rows.push_back({{"begin", w.begin},
                                {"end", w.end},
                                {"score_begin", w.score_begin},
                                {"boundary_first", w.boundary_first}});
            text += Json{{"protocol", request.protocol},
                         {"length", length},
                         {"stride", stride},
                         {"tokens", plan.tokens},
                         {"scored", s.scored},
                         {"passes", s.passes},
                         {"inputs", s.inputs},
                         {"mean_context", s.mean_context},
                         {"windows", rows}}
                        .dump() +
                    "\n";
            continue;
        }
        text += fmt::format("protocol {}, length {}, stride {}, {} tokens\n", request.protocol, length, stride,
                            with_commas(plan.tokens));
        text += fmt::format(
            "  {} windows in {} passes over the model: {} inputs, {} targets scored ({:.2f} inputs a target)\n",
            with_commas(s.windows), with_commas(s.passes), with_commas(s.inputs), with_commas(s.scored),
            static_cast<double>(s.inputs) / static_cast<double>(s.scored));
        text += fmt::format("  context before a target's input: {} to {}, mean {:.1f}\n", s.least_context,
                            s.most_context, s.mean_context);
        const auto count = std::min(static_cast<std::size_t>(flags.show), windows.size());
        for (std::size_t i = 0; i < count; ++i) text += window_text(windows[i]);
        if (windows.size() > count + 1) text += "  ...\n";
        if (windows.size() > count) text += window_text(windows.back());
    }
    std::cout << text;
    return 0;
}

void add_inspect_plan(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<PlanFlags>();
    auto* verb = add_verb(inspect_group(app), context, "plan", "The windows of an evaluation, and what it costs",
                          "longbow inspect plan data/corpora/austen/store --lengths 64,1024\n"
                          "  longbow inspect plan --tokens 1000 --lengths 64 --stride 16");
    verb->add_option("STORE", flags->store, "Token store; or give --tokens");
    verb->add_option("--tokens", flags->tokens, "Length of an imagined stream")->check(whole_number())->type_name("N");
    verb->add_option("--split", flags->split, "Split of the store")->capture_default_str()->type_name("NAME");
    add_list(verb, "--lengths", flags->lengths, "Evaluation lengths", whole_number())->required()->type_name("L,..");
    add_window_flags(verb, flags->request);
    verb->add_option("--show", flags->show, "Windows to print before the last")
        ->capture_default_str()
        ->check(whole_number(0))
        ->type_name("K");
    verb->add_flag("--json", flags->json, "JSON lines with every window");
    run_with(verb, context, [flags](const CommonOptions&) { return inspect_plan(*flags); });
}
LONGBOW_REGISTER_VERB(70, add_inspect_plan);

}  // namespace

}  // namespace longbow
