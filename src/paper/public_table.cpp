// Writes the table of public models in each format, and the figure.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longbow/core/interval.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/eval/protocol.h"
#include "longbow/paper/public_study.h"
#include "longbow/report/escape.h"
#include "longbow/report/format.h"
#include "longbow/report/html_page.h"
#include "longbow/report/method_style.h"
#include "longbow/report/svg.h"
#include "longbow/report/text_table.h"

namespace longbow {

namespace {

constexpr const char* kTitle = "Perplexity of public models beyond the length L that they were trained at";
constexpr const char* kNotMeasured = "not measured yet";

// Returns why a cell has no number; empty if it has one.
std::string absence(const PublicCell& cell) {
    if (!cell.absent.empty()) return cell.absent;
    if (!cell.row) return kNotMeasured;
    if (!cell.row->reached()) return fmt::format("the text has {} tokens only", cell.row->longest_window);
    return cell.row->diverged() ? "diverged" : "";
}

std::string value_text(const PublicCell& cell) {
    const auto why = absence(cell);
    return why.empty() ? fmt::format("{:.2f}", cell.row->ppl) : why == "diverged" ? why : "";
}

std::string interval_text(const PublicCell& cell) {
    if (!absence(cell).empty() || !cell.row->ppl_ci) return "";
    return fmt::format("{:.2f}–{:.2f}", cell.row->ppl_ci->low, cell.row->ppl_ci->high);
}

std::string positions_of(const PublicEntry& entry) {
    const auto& methods = entry.facts.config.position.method_names();
    return methods.find(',') == std::string::npos ? method_title(methods) : methods;
}

// Returns where a BOS stands in what was measured, or will.
std::string bos_text(const PublicEntry& entry, const PublicSettings& settings) {
    for (const auto& cell : entry.cells) {
        if (cell.row && cell.row->bos) return std::string(name_of(*cell.row->bos));
    }
    const auto& protocol = protocol_named(settings.protocol);
    if (!protocol.takes_bos) return "as the protocol";
    return std::string(name_of(protocol.default_bos.value_or(entry.facts.bos.value_or(Bos::never))));
}

std::string length_text(const PublicEntry& entry) { return std::to_string(entry.facts.config.train.length); }

std::vector<std::string> label_headings() { return {"Model", "Positions", "L", "BOS"}; }
std::vector<std::string> labels_of(const PublicEntry& entry, const PublicSettings& settings) {
    return {entry.name, positions_of(entry), length_text(entry), bos_text(entry, settings)};
}

std::string protocol_text(const PublicRequest& request) {
    const auto& settings = request.settings;
    auto text = "protocol " + settings.protocol;
    if (settings.stride > 0) {
        text += fmt::format(", stride {}", settings.stride);
    } else {
        const auto& title = protocol_named(settings.protocol).default_stride_title;
        text += ", " + (title.empty() ? std::string("windows without overlap") : title);
    }
    if (request.max_stream_tokens > 0)
        text += ", the first " + with_commas(request.max_stream_tokens) + " tokens of each model's encoding";
    return text;
}

std::vector<std::string> notes_of(const PublicPlan& plan, const PublicRequest& request) {
    std::set<std::string> texts, tokenizers;
    std::int64_t blocks = 0;
    for (const auto& entry : plan.entries) {
        for (const auto& cell : entry.cells) {
            if (!cell.row) continue;
            texts.insert(cell.row->data_name);
            tokenizers.insert(cell.row->tokenizer);
            if (cell.row->ppl_ci) blocks = std::max(blocks, cell.row->blocks());
        }
    }
    std::vector<std::string> notes{"Measured on " + join({texts.begin(), texts.end()}, ", ") + ", " +
                                   protocol_text(request) +
                                   ". BOS: where a model's family has one (docs/evaluation.md)."};
    if (texts.empty()) notes.front() = "Nothing is measured yet.";
    if (tokenizers.size() > 1) {
        notes.emplace_back(
            "Perplexities are per token of each model's own tokenizer: compare the cells of a row, and models by the bits "
            "per byte that the CSV and JSON have.");
    }
    for (const auto& entry : plan.entries) {
        if (!entry.facts.definition.empty()) notes.push_back(entry.name + ": " + entry.facts.definition + ".");
    }
    std::set<std::string> absent;
    for (const auto& entry : plan.entries) {
        for (const auto& cell : entry.cells) {
            const auto why = absence(cell);
            if (!why.empty() && why != "diverged") absent.insert(entry.name + ": " + why);
        }
    }
    if (!absent.empty()) notes.push_back("A dash: " + join({absent.begin(), absent.end()}, "; ") + ".");
    notes.push_back(blocks > 0 ? "95 %: Student's t over blocks of 1,024 targets of the text (none below " +
                                     std::to_string(kLeastBlocks) + " blocks)."
                               : fmt::format("No intervals: they need {} blocks of 1,024 targets.", kLeastBlocks));
    return notes;
}

TextTable text_table(const PublicPlan& plan, const PublicRequest& request, const std::string& none,
                     std::string (*escape)(const std::string&)) {
    TextTable table;
    auto headings = label_headings();
    headings.emplace_back("");
    table.left = {true, true, false, true, true};
    for (const auto multiple : request.settings.multiples) headings.push_back(multiple_text(multiple));
    table.left.resize(headings.size(), false);
    for (const auto& heading : headings) table.header.push_back(escape(heading));
    for (const auto& entry : plan.entries) {
        const auto add = [&](std::vector<std::string> line, const char* what, std::string (*text)(const PublicCell&)) {
            line.emplace_back(what);
            for (const auto& cell : entry.cells) line.push_back(text(cell).empty() ? none : text(cell));
            auto& cells = table.rows.emplace_back();
            for (const auto& one : line) cells.push_back({escape(one)});
        };
        add(labels_of(entry, request.settings), "ppl", value_text);
        const bool intervals = std::any_of(entry.cells.begin(), entry.cells.end(),
                                           [](const PublicCell& cell) { return !interval_text(cell).empty(); });
        if (intervals) add(std::vector<std::string>(label_headings().size()), "95 %", interval_text);
    }
    return table;
}

std::string number(double value) { return std::isfinite(value) ? number_text(value) : ""; }

std::string csv(const PublicPlan& plan, const PublicRequest& request) {
    auto text = "# public\n" +
                csv_line({"model", "positions", "trained_length", "bos", "multiple", "length", "ppl", "low_95",
                          "high_95", "nll", "bits_per_byte", "tokens", "absent", "protocol", "stride", "checkpoint"});
    for (const auto& entry : plan.entries) {
        for (const auto& cell : entry.cells) {
            auto line = labels_of(entry, request.settings);
            const auto why = absence(cell);
            line.insert(line.end(), {number_text(cell.multiple), std::to_string(cell.length)});
            if (why.empty()) {
                const auto& row = *cell.row;
                line.insert(line.end(), {number(row.ppl), row.ppl_ci ? number(row.ppl_ci->low) : "",
                                         row.ppl_ci ? number(row.ppl_ci->high) : "", number(row.nll),
                                         number(row.bits_per_byte), std::to_string(row.tokens)});
            } else {
                line.resize(line.size() + 6);
            }
            line.insert(line.end(), {why, request.settings.protocol, cell.row ? std::to_string(cell.row->stride) : "",
                                     cell.row ? cell.row->checkpoint : ""});
            text += csv_line(line);
        }
    }
    return text;
}

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json cell_json(const PublicCell& cell) {
    const auto why = absence(cell);
    Json json{{"multiple", cell.multiple}, {"length", cell.length}, {"absent", why.empty() ? Json() : Json(why)}};
    if (!cell.row || !cell.row->reached()) return json;
    const auto& row = *cell.row;
    json.update({{"ppl", json_number(row.ppl)},
                 {"ppl_ci", row.ppl_ci ? Json{row.ppl_ci->low, row.ppl_ci->high} : Json()},
                 {"nll", json_number(row.nll)},
                 {"bits_per_byte", json_number(row.bits_per_byte)},
                 {"tokens", row.tokens},
                 {"stride", row.stride},
                 {"checkpoint", row.checkpoint},
                 {"tokenizer", row.tokenizer},
                 {"data", row.data}});
    return json;
}

std::string json(const PublicPlan& plan, const PublicRequest& request) {
    Json out{{"table", "public"},
             {"title", kTitle},
             {"protocol", request.settings.protocol},
             {"stride", request.settings.stride},
             {"max_stream_tokens", request.max_stream_tokens},
             {"notes", notes_of(plan, request)},
             {"models", Json::array()}};
    for (const auto& entry : plan.entries) {
        Json model{{"name", entry.name},
                   {"model", entry.model},
                   {"family", entry.facts.family},
                   {"positions", entry.facts.config.position.method_names()},
                   {"trained_length", entry.facts.config.train.length},
                   {"max_length", entry.facts.max_length > 0 ? Json(entry.facts.max_length) : Json()},
                   {"bos", bos_text(entry, request.settings)},
                   {"definition", entry.facts.definition},
                   {"cells", Json::array()}};
        for (const auto& cell : entry.cells) model["cells"].push_back(cell_json(cell));
        out["models"].push_back(std::move(model));
    }
    return json_text(out, 2) + "\n";
}

std::string markdown(const PublicPlan& plan, const PublicRequest& request) {
    auto text =
        "### " + escape_markdown(kTitle) + "\n\n" + markdown_table(text_table(plan, request, "–", escape_markdown));
    for (const auto& note : notes_of(plan, request)) text += "\n" + escape_markdown(note) + "\n";
    return text;
}

std::string html(const PublicPlan& plan, const PublicRequest& request) {
    auto body = "<header><h1>" + escape_html(kTitle) + "</h1></header>\n" +
                html_table(text_table(plan, request, "–", escape_html));
    for (const auto& note : notes_of(plan, request)) body += "<p>" + escape_html(note) + "</p>\n";
    return html_page(kTitle, body + public_svg(plan, request));
}

}  // namespace

std::string render_public(const PublicPlan& plan, const PublicRequest& request, TextFormat format) {
    switch (format) {
        case TextFormat::markdown: return markdown(plan, request);
        case TextFormat::csv: return csv(plan, request);
        case TextFormat::latex:
            return kLatexPackages + latex_table(text_table(plan, request, "--", latex_cell), escape_latex(kTitle));
        case TextFormat::json: return json(plan, request);
        case TextFormat::html: return html(plan, request);
    }
    return "";
}

std::string public_svg(const PublicPlan& plan, const PublicRequest& request) {
    Chart chart;
    chart.title = "Measured by " + protocol_text(request);
    chart.x_label = "evaluation length, as a multiple of the trained length";
    chart.y_label = "perplexity a token";
    chart.log_x = true;
    chart.marked_x = 1;
    chart.marked_label = "trained length";
    chart.x_ticks = request.settings.multiples;
    double low = INFINITY, high = 0;
    std::size_t style = 0;
    for (std::size_t i = 0; i < plan.entries.size(); ++i) {
        const auto& entry = plan.entries[i];
        ChartSeries series;
        series.label = entry.name;
        // The two forms of a model have one colour.
        series.style = style = entry.rounded_beside ? style : i;
        series.dashed = entry.rounded_beside;
        for (const auto& cell : entry.cells) {
            if (!absence(cell).empty()) continue;
            series.x.push_back(cell.multiple);
            series.y.push_back(cell.row->ppl);
            series.low.push_back(cell.row->ppl_ci ? cell.row->ppl_ci->low : NAN);
            series.high.push_back(cell.row->ppl_ci ? cell.row->ppl_ci->high : NAN);
            series.notes.push_back(fmt::format("{}, {} tokens: {:.2f}", entry.name, cell.length, cell.row->ppl));
            low = std::min(low, cell.row->ppl);
            high = std::max(high, cell.row->ppl);
        }
        if (!series.x.empty()) chart.series.push_back(std::move(series));
    }
    chart.log_y = high > 8 * low;
    chart.caption = join(notes_of(plan, request), " ");
    return svg_page(kTitle, "", {chart});
}

}  // namespace longbow
