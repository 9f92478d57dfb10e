// Defines which curves each figure of the paper draws.
#include "figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "longbow/report/method_style.h"

namespace longbow {

namespace {

// The baselines that Figure 4 draws, among those that Tables 5 and 8 evaluate only at their own length.
const std::set<std::string> kBaselinesDrawn{"sinusoidal"};

FigurePanel lengths_panel(const std::string& title) {
    FigurePanel panel;
    panel.title = title;
    panel.x_label = "evaluation length (tokens)";
    panel.y_label = "perplexity";
    return panel;
}

// Returns a panel over the input length, with a curve for each method (a column of Tables 2 and 3).
FigurePanel input_lengths(const std::string& name, const Scale& scale) {
    const auto& table = published_table(name);
    auto panel = lengths_panel(fmt::format("Trained at {}", table.train_length));
    panel.log_x = panel.log_y = true;
    for (const auto& method : styled_methods()) {
        FigureCurve curve{method_title(method), method_style(method), {}, {}};
        const auto column = table.column(published_method(method) + "_ppl");
        for (const auto row : scale.rows_of(table)) {
            const auto target = target_of(table, row, column);
            const auto& cell = table.rows[row][column];
            if (target && cell.kind == PublishedCell::Kind::number)
                curve.points.push_back({table.rows[row][0].value, cell.value, *target, {}});
        }
        panel.curves.push_back(std::move(curve));
    }
    return panel;
}

// Adds a curve over the evaluation length for each row of Tables 5, 8, 13 and 15. Rows whose training length is below
// `from` are left out.
void add_rows(FigurePanel& panel, const std::string& name, std::int64_t from) {
    const auto& table = published_table(name);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        FigureCurve curve;
        for (std::size_t column = 2; column < table.columns.size(); ++column) {
            const auto target = target_of(table, row, column);
            if (!target || target->train_length < from) continue;
            curve.points.push_back({static_cast<double>(target->length), table.rows[row][column].value, *target, {}});
        }
        if (curve.points.empty()) continue;
        const auto& first = curve.points.front().target;
        const bool diagonal = table.rows[row][1].kind == PublishedCell::Kind::empty;
        if (diagonal && kBaselinesDrawn.count(first.method) == 0) continue;
        curve.label =
            method_title(first.method) + (diagonal ? ", L = Lvalid" : fmt::format(", L={}", first.train_length));
        curve.style = panel.curves.size();
        panel.curves.push_back(std::move(curve));
    }
}

// Returns a panel of one column of Table 1 over the training length.
FigurePanel table_1_panel(const std::string& column, const std::string& title, double factor) {
    const auto& table = published_table("table1");
    FigurePanel panel;
    panel.title = panel.y_label = title;
    panel.x_label = "training length (tokens)";
    panel.log_x = true;
    panel.y_factor = factor;
    for (const auto& method : styled_methods()) {
        FigureCurve curve{method_title(method), method_style(method), {}, {}};
        for (std::size_t row = 0; row < table.rows.size(); ++row) {
            const auto target = target_of(table, row, table.column(column));
            if (target && target->method == method)
                curve.points.push_back(
                    {table.rows[row][1].value, table.rows[row][table.column(column)].value, *target, {}});
        }
        panel.curves.push_back(std::move(curve));
    }
    return panel;
}

Target trained_target(const std::string& dataset, const std::string& method, std::int64_t train_length,
                      Quantity quantity) {
    Target target;
    target.dataset = dataset;
    target.method = method;
    target.train_length = train_length;
    target.quantity = quantity;
    return target;
}

Target ppl_target(const std::string& dataset, const std::string& method, std::int64_t train_length,
                  std::int64_t length) {
    auto target = trained_target(dataset, method, train_length, Quantity::ppl);
    target.length = length;
    target.split = "valid";
    return target;
}

// Splits a curve's name: "sinusoidal_L1024" -> sinusoidal, 1024
std::pair<std::string, std::int64_t> model_of(const std::string& text) {
    const auto at = text.find("_L");
    return {text.substr(0, at), std::stoll(text.substr(at + 2))};
}

std::vector<FigurePanel> figure_5(const PublishedFigure& figure) {
    std::vector<FigurePanel> panels;
    for (const auto* side : {"left_lvalid_1024", "right_lvalid_2048"}) {
        FigurePanel panel;
        const auto length = std::stoll(std::string(side).substr(std::string(side).rfind('_') + 1));
        panel.title = fmt::format("Validation at length {} through training", length);
        panel.x_label = "GPU hours";
        panel.y_label = "perplexity";
        for (const auto& published : figure.curves) {
            if (published.panel != side) continue;
            const auto [method, train_length] = model_of(published.name);
            FigureCurve curve{method_title(method) + fmt::format(", L={}", train_length), method_style(method), {}, {}};
            curve.trained = ppl_target("cc100", method, train_length, length);
            for (const auto& point : published.points) curve.points.push_back({point[0], point[1], *curve.trained, {}});
            panel.curves.push_back(std::move(curve));
        }
        panels.push_back(std::move(panel));
    }
    return panels;
}

std::vector<FigurePanel> figure_6(const PublishedFigure& figure, const Scale& scale) {
    std::vector<FigurePanel> panels;
    for (const auto* side : {"left_L512", "right_L1024"}) {
        const auto train_length = std::stoll(std::string(side).substr(std::string(side).find("_L") + 2));
        auto panel = lengths_panel(fmt::format("Trained at {}", train_length));
        panel.log_x = true;
        for (const auto& published : figure.curves) {
            if (published.panel != side) continue;
            FigureCurve curve{method_title(published.name), method_style(published.name), {}, {}};
            std::set<std::int64_t> seen;
            for (const auto& point : published.points) {
                const auto length = static_cast<std::int64_t>(point[0]);
                if (seen.insert(scale.length(length)).second)
                    curve.points.push_back(
                        {point[0], point[1], ppl_target("cc100", published.name, train_length, length), {}});
            }
            auto& points = curve.points;
            if (scale.rows > 1 && points.size() > scale.rows) {
                std::vector<FigurePoint> few;
                for (std::size_t i = 0; i < scale.rows; ++i)
                    few.push_back(points[i * (points.size() - 1) / (scale.rows - 1)]);
                points = few;
            }
            panel.curves.push_back(std::move(curve));
        }
        panels.push_back(std::move(panel));
    }
    return panels;
}

// Makes a panel of training speed over the training length (Figure 7), or of perplexity at 3072 over training speed
// (Figure 8).
FigurePanel speeds(const PublishedFigure& figure) {
    FigurePanel panel;
    const bool against_ppl = figure.number == 8;
    panel.title = against_ppl ? "Perplexity at length 3072 against training speed" : "Training speed";
    panel.x_label = against_ppl ? "training speed (words a second; here tokens)" : "training length (tokens)";
    panel.y_label = against_ppl ? "perplexity" : "words a second (here tokens)";
    panel.log_x = !against_ppl;
    for (const auto& published : figure.curves) {
        FigureCurve curve{method_title(published.name), method_style(published.name), {}, {}};
        for (const auto& point : published.points) {
            const auto length = static_cast<std::int64_t>(point[0]);
            const auto speed = trained_target("wikitext103", published.name, length, Quantity::train_speed);
            if (against_ppl)
                curve.points.push_back(
                    {point[1], point[2], ppl_target("wikitext103", published.name, length, 3072), speed});
            else
                curve.points.push_back({point[0], point[1], speed, {}});
        }
        panel.curves.push_back(std::move(curve));
    }
    return panel;
}

}  // namespace

