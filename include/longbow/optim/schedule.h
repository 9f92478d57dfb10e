// Learning-rate schedules: pure functions of the update.
#pragma once

#include <cstdint>

#include "longbow/config/config.h"

namespace longbow {

// `update` counts from 0 (the first update uses lr(0)); `warmup` and `period` are in updates, resolved by the caller; the period counts
// from update 0, so that it contains the warm-up. With u = update, w = warmup, and t = min(1, (u - w) / (period - w)):
//   warm-up, u < w   init + (peak - init) * (u + 1) / w          (the last update of the warm-up runs at the peak)
//                    init + (peak - init) * u / w                with warmup_at_init, as fairseq (the first runs at init)
//   constant         peak
//   linear           peak * (1 - t) + min * t
//   cosine           min + (peak - min) * (1 + cos(pi t)) / 2
//   inverse_sqrt     peak * sqrt(w / u), with w = 1 when there is no warm-up   (period and min are not used)
// Past the period, linear and cosine stay at min, unless the cosine restarts: its i-th cycle (from 0) lasts (period - w) * period_mult^i
// updates, and its learning rates are those of the formula times shrink^i (fairseq's cosine schedule).
double learning_rate(const ScheduleConfig& schedule, double peak_lr, std::int64_t update, std::int64_t warmup, std::int64_t period);

}  // namespace longbow
