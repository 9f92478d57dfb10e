// Builds a table of the paper as text. Each row has our numbers, the paper's, and the difference, in the paper's
// columns and decimals.
#pragma once

#include <string>
#include <vector>

#include "longbow/paper/lookup.h"
#include "longbow/report/format.h"

namespace longbow {

struct GridCell {
    std::string ours, interval, paper, difference;  // empty: there is none
    std::int64_t blocks = 0;                        // that the interval is computed from; 0: there is no interval
    // That our number was measured on; empty if there is no number of ours or it is not an evaluation.
    std::string corpus;
};

struct GridRow {
    std::vector<std::string> labels;
    std::vector<GridCell> cells;  // one a value column
};

struct Grid {
    std::string title, banner;
    std::vector<std::string> notes;
    std::vector<std::string> label_headings, headings;
    std::vector<GridRow> rows;
    bool has_ours = false, has_interval = false;
};

Grid make_grid(const PublishedTable& table, const Scale& scale, const Lookup& ours);

// Returns a sentence that names every corpus on which our numbers were measured; empty if there are none.
std::string corpora_note(const std::vector<GridRow>& rows);

// Writes a grid as text. The CSV and JSON also hold the table's and the scale's names.
std::string render_grid(const Grid& grid, const std::string& name, const std::string& scale, TextFormat format);

}  // namespace longbow
