// Draws a table of shares as coloured cells with their numbers, as SVG of the kind that charts are (report/svg.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longbow/core/json.h"

namespace longbow {

struct HeatMap {
    std::string title;  // printed above the cells
    std::string x_label, y_label;
    std::vector<std::string> columns, rows;                 // their headings
    std::vector<std::vector<std::optional<double>>> cells;  // by row and column, from 0 to 1; absent: an empty cell
    std::vector<std::vector<std::string>> notes;            // shown on hovering over a cell
    std::string caption;                                    // printed below
};

// Returns a self-contained file of the maps below each other.
std::string heat_map_svg(const std::vector<HeatMap>& maps);

// Makes a map of the exact match by length (a row for each range) and depth from rows of `longbow probe tasks` about
// needles, all of one model or of its seeds: items of one range and depth count together. A row without depths is
// passed over; without any that has them, the map has no rows.
HeatMap depth_map(const std::string& title, const std::vector<Json>& rows);

}  // namespace longbow
