// Declares the parts of the report's HTML page.
#pragma once

#include <string>
#include <vector>

#include "longbow/report/tables.h"

namespace longbow {

// Returns the settings that differ between the runs, and those that they share; empty if no run has a config.yaml.
std::string settings_html(const std::vector<ReportRun>& runs);
// Returns the fingerprints of what was measured.
std::string provenance_html(const std::vector<ReportRun>& runs);

}  // namespace longbow
