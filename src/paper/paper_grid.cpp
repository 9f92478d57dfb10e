#include "paper_grid.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/interval.h"
#include "longbow/core/strings.h"
#include "longbow/report/method_style.h"

namespace longbow {

namespace {

using Kind = PublishedCell::Kind;

// Returns the title of a method of the paper's tables; models of other publications keep their name.
std::string title_of(const std::string& published) {
    const auto method = method_of(published);
    return method.empty() ? published : method_title(method);
}

bool is_label(const std::string& column) {
    return column == "method" || column == "model" || column == "train_length" || column == "eval_length" ||
           column == "input_length";
}

// "512", or "512 (64)" if this scale measures at 64 instead.
std::string length_text(const Scale& scale, std::int64_t length) {
    return scale.divisor == 1 ? std::to_string(length) : fmt::format("{} ({})", length, scale.length(length));
}

std::string heading_of(const Scale& scale, const std::string& column) {
    if (column == "method") return "Method";
    if (column == "model") return "Model";
    if (column == "train_length") return "Train L";
    if (column == "eval_length") return "Lvalid";
    if (column == "input_length") return "Lvalid";
    if (column == "train_kwps") return "Train, k WPS";
    if (column == "eval_kwps") return "Eval, k WPS";
    if (column == "inference_kwps") return "Inference, k WPS";
    if (column == "train_memory_gb") return "Train memory, GB";
    if (column == "memory_gb") return "Memory, GB";
    if (column == "updates_k") return "Updates, k";
    if (column == "gpu_hours_k") return "GPU hours, k";
    if (column == "params_m") return "Param., M";
    if (column == "valid_ppl") return "Valid PPL";
    if (column == "test_ppl") return "Test PPL";
    if (starts_with(column, "lvalid_"))
        return length_text(scale, std::stoll(column.substr(7))) +
               (column.find("_ppl") != std::string::npos ? " PPL" : "");
    const auto last = column.rfind('_');  // sinusoidal_ppl
    return title_of(column.substr(0, last)) + (column.substr(last) == "_wps" ? " WPS" : " PPL");
}

// Converts a measurement's unit to the paper's: thousands of words a second, gigabytes, millions, thousands.
double in_paper_units(const std::string& column, double value) {
    if (column.find("kwps") != std::string::npos || column == "updates_k" || column == "gpu_hours_k")
        return value / 1e3;
    if (column == "params_m") return value / 1e6;
    return column.find("memory_gb") != std::string::npos ? value / 1e9 : value;
}

std::string label_text(const Scale& scale, const std::string& column, const PublishedCell& cell) {
    if (cell.kind == Kind::number && column.find("length") != std::string::npos)
        return length_text(scale, static_cast<std::int64_t>(cell.value));
    return cell.kind == Kind::empty ? "" : title_of(cell.text);
}

// Returns the number of decimals for a value of ours. Small values of the demo would read 0.0 with the paper's
// decimals; they get enough to show two digits.
int decimals_for(double value, int published) {
    if (value == 0 || std::abs(value) >= std::pow(10.0, -published)) return published;
    return std::min(9, static_cast<int>(std::ceil(-std::log10(std::abs(value)))) + 1);
}

GridCell cell_of(const PublishedTable& table, std::size_t row, std::size_t column, const Lookup& ours) {
    GridCell cell;
    const auto& published = table.rows[row][column];
    const auto& name = table.columns[column];
    cell.paper = published.kind == Kind::number ? fmt::format("{:.{}f}", published.value, table.decimals(column))
                                                : published.text;
    const auto target = target_of(table, row, column);
    if (!target) return cell;
    const auto measured = ours(*target);
    if (!measured) return cell;
    cell.corpus = measured->corpus;
    if (!std::isfinite(measured->value)) {
        cell.ours = target->quantity == Quantity::ppl ? "diverged" : "";
        return cell;
    }
    const double value = in_paper_units(name, measured->value);
    const int decimals = decimals_for(value, table.decimals(column));
    cell.ours = fmt::format("{:.{}f}", value, decimals);
    if (measured->low && measured->high) {
        cell.interval = fmt::format("{:.{}f}–{:.{}f}", *measured->low, decimals, *measured->high, decimals);
        cell.blocks = (measured->tokens + kIntervalBlock - 1) / kIntervalBlock;
    }
    if (published.kind == Kind::number) cell.difference = fmt::format("{:+.{}f}", value - published.value, decimals);
    return cell;
}

std::string heading(const PublishedTable& table) {
    auto text = fmt::format("Table {}. ", table.number) + table.caption;
    if (text.find("tride") == std::string::npos && table.stride > 0) text += fmt::format(" Stride {}.", table.stride);
    return text;
}

// Says how the intervals were computed.
std::string blocks_note(const std::vector<GridRow>& rows) {
    std::int64_t least = 0, most = 0;
    for (const auto& row : rows) {
        for (const auto& cell : row.cells) {
            if (cell.blocks == 0) continue;
            least = least == 0 ? cell.blocks : std::min(least, cell.blocks);
            most = std::max(most, cell.blocks);
        }
    }
    if (most == 0) return fmt::format("no interval, because that needs {} blocks of 1,024 targets", kLeastBlocks);
    return "Student's t over " + with_commas(least) + (least < most ? " to " + with_commas(most) : "") +
           " blocks of 1,024 targets (none below " + std::to_string(kLeastBlocks) +
           "); it includes the variation of the text, not of the seeds";
}

std::vector<std::string> notes_of(const PublishedTable& table, const Scale& scale, const Grid& grid) {
    std::vector<std::string> notes{"Units: " + table.unit + "."};
    if (!grid.has_ours) return notes;
    if (auto corpora = corpora_note(grid.rows); !corpora.empty()) notes.push_back(std::move(corpora));
    if (scale.divisor != 1) notes.emplace_back("Lengths are the paper's; in brackets those measured here.");
    notes.push_back("difference: ours minus the paper's. 95 %: " + blocks_note(grid.rows) + ".");
    if (table.unit.find("peed") != std::string::npos || table.unit.find("wps") != std::string::npos) {
        notes.emplace_back(
            "Our speeds are scored or trained tokens a second of this machine as it was loaded then (--jobs 1 measures undisturbed); the "
            "paper's are words a second on one V100.");
    }
    return notes;
}

}  // namespace

std::string corpora_note(const std::vector<GridRow>& rows) {
    std::vector<std::string> corpora;
    for (const auto& row : rows) {
        for (const auto& cell : row.cells) {
            if (!cell.corpus.empty() && std::find(corpora.begin(), corpora.end(), cell.corpus) == corpora.end())
                corpora.push_back(cell.corpus);
        }
    }
    if (corpora.empty()) return "";
    return corpora.size() == 1
               ? "Ours were measured on " + corpora.front() + "."
               : "Ours were measured on unlike corpora (the CSV has each cell's): " + join(corpora, ", ") + ".";
}

Grid make_grid(const PublishedTable& table, const Scale& scale, const Lookup& ours) {
    Grid grid;
    grid.title = heading(table);
    for (const auto& column : table.columns)
        (is_label(column) ? grid.label_headings : grid.headings).push_back(heading_of(scale, column));
    for (const auto row : scale.rows_of(table)) {
        GridRow out;
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            if (is_label(table.columns[column])) {
                out.labels.push_back(label_text(scale, table.columns[column], table.rows[row][column]));
                continue;
            }
            out.cells.push_back(cell_of(table, row, column, ours));
            grid.has_ours = grid.has_ours || !out.cells.back().ours.empty();
            grid.has_interval = grid.has_interval || !out.cells.back().interval.empty();
        }
        grid.rows.push_back(std::move(out));
    }
    grid.banner = scale.banner();
    grid.notes = notes_of(table, scale, grid);
    return grid;
}

}  // namespace longbow
