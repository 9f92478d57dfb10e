// The paper's tables with our measurements beside the published ones, in the paper's layout.
#pragma once

#include <string>

#include "longbow/paper/lookup.h"

namespace longbow {

// format: markdown | csv | latex | json | html. With a lookup that finds nothing: the published table alone.
std::string render_paper_table(const PublishedTable& table, const Scale& scale, const Lookup& ours, const std::string& format);

}  // namespace longbow
