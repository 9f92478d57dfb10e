// Learning-rate schedules: pure functions of the update.
#pragma once

#include <cstdint>

#include "longbow/config/config.h"

namespace longbow {

// `update` counts from 0 (the first update uses lr(0)); `total` updates of the run, `warmup` and `period` in updates, resolved by the
// caller. Warm-up rises linearly: lr(u) = init + (lr - init) * (u + 1) / warmup for u < warmup.
double learning_rate(const ScheduleConfig& schedule, double peak_lr, std::int64_t update, std::int64_t warmup, std::int64_t period);

}  // namespace longbow
