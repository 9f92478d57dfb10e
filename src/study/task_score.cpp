#include "longbow/study/task_score.h"

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"

namespace longbow {

TaskScore task_score_from_json(const Json& row, const std::string& where) {
    try {
        TaskScore score;
        score.seed = row.at("train_seed").get<std::uint64_t>();
        score.items = row.at("items").get<std::int64_t>();
        score.exact_match = row.at("exact_match").get<double>();
        const auto& interval = row.at("exact_match_ci");
        score.interval = {interval.at(0).get<double>(), interval.at(1).get<double>()};
        score.token_accuracy = row.at("token_accuracy").get<double>();
        score.checkpoint = row.at("checkpoint").get<std::string>();
        score.row = row;
        return score;
    } catch (const Json::exception&) {
        throw DataError(where + ": not a row of `longbow probe tasks`; remove the line, or restore the file");
    }
}

std::vector<TaskScore> read_task_scores(const fs::path& file) {
    std::vector<TaskScore> scores;
    if (!fs::exists(file)) return scores;
    const auto text = read_file(file);
    const auto lines = split(text, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (trim(lines[i]).empty()) continue;
        const auto where = file.string() + ":" + std::to_string(i + 1);
        const auto json = parse_json(lines[i]);
        if (json.is_discarded() && i + 1 == lines.size() && text.back() != '\n') break;
        if (!json.is_object() || !json.contains("probe"))
            throw DataError(where + ": not a row of `longbow probe`; remove the line, or restore the file");
        if (json["probe"] == "tasks") scores.push_back(task_score_from_json(json, where));
    }
    return scores;
}

}  // namespace longbow
