#include "watchdog.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

constexpr auto kBeat = std::chrono::milliseconds(500);
// seconds in which a rank may end by itself, with its own message, after another has failed
constexpr double kGrace = 5;

double seconds_since(std::chrono::steady_clock::time_point then) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

[[noreturn]] void end_process(const std::string& why) {
    log::flush();
    std::fprintf(stderr, "longbow: error: %s\n", why.c_str());
    std::fflush(stderr);
    ::_exit(static_cast<int>(ExitCode::failure));
}

}  // namespace

struct Watchdog::State {
    c10::intrusive_ptr<c10d::Store> store;
    int rank = 0;
    std::vector<std::string> hosts;
    double timeout = 0;
    std::atomic<bool> stopped{false};

    mutable std::mutex mutex;  // guards the members below
    std::condition_variable changed;
    bool exchanging = true;
    std::string where = "start";
    bool patient = false;
    Clock::time_point since = Clock::now();     // when `where` was set
    Clock::time_point answered = Clock::now();  // when the store last answered
    std::optional<std::string> failure;
    std::function<std::string()> trouble;
    std::string lost;               // why the store cannot be reached, or `trouble`; empty if all is well
    Clock::time_point wrong_since;  // when `failure` or `lost` was set
    std::vector<Seen> seen;
};

Watchdog::Watchdog(c10::intrusive_ptr<c10d::Store> store, int rank, std::vector<std::string> hosts, double timeout)
    : state_(std::make_shared<State>()) {
    state_->store = std::move(store);
    state_->rank = rank;
    state_->seen.resize(hosts.size());
    state_->hosts = std::move(hosts);
    state_->timeout = timeout;
    std::thread(exchange, state_).detach();
    clock_ = std::thread(watch_clock, state_);
}

Watchdog::~Watchdog() { stop(); }

void Watchdog::stop() {
    state_->stopped = true;
    {
        // A thread that blocks in a dead store is left behind; it touches only the state that it shares.
        std::unique_lock lock(state_->mutex);
        state_->changed.notify_all();
        state_->changed.wait_for(lock, std::chrono::seconds(2), [&] { return !state_->exchanging; });
    }
    if (clock_.joinable()) clock_.join();
    // The function keeps the process group, whose end must not wait for a thread that is left behind.
    state_->trouble = nullptr;
}

void Watchdog::watch(std::function<std::string()> trouble) {
    const std::lock_guard lock(state_->mutex);
    state_->trouble = std::move(trouble);
}

void Watchdog::stage(const std::string& where, bool patient) {
    const std::lock_guard lock(state_->mutex);
    state_->where = where;
    state_->patient = patient;
    state_->since = Clock::now();
}

std::optional<std::string> Watchdog::failure() const {
    const std::lock_guard lock(state_->mutex);
    return state_->failure;
}

std::optional<int> Watchdog::silent_rank() const {
    const std::lock_guard lock(state_->mutex);
    for (std::size_t rank = 0; rank < state_->seen.size(); ++rank) {
        if (static_cast<int>(rank) != state_->rank && seconds_since(state_->seen[rank].changed) > state_->timeout)
            return static_cast<int>(rank);
    }
    return std::nullopt;
}

void Watchdog::fail(const std::string& what) {
    const std::lock_guard lock(state_->mutex);
    if (state_->failure) return;
    state_->failure = what;
    state_->wrong_since = Clock::now();
}

std::string Watchdog::table() const { return table_of(*state_); }

std::string Watchdog::table_of(const State& state) {
    const std::lock_guard lock(state.mutex);
    std::vector<std::string> rows;
    for (std::size_t rank = 0; rank < state.hosts.size(); ++rank) {
        const auto name = fmt::format("rank {} ({}): ", rank, state.hosts[rank]);
        if (static_cast<int>(rank) == state.rank) {
            rows.push_back(name + state.where + fmt::format(" for {:.0f} s", seconds_since(state.since)));
            continue;
        }
        const auto& seen = state.seen[rank];
        const auto silent = seconds_since(seen.changed);
        const auto where = seen.where.empty() ? std::string("start") : seen.where;
        rows.push_back(name + (silent > 2.5 ? fmt::format("no response for {:.0f} s, last at ", silent) : "") + where);
    }
    return join(rows, "; ");
}

