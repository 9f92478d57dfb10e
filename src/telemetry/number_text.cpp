#include "longbow/telemetry/number_text.h"

#include <cmath>

#include "longbow/core/strings.h"

namespace longbow {

std::string number_or_dash(double value, int decimals) {
    return std::isfinite(value) ? strprintf("%.*f", decimals, value) : "-";
}

}  // namespace longbow
