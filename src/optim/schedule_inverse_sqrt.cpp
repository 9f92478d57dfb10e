// Implements the inverse square root schedule, in fairseq's form.
#include <algorithm>
#include <cmath>

#include "longbow/optim/schedule.h"

namespace longbow {

namespace {

double inverse_sqrt_rate(const SchedulePoint& point) {
    return point.peak_lr * std::sqrt(std::max(point.warmup, 1.0) / std::max(point.update, 1.0));
}

}  // namespace

LONGBOW_REGISTER_SCHEDULE({.name = "inverse_sqrt",
                           .help = "peak sqrt(warm-up / update); a warm-up of 1 where there is none",
                           .lr = inverse_sqrt_rate});

}  // namespace longbow