std::string Watchdog::explain(const std::string& what) const {
    // A rank that was killed is known to be silent only after some beats; by then, a rank that failed has reported why.
    const auto start = Clock::now();
    while (seconds_since(start) < 3 && !failure()) std::this_thread::sleep_for(kBeat / 5);
    if (const auto first = failure()) return *first;
    return what + " (" + table() + ")";
}

// Exchanges the heartbeats through the store: each rank writes "<count>|<stage>" under its own key and reads those of
// the others.
void Watchdog::exchange(const std::shared_ptr<State>& state) {
    std::vector<std::string> keys;
    for (std::size_t rank = 0; rank < state->hosts.size(); ++rank) keys.push_back(fmt::format("beat/{}", rank));
    const auto own = static_cast<std::size_t>(state->rank);
    try {
        for (std::int64_t beat = 0; !state->stopped; ++beat) {
            std::string mine;
            {
                const std::lock_guard lock(state->mutex);
                mine =
                    fmt::format("{}|", beat) + state->where + fmt::format(" for {:.0f} s", seconds_since(state->since));
            }
            state->store->set(keys[own], std::vector<std::uint8_t>(mine.begin(), mine.end()));
            const bool failed = state->store->check({kFailureKey});
            const auto failure = failed ? state->store->get_to_str(kFailureKey) : std::string();
            for (std::size_t rank = 0; rank < keys.size() && !state->stopped; ++rank) {
                if (rank == own || !state->store->check({keys[rank]})) continue;
                const auto text = state->store->get_to_str(keys[rank]);
                const std::lock_guard lock(state->mutex);
                auto& seen = state->seen[rank];
                if (seen.beat == text) continue;
                seen.beat = text;
                seen.where = text.substr(text.find('|') + 1);
                seen.changed = Clock::now();
            }
            {
                const std::lock_guard lock(state->mutex);
                state->answered = Clock::now();
                if (failed && !state->failure) {
                    state->failure = failure;
                    state->wrong_since = Clock::now();
                }
            }
            std::unique_lock lock(state->mutex);
            state->changed.wait_for(lock, kBeat, [&] { return state->stopped.load(); });
        }
    } catch (const std::exception&) {
        const std::lock_guard lock(state->mutex);
        state->lost = "the store where the ranks meet (of rank 0 or of the launcher) is gone";
        state->wrong_since = Clock::now();
    }
    const std::lock_guard lock(state->mutex);
    state->exchanging = false;
    state->changed.notify_all();
}

void Watchdog::ask_for_trouble(State& state) {
    std::function<std::string()> trouble;
    {
        const std::lock_guard lock(state.mutex);
        trouble = state.trouble;
    }
    if (!trouble) return;
    std::string what;
    try {
        what = trouble();
    } catch (const std::exception&) {
        // This back-end records no errors.
        const std::lock_guard lock(state.mutex);
        state.trouble = nullptr;
    }
    const std::lock_guard lock(state.mutex);
    if (what.empty() || !state.lost.empty()) return;
    state.lost = what;
    state.wrong_since = Clock::now();
}

void Watchdog::watch_clock(const std::shared_ptr<State>& state) {
    // With Gloo a collective gives up by itself after the timeout, with NCCL `trouble` tells. This limit catches ranks
    // that hang elsewhere, or in a collective that does not notice.
    const double patience = state->timeout + std::max(kGrace, 0.25 * state->timeout);
    while (!state->stopped) {
        std::this_thread::sleep_for(kBeat / 5);
        ask_for_trouble(*state);
        std::string why;
        {
            const std::lock_guard lock(state->mutex);
            const bool wrong = state->failure || !state->lost.empty();
            if (wrong && seconds_since(state->wrong_since) > kGrace) {
                why = state->failure ? *state->failure : state->lost;
            } else if (!state->patient && seconds_since(state->since) > patience) {
                why = fmt::format("no progress for {:.0f} s (dist.timeout)", seconds_since(state->since));
            } else if (seconds_since(state->answered) > patience) {
                why = fmt::format("the store where the ranks meet has not answered for {:.0f} s",
                                  seconds_since(state->answered));
            }
        }
        if (why.empty() || state->stopped) continue;
        end_process(fmt::format("rank {}: ", state->rank) + why + " (" + table_of(*state) + ")");
    }
}

}  // namespace longbow
