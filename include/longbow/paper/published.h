// Gives access to the numbers printed in "Train Short, Test Long" (data/paper/tables.yaml), compiled into the binary.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longbow {

struct PublishedCell {
    enum class Kind { empty, text, number, out_of_memory };  // empty: the paper prints a dash or nothing
    Kind kind = Kind::empty;
    std::string text;  // as printed
    double value = 0;  // numbers
    int decimals = 0;  // numbers: digits after the point, as printed
};

struct PublishedTable {
    int number = 0;
    std::string name;  // "table5"
    std::string caption, unit, dataset;
    std::string split;              // empty: the columns say it
    std::int64_t stride = 0;        // 0: non-overlapping
    std::int64_t train_length = 0;  // 0: rows or columns say it
    std::vector<std::string> columns;
    std::vector<std::vector<PublishedCell>> rows;
    [[nodiscard]] std::size_t column(const std::string& name) const;  // columns.size(): there is none
    // Returns the largest number of decimals that the paper prints in a column.
    [[nodiscard]] int decimals(std::size_t column) const;
};

// Holds a curve read off a figure. `panel` is for example "left_lvalid_1024" (empty if the figure has one panel),
// `name` "alibi_L512".
struct PublishedCurve {
    std::string panel, name;
    std::vector<std::vector<double>> points;
};
struct PublishedFigure {
    int number = 0;
    std::string name, caption;  // "figure5"
    std::vector<std::string> columns;
    std::vector<PublishedCurve> curves;  // empty: the figure plots a table
};

const std::vector<PublishedTable>& published_tables();
const std::vector<PublishedFigure>& published_figures();
// Both throw UsageError that lists the known names.
const PublishedTable& published_table(std::string_view name);
const PublishedFigure& published_figure(std::string_view name);

// Returns the text of the YAML file as compiled in.
std::string_view published_text();

}  // namespace longbow