std::vector<FigurePanel> figure_panels(const std::string& name, const Scale& scale) {
    const auto& figure = published_figure(name);
    switch (figure.number) {
        case 1: return {input_lengths("table2", scale), input_lengths("table3", scale)};
        case 2:
            return {table_1_panel("train_kwps", "training speed (thousand words a second)", 1e-3),
                    table_1_panel("eval_kwps", "batched evaluation speed (thousand words a second)", 1e-3),
                    table_1_panel("train_memory_gb", "training memory (GB)", 1e-9)};
        case 4: {
            auto panel = lengths_panel("WikiText-103 validation");
            add_rows(panel, "table5", 512);
            return {panel};
        }
        case 5: return figure_5(figure);
        case 6: return figure_6(figure, scale);
        case 7:
        case 8: return {speeds(figure)};
        case 9: {
            auto panel = lengths_panel("Toronto BookCorpus validation");
            add_rows(panel, "table8", 0);
            return {panel};
        }
        case 11: {
            auto panel = lengths_panel("WikiText-103 validation, sliding window of stride 1");
            panel.log_y = true;
            add_rows(panel, "table15", 0);
            add_rows(panel, "table13", 0);
            return {panel};
        }
        default:
            throw UsageError(
                name + " is a diagram, with no numbers to reproduce; figures with numbers are 1, 2, 4 to 9 and 11");
    }
}

}  // namespace longbow
