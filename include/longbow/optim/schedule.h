// Learning-rate schedules: pure functions of the update. Each is one file of this room, schedule_NAME.cpp, that registers itself
// (LONGBOW_REGISTER_SCHEDULE) with its options; nothing else names it but its test and docs/configuration.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/options.h"

namespace longbow {

// An update after the warm-up, as a schedule sees it.
struct SchedulePoint {
    const ScheduleConfig& schedule;  // its options complete
    double peak_lr = 0;
    double update = 0;  // from 0, warm-up included
    double warmup = 0;  // updates
    double length = 1;  // updates from the end of the warm-up to that of the period, at least 1; for schedules that read `period`

    // The share of the period that is over: from 0, and 1 from its end on.
    [[nodiscard]] double progress() const;
};

// The members have defaults, so that a schedule writes only those that it needs, under any compiler's warnings.
struct ScheduleEntry {
    std::string name{};
    std::string help{};  // one line: the formula
    // Shared keys of `schedule` that it reads: min_lr, period, restarts. One that reads `period` ends with it, or with train.stop.
    std::vector<std::string> reads{};
    std::vector<OptionSpec> options{};  // keys of its own; lr() finds them in point.schedule.options
    std::function<double(const SchedulePoint&)> lr{};
};

// The registered schedules, by name.
const std::vector<ScheduleEntry>& schedules();
bool register_schedule(ScheduleEntry entry);

// At namespace scope in a schedule's .cpp (the room is linked whole, so that no registration is dropped).
#define LONGBOW_REGISTER_SCHEDULE(...) static const bool longbow_schedule_registered = ::longbow::register_schedule(__VA_ARGS__)

// `update` counts from 0 (the first update uses lr(0)); `warmup` and `period` are in updates, resolved by the caller; the period counts
// from update 0, so that it contains the warm-up. In the warm-up, u < w:
//   init + (peak - init) * (u + 1) / w          (the last update of the warm-up runs at the peak)
//   init + (peak - init) * u / w                with warmup_at_init, as fairseq (the first runs at init)
// and then what the schedule says. Throws ConfigError for a name that nobody has registered.
double learning_rate(const ScheduleConfig& schedule, double peak_lr, std::int64_t update, std::int64_t warmup, std::int64_t period);

// Whether the schedule has an end: it reads schedule.period.
bool has_period(const ScheduleConfig& schedule);

}  // namespace longbow
