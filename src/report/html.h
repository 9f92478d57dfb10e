// Parts of the report page.
#pragma once

#include <string>
#include <vector>

#include "longbow/report/tables.h"

namespace longbow {

// What differs between the runs' settings, and what they share; empty where no run has a config.yaml.
std::string settings_html(const std::vector<ReportRun>& runs);
std::string provenance_html(const std::vector<ReportRun>& runs);

}  // namespace longbow
