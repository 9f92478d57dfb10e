// Gives the model no position information beyond the causal mask: a baseline (Haviv et al., 2022).
#include "longbow/position/position_method.h"

namespace longbow {

LONGBOW_REGISTER_POSITION({
    "none",
    "no position information, only the causal mask (Haviv et al., 2022)",
    {},
    [](const PositionContext&) { return std::make_shared<PositionMethod>(); },
    /*slopes=*/false,
    /*title=*/"no positions",
});

}  // namespace longbow
