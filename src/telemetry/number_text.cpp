#include "longbow/telemetry/number_text.h"

#include <fmt/core.h>

#include <cmath>

namespace longbow {

std::string number_or_dash(double value, int decimals) {
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : "-";
}

}  // namespace longbow
