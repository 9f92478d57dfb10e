// Decides which numbers of a column are set in bold: the lowest, and those whose paired difference from it is not
// significant.
#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/report/comparison.h"
#include "table_cells.h"

namespace longbow {

namespace {

using Rows = std::vector<const EvalResult*>;

// Pairs the rows by the seeds that both models have. Models of one seed each are paired whatever their seeds are.
std::vector<RowPair> paired(const Rows& best, const Rows& rows) {
    if (best.size() == 1 && rows.size() == 1) return {{best.front(), rows.front()}};
    std::vector<RowPair> pairs;
    for (const auto* a : best) {
        const auto b =
            std::find_if(rows.begin(), rows.end(), [&](const EvalResult* row) { return row->seed == a->seed; });
        if (b != rows.end() && !a->diverged() && !(*b)->diverged()) pairs.push_back({a, *b});
    }
    return pairs;
}

// Returns whether `rows` are significantly worse than `best`.
bool clearly_worse(const Rows& best, const Rows& rows) {
    const auto pairs = paired(best, rows);
    if (pairs.empty()) return false;
    try {
        const auto difference = compare_rows(pairs).difference;
        return difference.excludes_zero() && difference.mean > 0;
    } catch (const DataError&) {  // rows of earlier versions lack the blocks' losses
        return false;
    }
}

}  // namespace

void mark_best(ReportTable& table) {
    for (const auto length : table.lengths) {
        std::vector<ReportRow*> rows;
        for (auto& row : table.rows) {
            if (row.cells.count(length) > 0 && row.cells.at(length).seeds > 0) rows.push_back(&row);
        }
        if (rows.size() < 2) continue;
        const auto* best = *std::min_element(rows.begin(), rows.end(), [&](const auto* a, const auto* b) {
            return a->cells.at(length).mean < b->cells.at(length).mean;
        });
        for (auto* row : rows) {
            auto& cell = row->cells.at(length);
            const bool whole = cell.diverged == 0;  // a model that diverged for some seeds is not among the best
            cell.best =
                row == best || (whole && !clearly_worse(best->measurements.at(length), row->measurements.at(length)));
        }
    }
}

}  // namespace longbow
