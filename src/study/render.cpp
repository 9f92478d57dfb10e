// Writes a study's tables for people: Markdown, LaTeX, and one HTML page with the figure and every model's settings.
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/heat_map.h"
#include "longbow/report/html_page.h"
#include "probe_kinds.h"
#include "tables.h"

namespace longbow {

namespace {

std::string markdown(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    auto text = "### " + escape_markdown(title_of(study)) + "\n";
    for (std::size_t stride = 0; stride < study.strides.size(); ++stride) {
        const TableStyle style{stride, "–", escape_markdown};
        if (study.strides.size() > 1) text += "\n#### " + stride_title(study, stride) + "\n";
        text += "\n" + markdown_table(value_table(plan, study, table, style));
        const auto differences = difference_table(plan, study, table, style);
        if (differences.rows.empty()) continue;
        text += "\n" + escape_markdown(differences_title(study)) + ":\n\n" + markdown_table(differences);
    }
    if (study.probe.chosen()) {
        const TableStyle style{0, "–", escape_markdown};
        text += "\n" + markdown_table(probe_table(plan, study, table, style));
        if (const auto differences = probe_difference_table(plan, study, table, style); !differences.rows.empty())
            text += "\n" + escape_markdown(differences_title(study)) + ":\n\n" + markdown_table(differences);
    }
    for (const auto& note : notes_of(plan, study, table)) text += "\n" + escape_markdown(note) + "\n";
    return text;
}

std::string latex(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    std::string text = kLatexPackages;
    for (std::size_t stride = 0; stride < study.strides.size(); ++stride) {
        const TableStyle style{stride, "--", latex_cell};
        const auto several = study.strides.size() > 1 ? ". " + stride_title(study, stride) : "";
        text += latex_table(value_table(plan, study, table, style), escape_latex(title_of(study) + several));
        const auto differences = difference_table(plan, study, table, style);
        if (!differences.rows.empty())
            text += latex_table(differences, escape_latex(differences_title(study) + several));
    }
    if (study.probe.chosen()) {
        const TableStyle style{0, "--", latex_cell};
        text += latex_table(probe_table(plan, study, table, style), escape_latex(title_of(study)));
        if (const auto differences = probe_difference_table(plan, study, table, style); !differences.rows.empty())
            text += latex_table(differences, escape_latex(differences_title(study)));
    }
    return text;
}

// Returns the settings of every model, for a reader who wants to know what a name stands for.
std::string settings_html(const StudyPlan& plan, const StudySettings& study) {
    TextTable text{{"Model", "settings over " + escape_html(join(study.base, ", ")), "changed at evaluation"},
                   {true, true, true},
                   {}};
    for (const auto& variant : plan.variants) {
        auto& cells = text.rows.emplace_back();
        cells.push_back({escape_html(variant.name)});
        cells.push_back({escape_html(join(variant.overrides, " "))});
        cells.push_back({escape_html(join(variant.at_evaluation, " "))});
    }
    return "<h2>Settings</h2>\n" + html_table(text);
}

// Returns a map of length and depth for each model that was asked for needles, over its seeds.
std::string depth_maps(const StudyPlan& plan) {
    std::string html;
    for (const auto& variant : plan.variants) {
        std::vector<Json> rows;
        for (const auto& one : variant.probe_rows) rows.push_back(one.row);
        const auto map = depth_map(variant.name, rows);
        if (!map.rows.empty()) html += "<figure><div class=\"chart\">" + heat_map_svg({map}) + "</div></figure>\n";
    }
    return html.empty() ? "" : "<h3>Exact match by depth</h3>\n" + html;
}

std::string html(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    auto body = "<header><h1>" + escape_html(title_of(study)) + "</h1>\n<p>" +
                escape_html(what_was_measured(plan, study)) + "</p></header>\n";
    const auto charts = study_charts(plan, study, table);
    for (std::size_t stride = 0; stride < study.strides.size(); ++stride) {
        const TableStyle style{stride, "–", escape_html};
        body += "<h2>" + escape_html(stride_title(study, stride)) + "</h2>\n" +
                html_table(value_table(plan, study, table, style));
        if (!charts[stride].series.empty()) body += html_figure(charts[stride]);
        const auto differences = difference_table(plan, study, table, style);
        if (!differences.rows.empty())
            body += "<h3>" + escape_html(differences_title(study)) + "</h3>\n" + html_table(differences);
    }
    if (study.probe.chosen()) {
        const TableStyle style{0, "–", escape_html};
        body += std::string("<h2>") + kind_of(study.probe).heading + "</h2>\n" +
                html_table(probe_table(plan, study, table, style));
        for (const auto& chart : charts) body += "<h3>" + escape_html(chart.title) + "</h3>\n" + html_figure(chart);
        body += depth_maps(plan);
        if (const auto differences = probe_difference_table(plan, study, table, style); !differences.rows.empty())
            body += "<h3>" + escape_html(differences_title(study)) + "</h3>\n" + html_table(differences);
    }
    for (const auto& note : notes_of(plan, study, table)) body += "<p class=\"under\">" + escape_html(note) + "</p>\n";
    return html_page(title_of(study), body + settings_html(plan, study));
}

}  // namespace

std::string render_study(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                         TextFormat format) {
    switch (format) {
        case TextFormat::markdown: return markdown(plan, study, table);
        case TextFormat::csv: return study_csv(plan, study, table);
        case TextFormat::latex: return latex(plan, study, table);
        case TextFormat::json: return study_json(plan, study, table);
        case TextFormat::html: return html(plan, study, table);
    }
    return "";
}

}  // namespace longbow
