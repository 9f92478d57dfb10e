#include "longbow/study/probe_score.h"

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"

namespace longbow {

ProbeRow probe_row_from_json(const Json& row, const std::string& where) {
    try {
        (void)row.at("probe").get<std::string>();
        (void)row.at("checkpoint").get<std::string>();
        return {row.at("train_seed").get<std::uint64_t>(), row};
    } catch (const Json::exception&) {
        throw DataError(where + ": not a row of `longbow probe`; remove the line, or restore the file");
    }
}

std::vector<ProbeRow> read_probe_rows(const fs::path& file) {
    std::vector<ProbeRow> rows;
    if (!fs::exists(file)) return rows;
    const auto text = read_file(file);
    const auto lines = split(text, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (trim(lines[i]).empty()) continue;
        const auto json = parse_json(lines[i]);
        if (json.is_discarded() && i + 1 == lines.size() && text.back() != '\n') break;
        rows.push_back(probe_row_from_json(json, file.string() + ":" + std::to_string(i + 1)));
    }
    return rows;
}

}  // namespace longbow
