// Builds tables of models by lengths from rows that were measured alike.
#include "longbow/report/tables.h"

#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "table_cells.h"
#include "table_groups.h"
#include "table_labels.h"

namespace longbow {

namespace {

// Is a model of a table with its rows. Models are in the order in which they appear.
struct Model {
    std::string key;
    std::vector<const EvalResult*> rows;
};

std::vector<Model> models_of(const std::vector<const EvalResult*>& rows) {
    std::vector<Model> models;
    const auto add = [](std::vector<Model>& list, const std::string& key, const EvalResult* row) {
        auto found = std::find_if(list.begin(), list.end(), [&](const Model& model) { return model.key == key; });
        if (found == list.end()) found = list.insert(list.end(), {key, {}});
        found->rows.push_back(row);
    };
    for (const auto* row : rows) {
        const auto group = row->config_group.empty() ? row->config : row->config_group;
        add(models, join({row->position, std::to_string(row->train_length), group, row->tokenizer, row->data}, "|"),
            row);
    }
    // One seed that was measured at several checkpoints gives several models, not several seeds.
    std::vector<Model> split_models;
    for (const auto& model : models) {
        std::map<std::uint64_t, std::set<std::string>> checkpoints;
        for (const auto* row : model.rows) checkpoints[row->seed].insert(row->checkpoint);
        const bool several = std::any_of(checkpoints.begin(), checkpoints.end(),
                                         [](const auto& entry) { return entry.second.size() > 1; });
        for (const auto* row : model.rows)
            add(split_models, several ? model.key + "|" + row->checkpoint : model.key, row);
    }
    return split_models;
}

ReportRow row_of(const Model& model, Metric metric, bool with_growth) {
    Seeds seeds;
    std::set<std::int64_t> lengths;
    for (const auto* row : model.rows) {
        seeds[row->seed][row->length] = row;  // the later row wins if a model was measured again
        lengths.insert(row->length);
    }
    const auto& first = *seeds.begin()->second.begin()->second;
    ReportRow row;
    row.name = name_of_seeds(seeds);
    row.position = first.position;
    row.data = first.data;
    row.tokenizer = first.tokenizer;
    row.train_length = first.train_length;
    row.updates = first.updates;
    for (const auto length : lengths) {
        row.cells[length] = cell_of(seeds, length, metric);
        for (const auto& [seed, rows] : seeds) {
            if (rows.count(length) > 0) row.measurements[length].push_back(rows.at(length));
        }
    }
    std::erase_if(lengths, [&](std::int64_t length) { return row.cells[length].unreached > 0; });
    if (with_growth) row.growth = growth_of(seeds, row.train_length, lengths);
    return row;
}

void add_once(std::vector<std::string>& list, const std::string& text) {
    if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
}

ReportTable table_of(const RowGroup& group, Metric metric) {
    const auto& first = *group.rows.front();
    ReportTable table;
    table.metric = metric;
    table.split = first.split;
    table.protocol = first.protocol;
    table.stride_text = group.stride_text;
    table.dtype = first.dtype;
    table.within_documents = first.within_documents;
    table.rules_text = first.rules_text();
    if (first.bos) table.bos = name_of(*first.bos);
    table.max_stream_tokens = group.max_stream_tokens;
    for (const auto* row : group.rows) {
        add_once(table.data_names, row->data_name);
        add_once(table.data, row->data);
        add_once(table.tokenizers, row->tokenizer);
        table.tokens.emplace(row->length, row->tokens);
    }
    for (const auto& [length, tokens] : table.tokens) table.lengths.push_back(length);
    // Growth is a ratio of per-token perplexities, which do not compare between different tokenizers.
    for (const auto& model : models_of(group.rows))
        table.rows.push_back(row_of(model, metric, table.tokenizers.size() == 1));
    label_rows(table);
    mark_best(table);
    return table;
}

}  // namespace

std::vector<ReportTable> make_tables(const std::vector<ReportRun>& runs, Metric metric) {
    const bool per_text = metric == Metric::bpb || metric == Metric::ppl_per_word;
    std::vector<ReportTable> tables;
    for (const auto& group : groups_of(runs, per_text)) tables.push_back(table_of(group, metric));
    if (per_text) return tables;
    std::set<std::string> tokenizers;
    for (const auto& table : tables) tokenizers.insert(table.tokenizers.begin(), table.tokenizers.end());
    for (auto& table : tables) table.own_units = tokenizers.size() > 1;
    for (const auto& group : groups_of(runs, true)) {
        auto table = table_of(group, Metric::bpb);
        if (table.tokenizers.size() > 1) tables.push_back(std::move(table));
    }
    return tables;
}

}  // namespace longbow
