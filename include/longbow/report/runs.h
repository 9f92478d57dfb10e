// Reads the input of a report: runs with their results.jsonl, settings and metrics.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longbow/eval/eval_result.h"

namespace longbow {

// Describes one run as the report sees it: the rows of its results.jsonl, and the files beside it.
struct ReportRun {
    std::string name;     // its folder's name
    std::string results;  // path of its results.jsonl
    std::vector<EvalResult> rows;
    // config.yaml, flattened ("train.length" -> "64"); empty if the run has none.
    std::map<std::string, std::string> settings;
    struct Point {
        double update, value;
    };
    std::vector<Json> metrics;     // rows of metrics.jsonl
    std::vector<Point> train_nll;  // the training losses in them; nats a token
};

// `inputs` are results.jsonl files, run directories, or folders of runs. Throws DataError if there is nothing to read
// or a row is damaged.
std::vector<ReportRun> read_runs(const std::vector<std::string>& inputs);

// Renames runs of the two lists that have the same name, and their rows, so that the folders above them tell them
// apart.
void make_names_unique(std::vector<ReportRun>& a, std::vector<ReportRun>& b);

}  // namespace longbow
