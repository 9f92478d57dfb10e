// Writes tables of the exact match on tasks in the report's text formats.
#include "longbow/report/task_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/html_page.h"
#include "longbow/report/text_table.h"

namespace longbow {

namespace {

constexpr const char* kTitle = "Exact match";

std::string heading(const TaskReport& report) {
    return fmt::format("{} on {}, trained up to {} {}, {}", kTitle, report.task, report.task_length, report.symbol,
                       report.dtype);
}

std::set<std::int64_t> seed_counts(const TaskReport& report) {
    std::set<std::int64_t> counts;
    for (const auto& model : report.models) {
        for (const auto& [range, cell] : model.cells) counts.insert(cell.summary.seeds);
    }
    return counts;
}

std::vector<std::string> notes(const TaskReport& report) {
    const auto counts = seed_counts(report);
    std::vector<std::string> texts{fmt::format(
        "The share of {} new items of each range of lengths whose whole answer is right; items of seed {}. L is the "
        "length up to which the models were trained, {} {}.",
        with_commas(report.items), report.items_seed, report.task_length, report.symbol)};
    if (counts.contains(1))
        texts.emplace_back(
            "In brackets: 95 % by Wilson's interval, for other items and this training, where a model has one seed.");
    if (*counts.rbegin() > 1) {
        texts.push_back(
            "Mean ± standard deviation over " +
            (counts.size() == 1 ? std::to_string(*counts.begin()) + " seeds"
                                : "seeds, whose number follows in round brackets") +
            "; in square ones 95 % by Student's t, cut off at 0 and 1, for other trainings on these items.");
    }
    return texts;
}

// Lists what the formats write differently.
struct Signs {
    std::string (*escape)(const std::string& text);
    std::string none, plus_minus;
};

TextTable text_of(const TaskReport& report, const Signs& signs) {
    TextTable text{{"Model", "position"}, {true, true}, {}};
    for (const auto& [from, to] : report.ranges) text.header.push_back(range_heading(from, to));
    text.left.resize(text.header.size());
    const bool with_count = seed_counts(report).size() > 1;
    for (const auto& model : report.models) {
        auto& cells = text.rows.emplace_back();
        cells.push_back({signs.escape(model.label)});
        cells.push_back({signs.escape(model.position)});
        for (const auto& range : report.ranges) {
            const auto found = model.cells.find(range);
            if (found == model.cells.end()) {
                cells.push_back({signs.none});
                continue;
            }
            const auto& one = found->second.summary;
            auto value = fmt::format("{:.3f}", one.mean);
            if (one.seeds > 1) value += signs.plus_minus + fmt::format("{:.3f}", one.sd);
            if (with_count && one.seeds > 1) value += fmt::format(" ({})", one.seeds);
            if (one.interval) value += fmt::format(" [{:.3f}, {:.3f}]", one.interval->low, one.interval->high);
            cells.push_back({std::move(value)});
        }
    }
    return text;
}

std::string markdown(const std::vector<TaskReport>& reports) {
    std::string text;
    for (const auto& report : reports) {
        text += (text.empty() ? "### " : "\n### ") + escape_markdown(heading(report)) + "\n\n" +
                markdown_table(text_of(report, {escape_markdown, "–", " ± "}));
        for (const auto& note : notes(report)) text += "\n" + escape_markdown(note) + "\n";
    }
    return text;
}

// escape_latex() does not know the sign of our own notes.
std::string with_plus_minus(std::string text) {
    for (auto at = text.find("±"); at != std::string::npos; at = text.find("±", at))
        text.replace(at, std::string("±").size(), "$\\pm$");
    return text;
}

std::string latex(const std::vector<TaskReport>& reports) {
    std::string text = kLatexPackages;
    for (const auto& report : reports) {
        auto caption = heading(report) + ".";
        for (const auto& note : notes(report)) caption += " " + note;
        text += latex_table(text_of(report, {escape_latex, "--", " $\\pm$ "}), with_plus_minus(escape_latex(caption)));
    }
    return text;
}

std::string html(const std::vector<TaskReport>& reports) {
    std::string body = "<header><h1>Exact match on tasks</h1></header>\n";
    for (const auto& report : reports) {
        body +=
            "<h2>" + escape_html(heading(report)) + "</h2>\n" + html_table(text_of(report, {escape_html, "–", " ± "}));
        for (const auto& note : notes(report)) body += "<p class=\"under\">" + escape_html(note) + "</p>\n";
    }
    return html_page("Exact match on tasks", body);
}

std::string csv(const std::vector<TaskReport>& reports) {
    auto text = csv_line({"model", "position", "task", "task_length", "above", "up_to", "items", "items_seed", "dtype",
                          "seeds", "exact_match", "sd", "low_95", "high_95"});
    for (const auto& report : reports) {
        for (const auto& model : report.models) {
            for (const auto& [range, cell] : model.cells) {
                const auto& one = cell.summary;
                text += csv_line(
                    {model.label, model.position, report.task, std::to_string(report.task_length),
                     std::to_string(range.first), std::to_string(range.second), std::to_string(report.items),
                     std::to_string(report.items_seed), report.dtype, std::to_string(one.seeds), number_text(one.mean),
                     one.seeds > 1 ? number_text(one.sd) : "", one.interval ? number_text(one.interval->low) : "",
                     one.interval ? number_text(one.interval->high) : ""});
            }
        }
    }
    return text;
}

std::string json(const std::vector<TaskReport>& reports) {
    Json all = Json::array();
    for (const auto& report : reports) {
        Json models = Json::array();
        for (const auto& model : report.models) {
            Json ranges = Json::array();
            for (const auto& [range, cell] : model.cells) {
                const auto& one = cell.summary;
                ranges.push_back({{"bucket", {range.first, range.second}},
                                  {"seeds", one.seeds},
                                  {"exact_match", one.mean},
                                  {"sd", one.seeds > 1 ? Json(one.sd) : Json()},
                                  {"ci", one.interval ? Json{one.interval->low, one.interval->high} : Json()},
                                  {"rows", cell.rows}});
            }
            models.push_back({{"model", model.label}, {"position", model.position}, {"ranges", ranges}});
        }
        all.push_back({{"task", report.task},
                       {"task_length", report.task_length},
                       {"symbol", report.symbol},
                       {"items", report.items},
                       {"items_seed", report.items_seed},
                       {"dtype", report.dtype},
                       {"models", models}});
    }
    return json_text(all, 2) + "\n";
}

}  // namespace

std::string range_heading(std::int64_t from, std::int64_t to) {
    const auto end = multiple_text(static_cast<double>(to));
    return from == 0 ? "to " + end : multiple_text(static_cast<double>(from)) + " to " + end;
}

std::string render_task_reports(const std::vector<TaskReport>& reports, TextFormat format) {
    switch (format) {
        case TextFormat::markdown: return markdown(reports);
        case TextFormat::csv: return csv(reports);
        case TextFormat::latex: return latex(reports);
        case TextFormat::json: return json(reports);
        case TextFormat::html: return html(reports);
    }
    return "";
}

}  // namespace longbow
