#include "table_labels.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <set>

#include "longbow/core/strings.h"
#include "longbow/report/method_style.h"

namespace longbow {

namespace {

using Label = std::function<std::string(const ReportRow&)>;

// Returns the end of a fingerprint, which is enough to tell a handful apart.
std::string short_print(const std::string& fingerprint) {
    return fingerprint.substr(fingerprint.size() - std::min<std::size_t>(fingerprint.size(), 6));
}

const EvalResult& measurement(const ReportRow& row) { return *row.measurements.begin()->second.front(); }

// Returns the name of a row's tokenizer in a table of several: the store's name if each tokenizer has a named store of
// its own, else the end of its fingerprint.
std::string tokenizer_title(const ReportTable& table, const ReportRow& row) {
    std::set<std::string> names, prints;
    for (const auto& one : table.rows) {
        names.insert(measurement(one).data_name);
        prints.insert(one.tokenizer);
    }
    const auto& name = measurement(row).data_name;
    return names.size() == prints.size() && names.count("") == 0 ? name : "tokenizer " + short_print(row.tokenizer);
}

}  // namespace

std::string name_of_seeds(const Seeds& seeds) {
    const auto first = split(seeds.begin()->second.begin()->second->name, '/');
    auto shared = first.size();
    for (const auto& [seed, rows] : seeds) {
        const auto parts = split(rows.begin()->second->name, '/');
        std::size_t same = 0;
        while (same < shared && same < parts.size() && parts[same] == first[same]) ++same;
        shared = same;
    }
    if (shared == 0) return join(first, "/");
    return join({first.begin(), first.begin() + static_cast<std::ptrdiff_t>(shared)}, "/");
}

void label_rows(ReportTable& table) {
    const auto with_tokenizer = [&](const ReportRow& row, const std::string& label) {
        // A reader knows a public model by its name, whatever its position method, and its tokenizer with it.
        if (!measurement(row).model.empty()) return row.name;
        return table.tokenizers.size() > 1 ? label + " (" + tokenizer_title(table, row) + ")" : label;
    };
    const Label by_position = [&](const ReportRow& row) { return with_tokenizer(row, method_title(row.position)); };
    const Label by_length = [&](const ReportRow& row) {
        return with_tokenizer(row, method_title(row.position) + ", L=" + length_text(row.train_length));
    };
    const Label by_name = [&](const ReportRow& row) { return with_tokenizer(row, row.name); };
    const Label by_update = [&](const ReportRow& row) {
        return by_name(row) + ", " + with_commas(row.updates) + " updates";
    };
    const Label by_config = [&](const ReportRow& row) {
        return by_update(row) + ", config " + short_print(measurement(row).config);
    };
    const Label by_weights = [&](const ReportRow& row) {
        return by_config(row) + ", weights " + short_print(measurement(row).checkpoint);
    };
    for (const auto& label : {by_position, by_length, by_name, by_update, by_config, by_weights}) {
        std::set<std::string> labels;
        for (auto& row : table.rows) labels.insert(row.label = label(row));
        if (labels.size() == table.rows.size()) return;
    }
    for (std::size_t i = 0; i < table.rows.size(); ++i) table.rows[i].label += fmt::format(", row {}", i + 1);
}

}  // namespace longbow
