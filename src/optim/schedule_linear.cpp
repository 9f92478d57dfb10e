// Implements the linear schedule: a straight line from the peak to schedule.min_lr, which holds after the period.
#include "longbow/optim/schedule.h"

namespace longbow {

namespace {

double linear_rate(const SchedulePoint& point) {
    const double t = point.progress();
    return point.peak_lr * (1 - t) + point.schedule.min_lr * t;
}

}  // namespace

LONGBOW_REGISTER_SCHEDULE({.name = "linear",
                           .help = "peak (1 - t) + min t, with t from 0 to 1 over the period",
                           .reads = {"min_lr", "period"},
                           .lr = linear_rate});

}  // namespace longbow
