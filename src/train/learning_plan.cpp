#include "learning_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "longbow/optim/schedule.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

// Returns the duration in updates. Throws ConfigError for a time, since a schedule must be a pure function of the
// update.
std::int64_t schedule_updates(const Duration& duration, const RunUnits& units, const char* key) {
    if (duration.unit == Duration::Unit::seconds && duration.value > 0) {
        throw ConfigError(std::string(key) + ": " + duration.text() +
                          " is a time; a schedule needs updates, epochs or tokens");
    }
    return static_cast<std::int64_t>(std::ceil(updates_until(duration, units)));
}

bool periodic(const Session& session) { return has_period(session.config.schedule); }

double rate_at(const Session& session, std::int64_t update) {
    return learning_rate(session.config.schedule, session.config.optim.lr, update, session.warmup,
                         session.state.schedule_period);
}

// Returns the update from which on the learning rate stays 0; -1 if there is none.
std::int64_t end_of_learning(const Session& session) {
    const auto& schedule = session.config.schedule;
    // A warm-up as long as the period still leaves one update (optim/schedule.h).
    const auto end = session.warmup + std::max<std::int64_t>(1, session.state.schedule_period - session.warmup);
    return periodic(session) && !schedule.restarts && schedule.min_lr == 0 ? end : -1;
}

std::string with_a_schedule(const Session& session, const std::string& from) {
    const auto stop = session.config.train.stop.text();
    const auto period =
        session.config.train.stop.unit == Duration::Unit::seconds ? "\"N updates\"" : "\"" + stop + "\"";
    return "longbow train --from " + from + " \"train.stop=" + stop +
           "\" schedule.name=constant --run-dir NEW (or schedule.period=" + period + ", which lets the " +
           session.config.schedule.name + " fall to the new end; optim.lr may change too)";
}

}  // namespace

void resolve_schedule(Session& session) {
    const auto& schedule = session.config.schedule;
    session.warmup = schedule_updates(schedule.warmup, session.units, "schedule.warmup");
    if (session.state.schedule_period != 0) return;
    session.state.schedule_period =
        schedule.period.value > 0 ? schedule_updates(schedule.period, session.units, "schedule.period")
        : periodic(session)
            ? schedule_updates(session.config.train.stop, session.units, "schedule.period is not set, and train.stop")
            : 0;
}

std::string rates_ahead(const Session& session) {
    const auto next = session.counted_updates();
    const double first = rate_at(session, next);
    const double last = session.total_updates > next ? rate_at(session, session.total_updates - 1) : first;
    return first == last ? fmt::format("{:.3g}", first) : fmt::format("from {:.3g} to {:.3g}", first, last);
}

void check_raised_stop(const Session& session, const Config& before) {
    const auto& now = session.config;
    const auto was = total_updates(before, session.units), total = session.total_updates;
    const bool raised = before.train.stop != now.train.stop && (was < 0 || total < 0 || total > was);
    const auto done = session.counted_updates();
    if (!raised || session.finished()) return;
    const auto stops = "train.stop: " + before.train.stop.text() + " -> " + now.train.stop.text();
    const auto end = end_of_learning(session);
    if (end >= 0 && (total >= 0 ? total > end : done >= end)) {
        throw ConfigError(
            stops +
            fmt::format(
                ": the {} schedule of this run ends at update {}, with the period that it started with; after "
                "that it would train at a learning rate of 0. Start a run of its own from here, with a schedule: ",
                now.schedule.name, end) +
            with_a_schedule(session, session.run.string()));
    }
    if (!session.ranks->leader()) return;
    const auto kept = periodic(session)
                          ? fmt::format(", which keeps the period of {} updates with which this run started",
                                        session.state.schedule_period)
                          : std::string();
    log::info(stops + ": continues at a learning rate " + (rates_ahead(session)[0] == 'f' ? "" : "of ") +
              rates_ahead(session) + " (" + now.schedule.name + kept + ")");
}

void check_fork_ahead(const Session& session, const std::string& from) {
    const auto& stop = session.config.train.stop;
    const auto done = session.counted_updates();
    if (session.finished()) {
        throw ConfigError(
            fmt::format("--from {}: no updates remain: it is at update {}, and train.stop, which counts from the first "
                        "update of all, is {}; give a later train.stop",
                        from, done, stop.text()));
    }
    const auto end = end_of_learning(session);
    if (end < 0 || done < end) return;
    throw ConfigError(
        fmt::format(
            "--from {}: the {} schedule ends at update {}, and the new run, from update {} on, would train at a "
            "learning rate of 0; give it a schedule: ",
            from, session.config.schedule.name, end, done) +
        with_a_schedule(session, from));
}

}  // namespace longbow
