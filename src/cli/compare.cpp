// longbow compare: decides whether the difference between two models, or between two methods of several seeds each, is
// significant.
#include <fmt/core.h>

#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>

#include "flag_values.h"
#include "longbow/checkpoint/public_model.h"
#include "longbow/core/child.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/eval/runs.h"
#include "longbow/report/comparison.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/terminal.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct CompareFlags {
    std::string a, b, per;
    PairingRequest request;
    bool json = false;
};

// RESULTS, or RESULTS@WHICH if no file has the whole text as its name. Rows of a public model lie where it was
// measured.
struct Input {
    std::string path, select;
    [[nodiscard]] std::string text() const { return select.empty() ? path : path + "@" + select; }
};
Input input_of(const std::string& text) {
    if (const auto model = public_model(text)) {
        Input input{"results.jsonl", public_model_name(*model)};
        if (fs::exists(input.path)) return input;
        throw DataError(text +
                        ": there is no results.jsonl here, into which `longbow eval` writes what it measures of a "
                        "public model; give the file that has its rows, as FILE@" +
                        shell_word(input.select));
    }
    const auto at = text.rfind('@');
    if (fs::exists(text) || at == std::string::npos || at == 0 || at + 1 == text.size()) return {text, ""};
    return {text.substr(0, at), text.substr(at + 1)};
}

double mean_ppl(const std::vector<RowPair>& pairs, const EvalResult* RowPair::*side) {
    double sum = 0;
    for (const auto& pair : pairs) sum += (pair.*side)->ppl;
    return sum / static_cast<double>(pairs.size());
}

double mean_bits(const std::vector<RowPair>& pairs, const EvalResult* RowPair::*side) {
    double sum = 0;
    for (const auto& pair : pairs) sum += (pair.*side)->bits_per_byte;
    return sum / static_cast<double>(pairs.size());
}

Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(); }

// Returns the better side, "a" or "b"; "none" if neither is significantly better; null if there is no interval to
// decide by.
Json verdict_json(const MeanEstimate& difference) {
    if (!difference.interval) return nullptr;
    if (!difference.excludes_zero()) return "none";
    return difference.mean < 0 ? "b" : "a";
}

Json comparison_json(const ComparisonSide& a, const ComparisonSide& b, const Comparison& c) {
    const auto& first = *c.pairs.front().a;
    Json json{{"a", a.name},
              {"b", b.name},
              {"length", first.length},
              {"stride", first.stride},
              {"protocol", first.protocol},
              {"split", first.split},
              {"per", name_of(c.per)},
              {"difference", json_of(c.difference.mean)},
              {"ci", c.difference.interval ? Json{c.difference.interval->low, c.difference.interval->high} : Json()},
              {"ci_method", kIntervalMethod},
              {"p_value", c.p_value ? Json(*c.p_value) : Json()},
              {"verdict", verdict_json(c.difference)},
              {"speaks_of", c.pairs.size() > 1 ? "methods" : "models"},
              {"seeds", c.difference.seeds},
              {"blocks", c.difference.blocks},
              {"tokens", first.tokens},
              {"dtype", first.dtype},
              {"ppl_a", json_of(mean_ppl(c.pairs, &RowPair::a))},
              {"ppl_b", json_of(mean_ppl(c.pairs, &RowPair::b))},
              {"pairs", Json::array()}};
    if (first.bos) json["bos"] = std::string(name_of(*first.bos));
    if (first.truncate) json["truncate"] = true;
    if (first.min_document_tokens > 0) json["min_document_tokens"] = first.min_document_tokens;
    for (const auto& [row_a, row_b] : c.pairs) {
        json["pairs"].push_back({{"a", row_a->name},
                                 {"b", row_b->name},
                                 {"seed_a", row_a->seed},
                                 {"seed_b", row_b->seed},
                                 {"ppl_a", json_of(row_a->ppl)},
                                 {"ppl_b", json_of(row_b->ppl)}});
    }
    return json;
}

std::string value_text(double value, int decimals) {
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : "no value";
}

std::string side_text(const char* letter, const ComparisonSide& side, const Comparison& c,
                      const EvalResult* RowPair::*rows, std::int64_t diverged) {
    auto text = std::string("  ") + letter + " " + printable(side.name) + ": ";
    if (diverged > 0 && c.pairs.size() == 1) return text + "diverged\n";
    text += std::string(c.pairs.size() > 1 ? "mean " : "") + "ppl " + value_text(mean_ppl(c.pairs, rows), 2) + ", " +
            value_text(mean_bits(c.pairs, rows), 4) + " bits a byte";
    if (c.pairs.size() > 1) {
        std::vector<std::string> each;
        for (const auto& pair : c.pairs)
            each.push_back(fmt::format("{}: ", (pair.*rows)->seed) + value_text((pair.*rows)->ppl, 2));
        text += " (ppl by seed " + join(each, ", ") + ")";
    }
    if (diverged > 0) text += fmt::format("; {} of {} seeds diverged", diverged, c.pairs.size());
    return text + "\n";
}

