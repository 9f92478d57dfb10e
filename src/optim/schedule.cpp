#include "longbow/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "longbow/core/error.h"

namespace longbow {

namespace {

// Cosine annealing from peak to min over `length` updates, `done` updates after the warm-up; warm restarts as Loshchilov and Hutter 2017.
double cosine(const ScheduleConfig& schedule, double peak_lr, double done, double length) {
    double factor = 1;
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
    return factor * (schedule.min_lr + (peak_lr - schedule.min_lr) * (1 + std::cos(std::numbers::pi * t)) / 2);
}

}  // namespace

double learning_rate(const ScheduleConfig& schedule, double peak_lr, std::int64_t update, std::int64_t warmup, std::int64_t period) {
    const auto u = static_cast<double>(update);
    const auto w = static_cast<double>(warmup);
    if (update < warmup) return schedule.warmup_init_lr + (peak_lr - schedule.warmup_init_lr) * (schedule.warmup_at_init ? u : u + 1) / w;
    if (schedule.name == "constant") return peak_lr;
    if (schedule.name == "inverse_sqrt") return peak_lr * std::sqrt(std::max(w, 1.0) / std::max(u, 1.0));
    const double length = std::max(1.0, static_cast<double>(period) - w);
    if (schedule.name == "cosine") return cosine(schedule, peak_lr, u - w, length);
    const double t = std::min(1.0, (u - w) / length);
    if (schedule.name == "linear") return peak_lr * (1 - t) + schedule.min_lr * t;
    throw ConfigError("schedule.name: " + schedule.name + " is none of constant, linear, cosine, inverse_sqrt");
}

}  // namespace longbow
