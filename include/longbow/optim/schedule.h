// Learning-rate schedules are pure functions of the update's number. Each schedule is one file of this room,
// schedule_NAME.cpp, which registers the schedule and its options (LONGBOW_REGISTER_SCHEDULE); otherwise only its test
// and docs/configuration.md name it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/options.h"

namespace longbow {

// Describes one update after the warm-up, as a schedule sees it.
struct SchedulePoint {
    const ScheduleConfig& schedule;  // with defaults filled in for options that the configuration leaves out
    double peak_lr = 0;
    double update = 0;  // counted from 0, warm-up included
    double warmup = 0;  // updates
    // Updates from the end of the warm-up to the end of the period, at least 1; for schedules that read `period`.
    double length = 1;

    // Returns the fraction of the period that has passed: 0 at the end of the warm-up, 1 at the end of the period and
    // after it.
    [[nodiscard]] double progress() const;
};

// The members have defaults, so that a schedule names only those that it needs and no compiler warns about the missing
// ones.
struct ScheduleEntry {
    std::string name{};
    std::string help{};  // one line: the formula
    // The shared keys of `schedule` that this schedule reads: min_lr, period, restarts. A schedule that reads `period`
    // ends with it, or with train.stop when `period` is not set.
    std::vector<std::string> reads{};
    std::vector<OptionSpec> options{};  // keys of its own; lr() finds their values in point.schedule.options
    std::function<double(const SchedulePoint&)> lr{};
};

// Returns all registered schedules, sorted by name.
const std::vector<ScheduleEntry>& schedules();
bool register_schedule(ScheduleEntry entry);

// Stands at namespace scope in the schedule's .cpp. The linker keeps it because rooms are linked whole.
#define LONGBOW_REGISTER_SCHEDULE(...) \
    static const bool longbow_schedule_registered = ::longbow::register_schedule(__VA_ARGS__)

// Returns the learning rate of an update. `update` counts from 0 (the first update runs at learning_rate(.., 0, ..)).
// `warmup` and `period` are in updates; the caller has resolved them from whatever unit the configuration uses. The
// period counts from update 0, so it contains the warm-up. In the warm-up, u < w:
//   init + (peak - init) * (u + 1) / w          (the last update of the warm-up runs at the peak)
//   init + (peak - init) * u / w                with warmup_at_init, as fairseq does (the first update runs at init)
// After it the schedule's own formula applies. Throws ConfigError for a name that is not registered.
double learning_rate(const ScheduleConfig& schedule, double peak_lr, std::int64_t update, std::int64_t warmup,
                     std::int64_t period);

// Returns whether the schedule has an end, which is so if it reads schedule.period.
bool has_period(const ScheduleConfig& schedule);

}  // namespace longbow
