// Resolves the names on the command line to tables and figures, and to the measurements that they need.
#include <algorithm>
#include <map>

#include "figures.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/paper/other_papers.h"
#include "reproduce.h"

namespace longbow {

namespace {

const std::map<std::string, std::vector<std::string>>& groups() {
    static const std::map<std::string, std::vector<std::string>> known{
        {"wikitext103",
         {"table1", "table2", "table3", "table4", "table5", "table6", "table7", "table13", "table14", "table15",
          "figure1", "figure2", "figure4", "figure7", "figure8", "figure11"}},
        {"bookcorpus", {"table8", "table9", "table10", "figure9"}},
        {"cc100", {"table11", "table12", "figure5", "figure6"}},
        {"all", {"wikitext103", "bookcorpus", "cc100"}},
    };
    return known;
}

std::vector<std::string> known_names() {
    std::vector<std::string> names;
    for (const auto& table : published_tables()) names.push_back(table.name);
    for (const auto& figure : published_figures()) {
        if (figure.number != 3 && figure.number != 10) names.push_back(figure.name);  // diagrams
    }
    for (const auto* group : {"wikitext103", "bookcorpus", "cc100", "all"}) names.emplace_back(group);
    return names;
}

void add_name(const std::string& name, Goals& goals) {
    const auto group = groups().find(name);
    if (group != groups().end()) {
        for (const auto& member : group->second) add_name(member, goals);
        return;
    }
    auto known = known_names();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
        // The other papers' tables are planned elsewhere (other_study.h), but may be what is meant.
        const auto others = other_table_names();
        known.insert(known.end(), others.begin(), others.end());
        const auto near = nearest(name, known);
        throw UsageError("nothing of the papers is called '" + name + "'" +
                         (near ? ", did you mean '" + *near + "'?" : "") + " There are: " + join(known, ", "));
    }
    auto& list = starts_with(name, "table") ? goals.tables : goals.figures;
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
}

template <class Item>
void add_once(std::vector<Item>& list, const Item& item) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

void sort_by_number(std::vector<std::string>& names) {
    const auto number = [](const std::string& name) {
        return std::stoi(name.substr(name.find_first_of("0123456789")));
    };
    std::sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return number(a) < number(b); });
}

}  // namespace

Goals goals_of(const std::vector<std::string>& names, const Scale& scale) {
    Goals goals;
    for (const auto& name : names) add_name(name, goals);
    sort_by_number(goals.tables);
    sort_by_number(goals.figures);
    for (const auto& name : goals.tables) {
        const auto& table = published_table(name);
        for (const auto row : scale.rows_of(table)) {
            for (std::size_t column = 0; column < table.columns.size(); ++column) {
                if (const auto target = target_of(table, row, column)) add_once(goals.targets, *target);
            }
        }
    }
    for (const auto& name : goals.figures) {
        for (const auto& panel : figure_panels(name, scale)) {
            for (const auto& curve : panel.curves) {
                if (curve.trained) add_once(goals.trained, *curve.trained);
                for (const auto& point : curve.points) {
                    if (!curve.trained) add_once(goals.targets, point.target);
                    if (point.x_target) add_once(goals.targets, *point.x_target);
                }
            }
        }
    }
    return goals;
}

}  // namespace longbow
