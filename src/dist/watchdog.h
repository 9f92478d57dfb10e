// Watches over the ranks of a run from two threads of its own: one exchanges signs of life through the store (and may block there for ever,
// when a cable is pulled), one watches the clock and ends the process when something has stood still for too long.
#pragma once

#include <atomic>
#include <chrono>
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

    // `patient`: it may take as long as it likes (a corpus is prepared).
    void stage(const std::string& where, bool patient = false);
    // What the first rank that failed has said.
    [[nodiscard]] std::optional<std::string> failure() const;
    // A rank that has given no sign of life for the timeout: killed, hung altogether, or behind a cable that was pulled.
    [[nodiscard]] std::optional<int> silent_rank() const;
    // This rank has failed: whoever waits here for another rank gives up.
    void fail(const std::string& what);
    // After a collective went wrong: waits a moment for the reason, then says it, or what is known of each rank.
    [[nodiscard]] std::string explain(const std::string& what) const;
    // "rank 0 (host): update 12: backward, 0.3 s ago; rank 1 (host): no sign for 5 s, last at ..."
    [[nodiscard]] std::string table() const;
    void stop();

private:
    using Clock = std::chrono::steady_clock;
    struct Seen {
        std::string beat, where;
        Clock::time_point changed = Clock::now();
    };
    struct State;  // shared with the threads: one that blocks in the store outlives this object

    static std::string table_of(const State& state);
    static void exchange(const std::shared_ptr<State>& state);
    static void watch_clock(const std::shared_ptr<State>& state);

    std::shared_ptr<State> state_;
    std::thread clock_;
};

constexpr const char* kFailureKey = "failure";

}  // namespace longbow
