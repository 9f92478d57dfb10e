// What a report is made from: runs with their results.jsonl, settings and metrics.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longbow/eval/eval_result.h"

namespace longbow {

// One run as the report sees it: its rows, and what lies beside its results.jsonl.
struct ReportRun {
    std::string name;     // its folder's
    std::string results;  // path of results.jsonl
    std::vector<EvalResult> rows;
    std::map<std::string, std::string> settings;  // config.yaml, flat ("train.length" -> "64"); empty when there is none
    struct Point {
        double update, value;
    };
    std::vector<Point> train_nll;  // from metrics.jsonl; nats a token
};

// `inputs` are results.jsonl files, run directories, or folders of runs. Throws DataError (nothing there, damaged rows).
std::vector<ReportRun> read_runs(const std::vector<std::string>& inputs);

// Gives runs of two lists that have one name, and their rows, names that tell them apart by the folders above them.
void name_apart(std::vector<ReportRun>& a, std::vector<ReportRun>& b);

}  // namespace longbow
