// Implements the cosine schedule: half a cosine from the peak to schedule.min_lr, which holds after the period. It has
// optional warm restarts (Loshchilov and Hutter 2017).
#include <algorithm>
#include <cmath>
#include <numbers>

#include "longbow/optim/schedule.h"

namespace longbow {

namespace {

// With restarts, the i-th cycle (from 0) lasts (period - warmup) * period_mult^i updates, and its learning rates are
// those of the formula times shrink^i, as in fairseq's cosine schedule.
double cosine_rate(const SchedulePoint& point) {
    const auto& schedule = point.schedule;
    double done = point.update - point.warmup, length = point.length, factor = 1;
    if (schedule.restarts) {
        if (schedule.period_mult == 1) {
            const double cycle = std::floor(done / length);
            done -= cycle * length;
            factor = std::pow(schedule.shrink, cycle);
        }
        while (done >= length) {
            done -= length;
            length *= schedule.period_mult;
            factor *= schedule.shrink;
        }
    }
    const double t = std::min(1.0, done / length);
    return factor * (schedule.min_lr + (point.peak_lr - schedule.min_lr) * (1 + std::cos(std::numbers::pi * t)) / 2);
}

}  // namespace

LONGBOW_REGISTER_SCHEDULE({.name = "cosine",
                           .help = "min + (peak - min) (1 + cos(pi t)) / 2, with t from 0 to 1 over the period",
                           .reads = {"min_lr", "period", "restarts"},
                           .lr = cosine_rate});

}  // namespace longbow
