// Writes the report's numbers in formats for other programs: CSV and JSON.
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/format.h"

namespace longbow {

namespace {

using Fields = std::vector<std::string>;

std::string optional_text(bool present, double value) { return present ? number_text(value) : ""; }

Fields cell_fields(const ReportCell& cell) {
    return {cell.seeds > 0 ? number_text(cell.mean) : "", optional_text(cell.seeds > 1, cell.sd),
            cell.interval ? number_text(cell.interval->low) : "",
            cell.interval ? number_text(cell.interval->high) : ""};
}

Fields growth_fields(const ReportRow& row, std::int64_t length) {
    if (!row.growth || row.growth->to != length) return Fields(6);
    const auto& growth = *row.growth;
    return {std::to_string(growth.from),
            std::to_string(growth.to),
            number_text(growth.ratio),
            growth.interval ? number_text(growth.interval->low) : "",
            growth.interval ? number_text(growth.interval->high) : "",
            optional_text(growth.seeds > 1, growth.sd)};
}

// Returns the corpus as this model's rows name it; other models of the table may name it differently.
std::string data_name_of(const ReportRow& row) { return row.measurements.begin()->second.front()->data_name; }

std::string csv_row(const ReportTable& table, const ReportRow& row, std::int64_t length, const ReportCell& cell) {
    Fields fields{row.label,
                  row.name,
                  row.position,
                  std::to_string(row.train_length),
                  table.split,
                  table.protocol,
                  table.stride_text,
                  table.within_documents ? "true" : "false",
                  std::to_string(length),
                  std::to_string(cell.tokens),
                  std::to_string(cell.seeds)};
    for (const auto& more : {cell_fields(cell), growth_fields(row, length)})
        fields.insert(fields.end(), more.begin(), more.end());
    const Fields corpus{data_name_of(row),
                        row.data,
                        row.tokenizer,
                        table.dtype,
                        std::to_string(table.max_stream_tokens),
                        std::to_string(row.updates),
                        std::to_string(cell.blocks),
                        cell.interval ? cell.interval_method : "",
                        cell.best ? "true" : "false",
                        table.bos};
    fields.insert(fields.end(), corpus.begin(), corpus.end());
    return csv_line(fields);
}

Json interval_json(const std::optional<Interval>& interval) {
    return interval ? Json{interval->low, interval->high} : Json();
}

Json cell_json(Metric metric, std::int64_t length, const ReportCell& cell) {
    Json value{{"length", length},    {metric_key(metric), cell.mean}, {"tokens", cell.tokens},
               {"seeds", cell.seeds}, {"blocks", cell.blocks},         {"best", cell.best}};
    if (cell.seeds == 0) value[metric_key(metric)] = nullptr;
    if (cell.diverged > 0) value["diverged"] = cell.diverged;
    if (cell.unreached > 0) value["unreached"] = cell.unreached;
    if (cell.seeds > 1) {
        value["sd"] = cell.sd;
    } else {
        value["ci"] = interval_json(cell.interval);
        value["ci_method"] = cell.interval_method;
    }
    return value;
}

Json row_json(const ReportTable& table, const ReportRow& row) {
    Json model{{"label", row.label},       {"name", row.name},
               {"position", row.position}, {"train_length", row.train_length == 0 ? Json() : Json(row.train_length)},
               {"updates", row.updates},   {"data_name", data_name_of(row)},
               {"data", row.data},         {"tokenizer", row.tokenizer},
               {"values", Json::array()}};
    for (const auto& [length, cell] : row.cells) model["values"].push_back(cell_json(table.metric, length, cell));
    if (!row.growth) return model;
    const auto& growth = *row.growth;
    model["growth"] = {{"from", growth.from},
                       {"to", growth.to},
                       {"ratio", growth.ratio},
                       {"seeds", growth.seeds},
                       {"blocks", growth.blocks}};
    if (growth.interval) model["growth"]["ci"] = interval_json(growth.interval);
    if (growth.seeds > 1) model["growth"]["sd"] = growth.sd;
    return model;
}

// Returns a plain string if the table has one text, as most do; null if it has none; else the list.
Json one_or_all(const std::vector<std::string>& texts) {
    if (texts.empty()) return nullptr;
    return texts.size() == 1 ? Json(texts.front()) : Json(texts);
}

}  // namespace

// Writes the long form that data frames need: one line for each model and length.
std::string render_csv(const std::vector<ReportTable>& tables, Metric metric) {
    std::string text = "model,name,position,train_length,split,protocol,stride,within_documents,length,tokens,seeds," +
                       metric_key(metric) +
                       ",sd,low,high,growth_from,growth_to,growth,growth_low,growth_high,growth_sd"
                       ",data_name,data,tokenizer,dtype,max_stream_tokens,updates,blocks,interval,best,bos\n";
    for (const auto& table : tables) {
        if (table.metric != metric) continue;  // a CSV column holds one unit
        for (const auto& row : table.rows) {
            for (const auto& [length, cell] : row.cells) text += csv_row(table, row, length, cell);
        }
    }
    return text;
}

std::string render_json(const std::vector<ReportTable>& tables) {
    Json out = Json::array();
    for (const auto& table : tables) {
        Json entry{{"heading", table.heading()},
                   {"metric", metric_key(table.metric)},
                   {"split", table.split},
                   {"protocol", table.protocol},
                   {"stride", table.stride_text},
                   {"within_documents", table.within_documents},
                   {"data_name", one_or_all(table.data_names)},
                   {"data", one_or_all(table.data)},
                   {"tokenizer", one_or_all(table.tokenizers)},
                   {"bos", table.bos.empty() ? Json() : Json(table.bos)},
                   {"dtype", table.dtype},
                   {"lengths", table.lengths},
                   {"max_stream_tokens", table.max_stream_tokens},
                   {"models", Json::array()}};
        for (const auto& row : table.rows) entry["models"].push_back(row_json(table, row));
        out.push_back(entry);
    }
    return json_text(out, 2) + "\n";
}

}  // namespace longbow
