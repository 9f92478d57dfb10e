// Keeps the registry of schedules, and computes the warm-up that all of them share and the learning rate that a
// configuration gives.
#include "longbow/optim/schedule.h"

#include <algorithm>
#include <utility>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

Registry<ScheduleEntry>& registry() {
    static Registry<ScheduleEntry> schedules("schedule");
    return schedules;
}

const ScheduleEntry& entry_of(const std::string& name) {
    if (const auto* entry = registry().find(name)) return *entry;
    throw ConfigError("schedule.name: " + name + " is none of " + join(registry().names(), ", "));
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& entry : schedules())
        context.schedules.push_back({entry.name, entry.help, entry.options, false, entry.reads});
});

}  // namespace

double SchedulePoint::progress() const { return std::min(1.0, (update - warmup) / length); }

bool register_schedule(ScheduleEntry entry) { return registry().add(std::move(entry)); }

const std::vector<ScheduleEntry>& schedules() { return registry().entries(); }

double learning_rate(const ScheduleConfig& schedule, double peak_lr, std::int64_t update, std::int64_t warmup,
                     std::int64_t period) {
    const auto u = static_cast<double>(update);
    const auto w = static_cast<double>(warmup);
    if (update < warmup)
        return schedule.warmup_init_lr +
               (peak_lr - schedule.warmup_init_lr) * (schedule.warmup_at_init ? u : u + 1) / w;
    const auto& entry = entry_of(schedule.name);
    const double length = std::max(1.0, static_cast<double>(period) - w);
    if (entry.options.empty()) return entry.lr({schedule, peak_lr, u, w, length});
    auto complete = schedule;
    fill_defaults(complete.options, entry.options);
    return entry.lr({complete, peak_lr, u, w, length});
}

bool has_period(const ScheduleConfig& schedule) {
    const auto& reads = entry_of(schedule.name).reads;
    return std::find(reads.begin(), reads.end(), "period") != reads.end();
}

}  // namespace longbow
