#include "longbow/paper/published.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

extern const char* embedded_paper_tables();  // written by cmake/Embed.cmake

namespace {

const YAML::Node& document() {
    static const YAML::Node node = YAML::Load(embedded_paper_tables());
    return node;
}

PublishedCell cell_of(const YAML::Node& node) {
    PublishedCell cell;
    if (node.IsNull()) return cell;
    cell.text = node.Scalar();
    char* end = nullptr;
    cell.value = std::strtod(cell.text.c_str(), &end);
    if (cell.text == "OOM") {
        cell.kind = PublishedCell::Kind::out_of_memory;
    } else if (node.Tag() != "!" && *end == '\0') {  // "!": quoted in the file, so a text
        cell.kind = PublishedCell::Kind::number;
        const auto point = cell.text.find('.');
        cell.decimals = point == std::string::npos ? 0 : static_cast<int>(cell.text.size() - point - 1);
    } else {
        cell.kind = PublishedCell::Kind::text;
    }
    return cell;
}

PublishedTable table_of(const YAML::Node& node) {
    PublishedTable table;
    table.number = node["number"].as<int>();
    table.name = "table" + std::to_string(table.number);
    table.caption = node["caption"].as<std::string>();
    table.unit = node["unit"].as<std::string>();
    table.dataset = node["dataset"].as<std::string>("wikitext-103");  // Table 1 leaves it to its caption
    table.split = node["split"].as<std::string>("");
    table.stride = node["stride"].as<std::int64_t>(0);
    table.train_length = node["train_length"].as<std::int64_t>(0);
    table.columns = node["columns"].as<std::vector<std::string>>();
    for (const auto& row : node["rows"]) {
        table.rows.emplace_back();
        for (const auto& cell : row) table.rows.back().push_back(cell_of(cell));
        if (table.rows.back().size() != table.columns.size())
            throw DataError(table.name + ": a row has not as many cells as there are columns");
    }
    return table;
}

using Points = std::vector<std::vector<double>>;

PublishedFigure figure_of(const YAML::Node& node) {
    PublishedFigure figure;
    const auto id = node["id"].as<std::string>();  // "figure_5"
    figure.number = std::stoi(id.substr(id.find('_') + 1));
    figure.name = "figure" + std::to_string(figure.number);
    figure.caption = node["caption"].as<std::string>();
    if (node["columns"]) figure.columns = node["columns"].as<std::vector<std::string>>();
    for (const auto& entry : node) {
        const auto key = entry.first.as<std::string>();
        if (entry.second.IsMap()) {
            for (const auto& curve : entry.second) figure.curves.push_back({key, curve.first.as<std::string>(), curve.second.as<Points>()});
        } else if (entry.second.IsSequence() && entry.second.size() > 0 && entry.second[0].IsSequence()) {
            figure.curves.push_back({"", key, entry.second.as<Points>()});
        }
    }
    return figure;
}

template <class Item>
const Item& named(const std::vector<Item>& items, std::string_view name, const char* what) {
    std::vector<std::string> names;
    for (const auto& item : items) {
        if (item.name == name) return item;
        names.push_back(item.name);
    }
    throw UsageError("the paper has no " + std::string(what) + " '" + std::string(name) + "': known are " + join(names, ", "));
}

}  // namespace

std::size_t PublishedTable::column(const std::string& wanted) const {
    return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), wanted) - columns.begin());
}

int PublishedTable::decimals(std::size_t index) const {
    int most = 0;
    for (const auto& row : rows) most = std::max(most, row[index].decimals);
    return most;
}

const std::vector<PublishedTable>& published_tables() {
    static const auto tables = [] {
        std::vector<PublishedTable> list;
        for (const auto& node : document()["tables"]) list.push_back(table_of(node));
        return list;
    }();
    return tables;
}

const std::vector<PublishedFigure>& published_figures() {
    static const auto figures = [] {
        std::vector<PublishedFigure> list;
        for (const auto& node : document()["figures"]) list.push_back(figure_of(node));
        return list;
    }();
    return figures;
}

const PublishedTable& published_table(std::string_view name) { return named(published_tables(), name, "table"); }
const PublishedFigure& published_figure(std::string_view name) { return named(published_figures(), name, "figure"); }

std::string_view published_text() { return embedded_paper_tables(); }

}  // namespace longbow
