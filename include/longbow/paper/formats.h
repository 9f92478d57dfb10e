// Renders the paper's tables in the paper's layout, with our measurements beside the published ones.
#pragma once

#include <string>

#include "longbow/paper/lookup.h"
#include "longbow/report/format.h"

namespace longbow {

// With a lookup that finds nothing, only the published table is shown.
std::string render_paper_table(const PublishedTable& table, const Scale& scale, const Lookup& ours, TextFormat format);

}  // namespace longbow
