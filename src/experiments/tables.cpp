// Groups rows into tables of models by lengths.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <tuple>

#include "longbow/core/error.h"
#include "longbow/core/interval.h"
#include "longbow/core/strings.h"
#include "longbow/eval/eval_plan.h"
#include "longbow/experiments/report.h"

namespace longbow {

namespace {

std::string stride_text_of(const EvalResult& row) {
    if (row.stride != default_stride(row.protocol, row.length)) return "stride " + std::to_string(row.stride);
    if (row.protocol == "hf") return "stride of half the length";
    return row.protocol == "paper" ? "non-overlapping" : "";
}

auto table_key(const EvalResult& row) {
    // Lengths of protocol hf and llamacpp score different numbers of tokens: the count is no part of the key.
    return std::make_tuple(row.split, row.protocol, stride_text_of(row), row.data, row.tokenizer, row.dtype, row.within_documents,
                           row.max_stream_tokens);
}

std::string position_title(const std::string& position) {
    if (position == "alibi") return "ALiBi";
    if (position == "t5") return "T5 bias";
    if (position == "none") return "no positions";
    std::string title = position;
    if (!title.empty()) title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
    return title;
}

double value_of(const EvalResult& row, Metric metric) {
    if (metric == Metric::nll) return row.nll;
    return metric == Metric::bpb ? row.bits_per_byte : row.ppl;
}

struct Spread {
    double mean = 0, sd = 0;
};
Spread spread_of(const std::vector<double>& values) {
    Spread spread;
    for (const double value : values) spread.mean += value / static_cast<double>(values.size());
    for (const double value : values) spread.sd += (value - spread.mean) * (value - spread.mean);
    spread.sd = values.size() > 1 ? std::sqrt(spread.sd / static_cast<double>(values.size() - 1)) : 0;
    return spread;
}

// The rows of one model: seed -> length -> row.
using Seeds = std::map<std::uint64_t, std::map<std::int64_t, const EvalResult*>>;

// One block has no spread, and the few of rows of before gave false winners: neither is shown.
std::optional<Interval> interval_in(const EvalResult& row, Metric metric) {
    if (!row.ppl_ci || row.blocks() < kLeastBlocks) return std::nullopt;
    const auto in = [&](double ppl) {
        if (metric == Metric::ppl) return ppl;
        return metric == Metric::nll ? std::log(ppl) : row.bits_per_byte * std::log(ppl) / row.nll;
    };
    return Interval{in(row.ppl_ci->low), in(row.ppl_ci->high)};
}

ReportCell cell_of(const Seeds& seeds, std::int64_t length, Metric metric) {
    ReportCell cell;
    std::vector<double> values;
    for (const auto& [seed, rows] : seeds) {
        const auto found = rows.find(length);
        if (found == rows.end()) continue;
        const auto& row = *found->second;
        if (!row.reached()) {  // of another length's windows: a number here would be read as one of this length
            ++cell.unreached;
            continue;
        }
        const double value = value_of(row, metric);
        if (std::isfinite(value))
            values.push_back(value);
        else
            ++(row.diverged() ? cell.diverged : cell.valueless);
        cell.tokens = row.tokens;
        cell.blocks = row.blocks();
        cell.interval = interval_in(row, metric);
        cell.interval_method = row.ppl_ci_method;
    }
    const auto spread = spread_of(values);
    cell.mean = values.empty() ? kNoValue : spread.mean;
    cell.sd = spread.sd;
    cell.seeds = static_cast<std::int64_t>(values.size());
    if (cell.seeds != 1) cell.interval.reset();  // the last seed's, which says nothing of the others
    return cell;
}

// From the training length (or the shortest measured) to the longest measured.
std::optional<ReportGrowth> growth_of(const Seeds& seeds, std::int64_t train_length, const std::set<std::int64_t>& lengths) {
    if (lengths.size() < 2) return std::nullopt;
    ReportGrowth growth;
    growth.from = lengths.count(train_length) > 0 ? train_length : *lengths.begin();
    growth.to = *lengths.rbegin();
    if (growth.from == growth.to) return std::nullopt;
    std::vector<double> ratios;
    std::vector<std::vector<double>> differences;  // of the blocks' losses, a series a seed
    const EvalResult* first = nullptr;
    for (const auto& [seed, rows] : seeds) {
        if (rows.count(growth.from) == 0 || rows.count(growth.to) == 0) continue;
        const auto *from = rows.at(growth.from), *to = rows.at(growth.to);
        if (!std::isfinite(to->ppl / from->ppl)) continue;  // a seed that diverged does not grow
        ratios.push_back(to->ppl / from->ppl);
        if (first == nullptr) first = from;
        const auto blocks = from->block_nll.size();
        if (from->tokens != to->tokens || from->tokens != first->tokens || blocks != to->block_nll.size()) continue;
        if (static_cast<std::int64_t>(blocks) != from->blocks()) continue;
        differences.emplace_back(blocks);
        for (std::size_t i = 0; i < blocks; ++i) differences.back()[i] = to->block_nll[i] - from->block_nll[i];
    }
    if (ratios.empty()) return std::nullopt;
    const auto spread = spread_of(ratios);
    growth.ratio = spread.mean;
    growth.sd = spread.sd;
    growth.seeds = static_cast<std::int64_t>(ratios.size());
    growth.blocks = first->blocks();
    if (differences.size() == 1 && ratios.size() == 1) {
        const auto interval = mean_estimate(differences, block_counts(first->tokens)).interval;
        if (interval) growth.interval = Interval{std::exp(interval->low), std::exp(interval->high)};
    }
    return growth;
}

ReportRow row_of(const Seeds& seeds, Metric metric) {
    ReportRow row;
    const auto& first = *seeds.begin()->second.begin()->second;
    row.name = first.name;
    row.position = first.position;
    row.train_length = first.train_length;
    row.updates = first.updates;
    std::set<std::int64_t> lengths;
    for (const auto& [seed, rows] : seeds) {
        for (const auto& [length, result] : rows) lengths.insert(length);
    }
    for (const auto length : lengths) row.cells[length] = cell_of(seeds, length, metric);
    std::erase_if(lengths, [&](std::int64_t length) { return row.cells[length].unreached > 0; });
    row.growth = growth_of(seeds, row.train_length, lengths);
    for (const auto& [length, result] : seeds.begin()->second) {
        if (result->reached() || row.longest == nullptr) row.longest = result;
    }
    return row;
}

// What distinguishes the models of a table, in the order in which they appear.
struct Model {
    std::string key;
    std::vector<const EvalResult*> rows;
};

std::vector<Model> models_of(const std::vector<const EvalResult*>& rows) {
    std::vector<Model> models;
    const auto add = [](std::vector<Model>& list, const std::string& key, const EvalResult* row) {
        auto found = std::find_if(list.begin(), list.end(), [&](const Model& model) { return model.key == key; });
        if (found == list.end()) {
            list.push_back({key, {}});
            found = std::prev(list.end());
        }
        found->rows.push_back(row);
    };
    for (const auto* row : rows) {
        const auto group = row->config_group.empty() ? row->config : row->config_group;
        add(models, row->position + "|" + std::to_string(row->train_length) + "|" + group, row);
    }
    // One seed measured at several checkpoints is several models, not several seeds.
    std::vector<Model> split_models;
    for (const auto& model : models) {
        std::map<std::uint64_t, std::set<std::string>> checkpoints;
        for (const auto* row : model.rows) checkpoints[row->seed].insert(row->checkpoint);
        const bool several = std::any_of(checkpoints.begin(), checkpoints.end(), [](const auto& entry) { return entry.second.size() > 1; });
        for (const auto* row : model.rows) add(split_models, several ? model.key + "|" + row->checkpoint : model.key, row);
    }
    return split_models;
}

// The position method's name when that tells the rows apart; then with the training length, the run's name, the update.
void label_rows(std::vector<ReportRow>& rows) {
    const auto distinct = [&](auto&& label) {
        std::set<std::string> labels;
        for (const auto& row : rows) labels.insert(label(row));
        return labels.size() == rows.size();
    };
    const auto by_position = [](const ReportRow& row) { return position_title(row.position); };
    const auto by_length = [](const ReportRow& row) { return position_title(row.position) + ", L=" + std::to_string(row.train_length); };
    const auto by_name = [](const ReportRow& row) { return row.name; };
    const auto by_update = [](const ReportRow& row) { return row.name + ", " + with_commas(row.updates) + " updates"; };
    for (auto& row : rows) {
        row.label = distinct(by_position) ? by_position(row)
                    : distinct(by_length) ? by_length(row)
                    : distinct(by_name)   ? by_name(row)
                                          : by_update(row);
    }
}

}  // namespace

Metric metric_from(const std::string& name) {
    if (name == "ppl") return Metric::ppl;
    if (name == "nll") return Metric::nll;
    if (name == "bpb") return Metric::bpb;
    throw UsageError("unknown metric '" + name + "': known are ppl, nll, bpb");
}

std::string ReportTable::heading() const {
    std::string text = split + " split, protocol " + protocol;
    if (!stride_text.empty()) text += ", " + stride_text;
    if (within_documents) text += ", within documents";
    if (max_stream_tokens > 0) text += ", first " + with_commas(max_stream_tokens) + " tokens";
    if (dtype != "fp32") text += ", " + dtype;
    return text + " (" + with_commas(tokens) + " tokens scored)";
}

std::vector<ReportTable> make_tables(const std::vector<ReportRun>& runs, Metric metric) {
    using Key = decltype(table_key(EvalResult{}));
    std::vector<std::pair<Key, std::vector<const EvalResult*>>> groups;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) {
            const auto key = table_key(row);
            auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.first == key; });
            if (found == groups.end()) {
                groups.emplace_back(key, std::vector<const EvalResult*>{});
                found = std::prev(groups.end());
            }
            found->second.push_back(&row);
        }
    }
    std::vector<ReportTable> tables;
    for (const auto& [key, rows] : groups) {
        const auto& first = *rows.front();
        ReportTable table;
        table.split = first.split;
        table.protocol = first.protocol;
        table.stride_text = stride_text_of(first);
        table.data = first.data;
        table.tokenizer = first.tokenizer;
        table.dtype = first.dtype;
        table.within_documents = first.within_documents;
        table.max_stream_tokens = first.max_stream_tokens;
        table.tokens = first.tokens;
        std::set<std::int64_t> lengths;
        for (const auto& model : models_of(rows)) {
            Seeds seeds;
            for (const auto* row : model.rows) {
                seeds[row->seed][row->length] = row;  // measured again: the later row stands
                lengths.insert(row->length);
            }
            table.rows.push_back(row_of(seeds, metric));
        }
        table.lengths.assign(lengths.begin(), lengths.end());
        label_rows(table.rows);
        tables.push_back(std::move(table));
    }
    return tables;
}

}  // namespace longbow
