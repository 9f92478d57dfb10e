// Decides which rows of results.jsonl were measured alike and may share a table.
#pragma once

#include <string>
#include <vector>

#include "longbow/report/runs.h"

namespace longbow {

struct RowGroup {
    std::string stride_text;  // empty: the protocol has only one stride
    std::int64_t max_stream_tokens = 0;
    std::vector<const EvalResult*> rows;  // in the order of the runs
};

// Groups all rows of `runs`. A row may be in several groups: one whose stride equals its length is among the
// non-overlapping ones, and also among those that slide by that stride at longer lengths. With `per_text`, models with
// different tokenizers share a group when they scored the same text (for protocols that score all of it).
std::vector<RowGroup> groups_of(const std::vector<ReportRun>& runs, bool per_text);

}  // namespace longbow
