#include "longbow/report/format.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/interval.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// From 1e7 on, a value is written with three digits: more digits of a huge perplexity say nothing.
std::string value_text(double value, Metric metric) {
    const bool perplexity = metric == Metric::ppl || metric == Metric::ppl_per_word;
    return std::abs(value) >= 1e7 ? fmt::format("{:.3g}", value) : fmt::format("{:.{}f}", value, perplexity ? 2 : 4);
}

// Returns the different numbers of seeds among the table's cells.
std::set<std::int64_t> seed_counts(const ReportTable& table) {
    std::set<std::int64_t> counts;
    for (const auto& row : table.rows) {
        for (const auto& [length, cell] : row.cells) {
            if (cell.seeds > 0) counts.insert(cell.seeds);
        }
    }
    return counts;
}

// Returns the pair of lengths that the growth of every row is between, or nullopt if rows differ.
std::optional<std::pair<std::int64_t, std::int64_t>> common_growth(const ReportTable& table) {
    std::optional<std::pair<std::int64_t, std::int64_t>> common;
    for (const auto& row : table.rows) {
        if (!row.growth) continue;
        const std::pair<std::int64_t, std::int64_t> pair{row.growth->from, row.growth->to};
        if (common && *common != pair) return std::nullopt;
        common = pair;
    }
    return common;
}

bool any_cell(const ReportTable& table, bool (*is)(const ReportCell&)) {
    return std::any_of(table.rows.begin(), table.rows.end(), [&](const ReportRow& row) {
        return std::any_of(row.cells.begin(), row.cells.end(), [&](const auto& cell) { return is(cell.second); });
    });
}

// "124", or "9 to 124" where cells score different numbers of tokens.
std::string blocks_text(const ReportTable& table) {
    std::set<std::int64_t> blocks;
    for (const auto& row : table.rows) {
        for (const auto& [length, cell] : row.cells) blocks.insert(cell.blocks);
    }
    if (blocks.empty()) return "no";
    return with_commas(*blocks.begin()) + (blocks.size() > 1 ? " to " + with_commas(*blocks.rbegin()) : "");
}

std::string seeds_note(const ReportTable& table) {
    const auto counts = seed_counts(table);
    if (counts.empty() || *counts.rbegin() < 2) return "";
    return counts.size() == 1 ? fmt::format("± is the standard deviation over {} seeds.", *counts.begin())
                              : "± is the standard deviation over seeds, whose number is in brackets.";
}

}  // namespace

std::string corpus_text(const std::string& name, const std::string& fingerprint) {
    return name.empty() ? "data " + fingerprint : name + " (" + fingerprint + ")";
}

std::string multiple_text(double multiple) {
    if (multiple == 1) return "L";
    const double divisor = 1 / multiple;
    return multiple < 1 && divisor == std::round(divisor) ? fmt::format("L/{:g}", divisor)
                                                          : fmt::format("{:g}L", multiple);
}

std::string metric_title(Metric metric) {
    switch (metric) {
        case Metric::ppl: return "Perplexity";
        case Metric::nll: return "Loss (nats a token)";
        case Metric::bpb: return "Bits per byte";
        default: return "Perplexity a word";
    }
}

std::string metric_key(Metric metric) {
    switch (metric) {
        case Metric::ppl: return "ppl";
        case Metric::nll: return "nll";
        case Metric::bpb: return "bits_per_byte";
        default: return "ppl_per_word";
    }
}

std::string cell_text(const ReportTable& table, const ReportCell& cell, const std::string& plus_minus) {
    return cell_text(cell, table.metric, seed_counts(table).size() > 1, plus_minus);
}

std::string interval_text(const ReportCell& cell, Metric metric) {
    const auto& interval = cell.seeds > 1 ? cell.over_seeds : cell.interval;
    return interval ? value_text(interval->low, metric) + "–" + value_text(interval->high, metric) : "";
}

