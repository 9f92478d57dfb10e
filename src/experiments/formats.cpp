// The report as Markdown, CSV, LaTeX and JSON.
#include <algorithm>

#include "format.h"
#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

const char* const kIntervals =
    "Intervals are 95 % (Student's t over blocks of 1,024 consecutive targets, the same blocks at both lengths; none below 10 blocks).";

bool several_seeds(const ReportTable& table) {
    return std::any_of(table.rows.begin(), table.rows.end(), [](const ReportRow& row) {
        return std::any_of(row.cells.begin(), row.cells.end(), [](const auto& cell) { return cell.second.seeds > 1; });
    });
}

std::string growth_header(const ReportTable& table) {
    const auto pair = common_growth(table);
    return pair ? strprintf("ppl(%lld) / ppl(%lld)", static_cast<long long>(pair->second), static_cast<long long>(pair->first))
                : "growth of ppl";
}

std::string growth_cell(const ReportTable& table, const ReportRow& row, const std::string& plus_minus = " ± ") {
    if (!row.growth) return "–";
    auto text = growth_text(*row.growth, plus_minus);
    if (!common_growth(table))
        text += strprintf(" (%lld/%lld)", static_cast<long long>(row.growth->to), static_cast<long long>(row.growth->from));
    return text;
}

std::string markdown(const std::vector<ReportTable>& tables, Metric metric) {
    std::string text;
    for (const auto& table : tables) {
        text += (text.empty() ? "" : "\n") + std::string("### ") + metric_title(metric) + ": " + table.heading() + "\n\n";
        text += "| Model | trained at |";
        std::string rule = "|---|---:|";
        for (const auto length : table.lengths) {
            text += strprintf(" %lld |", static_cast<long long>(length));
            rule += "---:|";
        }
        if (has_growth(table)) {
            text += " " + growth_header(table) + " |";
            rule += "---:|";
        }
        text += "\n" + rule + "\n";
        for (const auto& row : table.rows) {
            text += "| " + row.label + strprintf(" | %lld |", static_cast<long long>(row.train_length));
            for (const auto length : table.lengths) {
                const auto cell = row.cells.find(length);
                const auto value = cell == row.cells.end() ? std::string("–") : cell_text(cell->second, metric);
                text += best_row(table, length) == &row ? " **" + value + "** |" : " " + value + " |";
            }
            if (has_growth(table)) text += " " + growth_cell(table, row) + " |";
            text += "\n";
        }
        if (has_growth(table)) text += std::string("\n") + kIntervals + "\n";
        if (several_seeds(table)) text += "\n± is the standard deviation over seeds.\n";
    }
    return text;
}

// Long form, a line a model and length: what a data frame wants.
std::string csv(const std::vector<ReportTable>& tables, Metric metric) {
    std::string text = "model,name,position,train_length,split,protocol,stride,within_documents,length,tokens,seeds," + metric_key(metric) +
                       ",sd,low,high,growth_from,growth_to,growth,growth_low,growth_high,growth_sd\n";
    for (const auto& table : tables) {
        for (const auto& row : table.rows) {
            for (const auto& [length, cell] : row.cells) {
                const bool one = cell.seeds == 1;
                std::vector<std::string> fields{row.label,
                                                row.name,
                                                row.position,
                                                std::to_string(row.train_length),
                                                table.split,
                                                table.protocol,
                                                table.stride_text,
                                                table.within_documents ? "true" : "false",
                                                std::to_string(length),
                                                std::to_string(cell.tokens),
                                                std::to_string(cell.seeds),
                                                cell.seeds > 0 ? number_text(cell.mean) : "",
                                                cell.seeds > 1 ? number_text(cell.sd) : "",
                                                one && cell.interval ? number_text(cell.interval->low) : "",
                                                one && cell.interval ? number_text(cell.interval->high) : ""};
                if (row.growth && row.growth->to == length) {
                    const auto& g = *row.growth;
                    const std::vector<std::string> growth{std::to_string(g.from),
                                                          std::to_string(g.to),
                                                          number_text(g.ratio),
                                                          g.interval ? number_text(g.interval->low) : "",
                                                          g.interval ? number_text(g.interval->high) : "",
                                                          g.seeds > 1 ? number_text(g.sd) : ""};
                    fields.insert(fields.end(), growth.begin(), growth.end());
                } else {
                    fields.resize(fields.size() + 6);
                }
                text += csv_line(fields);
            }
        }
    }
    return text;
}

std::string latex(const std::vector<ReportTable>& tables, Metric metric) {
    std::string text = "% needs \\usepackage{booktabs}\n";
    for (const auto& table : tables) {
        text += "\\begin{table}\n  \\centering\n  \\caption{" + metric_title(metric) + ": " + latex_escape(table.heading()) + ".}\n";
        text += "  \\begin{tabular}{lr" + std::string(table.lengths.size(), 'r') + (has_growth(table) ? "r" : "") +
                "}\n    \\toprule\n    Model & trained at";
        for (const auto length : table.lengths) text += strprintf(" & %lld", static_cast<long long>(length));
        if (has_growth(table)) text += " & " + growth_header(table);
        text += " \\\\\n    \\midrule\n";
        for (const auto& row : table.rows) {
            text += "    " + latex_escape(row.label) + strprintf(" & %lld", static_cast<long long>(row.train_length));
            for (const auto length : table.lengths) {
                const auto cell = row.cells.find(length);
                const auto value = cell == row.cells.end() ? std::string("--") : cell_text(cell->second, metric, " $\\pm$ ");
                text += best_row(table, length) == &row ? " & \\textbf{" + value + "}" : " & " + value;
            }
            if (has_growth(table)) text += " & " + (row.growth ? growth_cell(table, row, " $\\pm$ ") : std::string("--"));
            text += " \\\\\n";
        }
        text += "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
    }
    return text;
}

