// The list of schedules, the warm-up that all of them have, and the way to the one that a configuration names.
#include "longbow/optim/schedule.h"

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// A function-local static: registrations run before main, in any order of translation units.
std::vector<ScheduleEntry>& entries() {
    static std::vector<ScheduleEntry> list;
    return list;
}

const ScheduleEntry& entry_of(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& entry : entries()) {
        if (entry.name == name) return entry;
        known.push_back(entry.name);
    }
    throw ConfigError("schedule.name: " + name + " is none of " + join(known, ", "));
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& entry : entries()) context.schedules.push_back({entry.name, entry.help, entry.options, false, entry.reads});
});

}  // namespace

double SchedulePoint::progress() const { return std::min(1.0, (update - warmup) / length); }

bool register_schedule(ScheduleEntry entry) {
    auto& list = entries();
    const auto place = std::lower_bound(list.begin(), list.end(), entry.name,
                                        [](const ScheduleEntry& one, const std::string& name) { return one.name < name; });
    if (place != list.end() && place->name == entry.name) {
        throw ConfigError("schedule \"" + entry.name + "\" is registered twice; give one of them another name");
    }
    list.insert(place, std::move(entry));
    return true;
}

const std::vector<ScheduleEntry>& schedules() { return entries(); }

double learning_rate(const ScheduleConfig& schedule, double peak_lr, std::int64_t update, std::int64_t warmup, std::int64_t period) {
    const auto u = static_cast<double>(update);
    const auto w = static_cast<double>(warmup);
    if (update < warmup) return schedule.warmup_init_lr + (peak_lr - schedule.warmup_init_lr) * (schedule.warmup_at_init ? u : u + 1) / w;
    const auto& entry = entry_of(schedule.name);
    const double length = std::max(1.0, static_cast<double>(period) - w);
    if (entry.options.empty()) return entry.lr({schedule, peak_lr, u, w, length});
    // Options that the caller left out take their declared defaults (a configuration that was loaded has them all).
    auto complete = schedule;
    for (const auto& option : entry.options) complete.options.emplace(option.key, option.default_value);
    return entry.lr({complete, peak_lr, u, w, length});
}

bool has_period(const ScheduleConfig& schedule) {
    const auto& reads = entry_of(schedule.name).reads;
    return std::find(reads.begin(), reads.end(), "period") != reads.end();
}

}  // namespace longbow