std::string verdict_text(const Comparison& c) {
    const auto& difference = c.difference;
    if (c.diverged_a + c.diverged_b > 0) return "a model diverged: no difference, and no verdict";
    if (!difference.interval) {
        return fmt::format("no interval and no verdict: {} block{} of 1,024 targets, and {} are needed",
                           difference.blocks, difference.blocks == 1 ? "" : "s", kLeastBlocks);
    }
    const std::string better = difference.mean < 0 ? "B" : "A";
    if (c.pairs.size() > 1) return difference.excludes_zero() ? better + " is better" : "no clear difference";
    return difference.excludes_zero()
               ? better + " is better, of these two models (one seed a side says nothing of others)"
               : "no clear difference between these two models";
}

std::string comparison_text(const ComparisonSide& a, const ComparisonSide& b, const Comparison& c) {
    auto text = c.pairs.front().a->text() + "\n" + side_text("A", a, c, &RowPair::a, c.diverged_a) +
                side_text("B", b, c, &RowPair::b, c.diverged_b) + "  ";
    const auto& difference = c.difference;
    if (std::isfinite(difference.mean))
        text += fmt::format("B - A: {:+.5f} nats a {}", difference.mean, name_of(c.per));
    if (difference.interval) {
        text += fmt::format(", 95 % interval [{:+.5f}, {:+.5f}] from ", difference.interval->low,
                            difference.interval->high);
        if (c.pairs.size() > 1) text += fmt::format("{} seeds and ", c.pairs.size());
        text += with_commas(difference.blocks) + " blocks of text, p " +
                (*c.p_value < 0.001 ? std::string("< 0.001") : fmt::format("= {:.3f}", *c.p_value));
    }
    return text + (std::isfinite(difference.mean) ? ": " : "") + verdict_text(c) + "\n";
}

// Throws UsageError if both sides are the same results: they differ by exactly nothing, and the user has named one of
// them by mistake.
void refuse_identical_sides(const Input& a, const Input& b) {
    const auto place = [](const fs::path& path) {
        return fs::exists(path / "results.jsonl") ? path / "results.jsonl" : path;
    };
    std::error_code error;
    if (a.select != b.select || !fs::equivalent(place(a.path), place(b.path), error)) return;
    throw UsageError("longbow compare: " + a.path + " and " + b.path + " are the same results: name two that differ");
}

int compare(const CompareFlags& flags) {
    const auto input_a = input_of(flags.a), input_b = input_of(flags.b);
    auto runs_a = read_runs({input_a.path});
    auto runs_b = read_runs({input_b.path});
    make_names_unique(runs_a, runs_b);
    const auto a = comparison_side(runs_a, input_a.text(), input_a.select);
    const auto b = comparison_side(runs_b, input_b.text(), input_b.select);
    refuse_identical_sides(input_a, input_b);
    const auto pairing = pair_sides(a, b, flags.request);
    std::string text;
    for (const auto& pairs : pairing.measurements) {
        const auto comparison = compare_rows(pairs, choice_named<LossUnit>(flags.per));
        text += flags.json ? json_text(comparison_json(a, b, comparison)) + "\n" : comparison_text(a, b, comparison);
    }
    if (!pairing.left_out.empty()) log::warn("omitted, because only one side has it: " + join(pairing.left_out, "; "));
    std::cout << text;
    return 0;
}

void add_compare(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<CompareFlags>();
    auto* verb = add_verb(
        app, context, "compare", "Is the difference between two models, or two methods of several seeds, real?",
        "longbow compare runs/alibi runs/sinusoidal --lengths 1024     # folders of seeds, or single runs\n"
        "  longbow compare all.jsonl@alibi all.jsonl@rotary --json");
    const std::string side =
        "results.jsonl, run directory, folder of one method's seeds, or a public model (its rows in ./results.jsonl); "
        "RESULTS@NAME takes one method or run of several";
    verb->add_option("RESULT_A", flags->a, side)->required();
    verb->add_option("RESULT_B", flags->b, "The same, measured with the same settings; runs are paired by seed")
        ->required();
    add_list(verb, "--lengths", flags->request.lengths, "Only these evaluation lengths", whole_number())
        ->type_name("L,..");
    add_list(verb, "--seeds", flags->request.seeds, "Only the runs of these seeds",
             whole_number(0, std::numeric_limits<std::uint64_t>::max()))
        ->type_name("N,..");
    verb->add_option("--per", flags->per, "token | word | byte; default: token, or byte when the tokenizers differ")
        ->check(CLI::IsMember(choice_names<LossUnit>()))
        ->type_name("UNIT");
    verb->add_flag("--json", flags->json, "JSON lines on standard output");
    run_with(verb, context, [flags](const CommonOptions&) { return compare(*flags); });
}
LONGBOW_REGISTER_VERB(40, add_compare);

}  // namespace

}  // namespace longbow