Json interval_json(const std::optional<Interval>& interval) { return interval ? Json{interval->low, interval->high} : Json(); }

std::string json(const std::vector<ReportTable>& tables, Metric metric) {
    Json out = Json::array();
    for (const auto& table : tables) {
        Json entry{{"heading", table.heading()}, {"metric", metric_key(metric)}, {"split", table.split},
                   {"protocol", table.protocol}, {"stride", table.stride_text},  {"within_documents", table.within_documents},
                   {"data", table.data},         {"tokenizer", table.tokenizer}, {"dtype", table.dtype},
                   {"lengths", table.lengths},   {"models", Json::array()}};
        for (const auto& row : table.rows) {
            Json model{{"label", row.label},     {"name", row.name},       {"position", row.position}, {"train_length", row.train_length},
                       {"updates", row.updates}, {"values", Json::array()}};
            for (const auto& [length, cell] : row.cells) {
                Json value{{"length", length},
                           {metric_key(metric), cell.mean},
                           {"tokens", cell.tokens},
                           {"seeds", cell.seeds},
                           {"blocks", cell.blocks}};
                if (cell.diverged > 0) value["diverged"] = cell.diverged;
                if (cell.unreached > 0) value["unreached"] = cell.unreached;
                if (cell.seeds > 1)
                    value["sd"] = cell.sd;
                else {
                    value["ci"] = interval_json(cell.interval);
                    value["ci_method"] = cell.interval_method;
                }
                model["values"].push_back(value);
            }
            if (row.growth) {
                model["growth"] = {
                    {"from", row.growth->from}, {"to", row.growth->to}, {"ratio", row.growth->ratio}, {"seeds", row.growth->seeds}};
                if (row.growth->interval) model["growth"]["ci"] = interval_json(row.growth->interval);
                if (row.growth->seeds > 1) model["growth"]["sd"] = row.growth->sd;
            }
            entry["models"].push_back(model);
        }
        out.push_back(entry);
    }
    return json_text(out, 2) + "\n";
}

}  // namespace

static std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string csv_line(std::vector<std::string> fields) {
    std::transform(fields.begin(), fields.end(), fields.begin(), csv_field);
    return join(fields, ",") + "\n";
}

std::string latex_escape(const std::string& text) {
    std::string escaped;
    for (const char c : text) {
        if (std::string("&%$#_{}").find(c) != std::string::npos) escaped += '\\';
        escaped += c == '~' || c == '^' || c == '\\' ? ' ' : c;
    }
    return escaped;
}

std::string metric_title(Metric metric) {
    return metric == Metric::ppl ? "Perplexity" : metric == Metric::nll ? "Loss (nats a token)" : "Bits per byte";
}

std::string metric_key(Metric metric) { return metric == Metric::ppl ? "ppl" : metric == Metric::nll ? "nll" : "bits_per_byte"; }

std::string cell_text(const ReportCell& cell, Metric metric, const std::string& plus_minus) {
    const int decimals = metric == Metric::ppl ? 2 : 4;
    const auto without = cell.diverged + cell.valueless;
    if (cell.seeds == 0) return cell.diverged > 0 ? "diverged" : cell.unreached > 0 ? "no such window" : "no value";
    auto text = strprintf("%.*f", decimals, cell.mean);
    if (cell.seeds > 1) text += plus_minus + strprintf("%.*f", decimals, cell.sd);
    if (without > 0)
        text += strprintf(" (%lld of %lld seeds diverged)", static_cast<long long>(without), static_cast<long long>(cell.seeds + without));
    return text;
}

std::string growth_text(const ReportGrowth& growth, const std::string& plus_minus) {
    auto text = strprintf("%.3f", growth.ratio);
    if (growth.seeds > 1) text += plus_minus + strprintf("%.3f", growth.sd);
    if (growth.interval) text += strprintf(" [%.3f, %.3f]", growth.interval->low, growth.interval->high);
    return text;
}

bool has_growth(const ReportTable& table) {
    return std::any_of(table.rows.begin(), table.rows.end(), [](const ReportRow& row) { return row.growth.has_value(); });
}

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

const ReportRow* best_row(const ReportTable& table, std::int64_t length) {
    if (table.rows.size() < 2) return nullptr;
    const ReportRow* best = nullptr;
    for (const auto& row : table.rows) {
        if (row.cells.count(length) > 0 && row.cells.at(length).seeds > 0 &&
            (best == nullptr || row.cells.at(length).mean < best->cells.at(length).mean))
            best = &row;
    }
    return best;
}

std::string render_report(const std::vector<ReportRun>& runs, Metric metric, const std::string& format) {
    const auto tables = make_tables(runs, metric);
    if (format == "markdown") return markdown(tables, metric);
    if (format == "csv") return csv(tables, metric);
    if (format == "latex") return latex(tables, metric);
    if (format == "json") return json(tables, metric);
    if (format == "html") return render_html(runs, tables, metric);
    throw UsageError("unknown format '" + format + "': known are markdown, csv, latex, json, html");
}

}  // namespace longbow
