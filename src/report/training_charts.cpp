// Makes charts of the loss during training. Runs on different texts or with different tokenizers have separate charts.
#include <algorithm>
#include <map>
#include <set>

#include "charts.h"
#include "longbow/data/store_name.h"

namespace longbow {

namespace {

std::vector<ReportRun::Point> thinned(const std::vector<ReportRun::Point>& points, std::size_t limit) {
    if (points.size() <= limit) return points;
    std::vector<ReportRun::Point> few;
    const double step = static_cast<double>(points.size()) / static_cast<double>(limit);
    for (double at = 0; at < static_cast<double>(points.size()); at += step)
        few.push_back(points[static_cast<std::size_t>(at)]);
    few.back() = points.back();
    return few;
}

std::string setting(const ReportRun& run, const std::string& key) {
    const auto found = run.settings.find(key);
    return found == run.settings.end() ? "" : found->second;
}

// Gives a run's curve the label and style that the tables give its model.
void name_series(ChartSeries& series, const ReportRun& run, const std::vector<ReportTable>& tables) {
    for (const auto& table : tables) {
        for (const auto& row : table.rows) {
            for (const auto& [length, seeds] : row.measurements) {
                const bool own = std::any_of(seeds.begin(), seeds.end(), [&](const EvalResult* one) {
                    return std::any_of(run.rows.begin(), run.rows.end(),
                                       [&](const EvalResult& of_run) { return &of_run == one; });
                });
                if (!own) continue;
                series.style = style_of(table, row);
                series.label = row.label;
                return;
            }
        }
    }
}

// Seeds of one model have the same label; they get the names of their runs instead.
void make_labels_unique(std::vector<ChartSeries>& series, const std::vector<std::string>& names) {
    std::map<std::string, int> count;
    for (const auto& one : series) ++count[one.label];
    for (std::size_t i = 0; i < series.size(); ++i) {
        if (count[series[i].label] > 1) series[i].label = names[i];
    }
}

}  // namespace

std::vector<Chart> training_charts(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables) {
    struct Group {
        std::string key;
        Chart chart;
        std::vector<std::string> names;
    };
    std::vector<Group> groups;
    for (const auto& run : runs) {
        if (run.train_nll.size() < 2) continue;
        const auto store = setting(run, "data.store");
        const auto tokenizer = run.rows.empty() ? setting(run, "tokenizer.kind") + setting(run, "tokenizer.vocab_size")
                                                : run.rows.front().tokenizer;
        auto group = std::find_if(groups.begin(), groups.end(),
                                  [&](const Group& one) { return one.key == store + "|" + tokenizer; });
        if (group == groups.end()) group = groups.insert(groups.end(), {store + "|" + tokenizer, {}, {}});
        auto& chart = group->chart;
        chart.title = "Training loss" + (store.empty() ? std::string() : ": " + store_name(store));
        chart.x_label = "update";
        chart.y_label = "training loss (nats a token)";
        chart.caption = "Loss on the training text" + (store.empty() ? std::string() : " of " + store_name(store)) +
                        ", as logged while training.";
        ChartSeries series;
        series.label = run.name;
        series.style = chart.series.size();
        series.markers = false;
        name_series(series, run, tables);
        for (const auto& point : thinned(run.train_nll, 300)) {
            series.x.push_back(point.update);
            series.y.push_back(point.value);
        }
        chart.series.push_back(std::move(series));
        group->names.push_back(run.name);
    }
    std::vector<Chart> charts;
    for (auto& group : groups) {
        make_labels_unique(group.chart.series, group.names);
        charts.push_back(std::move(group.chart));
    }
    return charts;
}

}  // namespace longbow
