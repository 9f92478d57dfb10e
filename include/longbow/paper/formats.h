// Renders the paper's tables in the paper's layout, with our measurements beside the published ones.
#pragma once

#include <string>

#include "longbow/paper/lookup.h"

namespace longbow {

// `format` is markdown, csv, latex, json or html; UsageError is thrown for another. With a lookup that finds nothing,
// only the published table is shown.
std::string render_paper_table(const PublishedTable& table, const Scale& scale, const Lookup& ours, const std::string& format);

}  // namespace longbow
