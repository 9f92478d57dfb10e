// Watches over the ranks of a run from two threads. One exchanges heartbeats through the store, and may block there
// forever when a network cable is pulled. The other therefore watches the clock, and ends the process when something
// has stood still for too long.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <torch/csrc/distributed/c10d/Store.hpp>

namespace longbow {

class Watchdog {
public:
    Watchdog(c10::intrusive_ptr<c10d::Store> store, int rank, std::vector<std::string> hosts, double timeout);
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    // Says what this rank is doing. A `patient` stage may take any time (a corpus is being prepared).
    void stage(const std::string& where, bool patient = false);
    // Asks `trouble` from now on, on a thread of the watchdog, what is wrong with the collectives; an empty text means
    // nothing. A text ends the process a few seconds later, when a rank that failed has had the time to report why.
    void watch(std::function<std::string()> trouble);
    // Returns the message of the first rank that failed.
    [[nodiscard]] std::optional<std::string> failure() const;
    // Returns a rank that has sent no heartbeat for `timeout` seconds: it was killed, hangs, or cannot be reached.
    [[nodiscard]] std::optional<int> silent_rank() const;
    // Records that this rank has failed, so that its threads stop waiting for other ranks.
    void fail(const std::string& what);
    // Is called after a collective failed. Waits up to 3 s for a rank to report the reason and returns that; else
    // `what` and the state of each rank.
    [[nodiscard]] std::string explain(const std::string& what) const;
    // Returns a text like "rank 0 (host): update 12: backward, 0.3 s ago; rank 1 (host): no sign for 5 s, last at ..."
    [[nodiscard]] std::string table() const;
    void stop();

private:
    using Clock = std::chrono::steady_clock;
    struct Seen {
        std::string beat, where;
        Clock::time_point changed = Clock::now();
    };
    struct State;  // shared with the threads, since a thread that blocks in the store outlives this object

    static std::string table_of(const State& state);
    static void exchange(const std::shared_ptr<State>& state);
    static void ask_for_trouble(State& state);
    static void watch_clock(const std::shared_ptr<State>& state);

    std::shared_ptr<State> state_;
    std::thread clock_;
};

constexpr const char* kFailureKey = "failure";

}  // namespace longbow