std::string cell_text(const ReportCell& cell, Metric metric, bool with_count, const std::string& plus_minus) {
    if (cell.seeds == 0) return cell.diverged > 0 ? "diverged" : cell.unreached > 0 ? "no such window" : "no value";
    auto text = value_text(cell.mean, metric);
    if (cell.seeds > 1) text += plus_minus + value_text(cell.sd, metric);
    const auto all = cell.seeds + cell.diverged + cell.valueless;
    if (cell.diverged > 0)
        text += fmt::format(" ({} of {} seeds diverged)", cell.diverged, all);
    else if (cell.valueless > 0)
        text += fmt::format(" ({} of {} seeds without a value)", cell.valueless, all);
    else if (with_count)
        text += fmt::format(" ({})", cell.seeds);
    return text;
}

std::string cell_hint(const ReportTable& table, const ReportCell& cell) {
    const auto tokens = with_commas(cell.tokens) + " tokens";
    if (cell.seeds > 1) return fmt::format("mean of {} seeds, ", cell.seeds) + tokens;
    if (!cell.interval) return "no interval, " + tokens;
    return "95 % interval " + value_text(cell.interval->low, table.metric) + " to " +
           value_text(cell.interval->high, table.metric) + " (" + cell.interval_method + ", " +
           with_commas(cell.blocks) + " blocks), " + tokens;
}

bool has_growth(const ReportTable& table) {
    return std::any_of(table.rows.begin(), table.rows.end(),
                       [](const ReportRow& row) { return row.growth.has_value(); });
}

std::string growth_heading(const ReportTable& table) {
    const auto pair = common_growth(table);
    return pair ? fmt::format("ppl({}) / ppl({})", pair->second, pair->first) : "growth of ppl";
}

std::string growth_text(const ReportTable& table, const ReportRow& row, const std::string& none,
                        const std::string& plus_minus) {
    if (!row.growth) return none;
    const auto& growth = *row.growth;
    auto text = growth.ratio < 1e7 ? fmt::format("{:.3f}", growth.ratio) : fmt::format("{:.3g}", growth.ratio);
    if (growth.seeds > 1) text += plus_minus + fmt::format("{:.3f}", growth.sd);
    if (growth.interval) text += fmt::format(" [{:.3f}, {:.3f}]", growth.interval->low, growth.interval->high);
    if (!common_growth(table)) text += fmt::format(" ({}/{})", growth.to, growth.from);
    return text;
}

std::string length_heading(const ReportTable& table, std::int64_t length) {
    return std::to_string(length) +
           (table.same_targets() ? "" : " (" + with_commas(table.tokens.at(length)) + " tokens)");
}

std::vector<std::string> table_notes(const ReportTable& table) {
    std::vector<std::string> notes;
    const auto least = std::to_string(kLeastBlocks);
    const auto count = blocks_text(table);
    const auto blocks =
        count + (count == "1" ? " block of " : " blocks of ") + with_commas(kIntervalBlock) + " targets";
    if (any_cell(table, [](const ReportCell& cell) { return cell.best; })) {
        notes.push_back(
            "Bold: the least of a column, and what is not clearly worse (95 %, Student's t over the paired differences of " +
            blocks + "; below " + least + " blocks nothing is).");
    }
    const bool intervals = std::any_of(table.rows.begin(), table.rows.end(),
                                       [](const auto& row) { return row.growth && row.growth->interval; });
    if (intervals)
        notes.push_back("Intervals are 95 % (Student's t over " + blocks + ", the same blocks at both lengths).");
    else if (any_cell(table, [](const ReportCell& cell) { return cell.seeds == 1 && cell.blocks < kLeastBlocks; }))
        notes.push_back("No intervals: they need " + least + " blocks, and the text has " + blocks + ".");
    if (auto seeds = seeds_note(table); !seeds.empty()) notes.push_back(std::move(seeds));
    if (!table.same_targets())
        notes.emplace_back(
            "Each length scores other tokens of the text, as the protocol defines: columns cannot be compared exactly.");
    return notes;
}

std::string render_report(const std::vector<ReportRun>& runs, Metric metric, TextFormat format) {
    const auto tables = make_tables(runs, metric);
    switch (format) {
        case TextFormat::markdown: return render_markdown(tables);
        case TextFormat::csv: return render_csv(tables, metric);
        case TextFormat::latex: return render_latex(tables);
        case TextFormat::json: return render_json(tables);
        case TextFormat::html: return render_html(runs, tables);
    }
    return "";
}

}  // namespace longbow
