#include "longbow/dist/spawn.h"

#include <fmt/core.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "longbow/core/child.h"
#include "longbow/core/error.h"
#include "longbow/core/signals.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPoll = std::chrono::milliseconds(20);
// for the other ranks to notice and report; then SIGTERM, and after as long again SIGKILL
constexpr auto kGrace = std::chrono::seconds(10);

class Ranks {
public:
    Ranks(int nproc, const std::vector<std::string>& arguments) {
        c10d::TCPStoreOptions options;
        options.port = 0;
        options.isServer = true;
        options.waitWorkers = false;
        store_ = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
        for (int rank = 0; rank < nproc; ++rank) {
            ChildOptions child;
            child.death_signal = SIGKILL;  // the store dies with this process, so the ranks must too
            child.environment = {{"RANK", std::to_string(rank)},
                                 {"LOCAL_RANK", std::to_string(rank)},
                                 {"WORLD_SIZE", std::to_string(nproc)},
                                 {"LOCAL_WORLD_SIZE", std::to_string(nproc)},
                                 {"MASTER_ADDR", "127.0.0.1"},
                                 {"MASTER_PORT", std::to_string(store_->getPort())},
                                 {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                 {"TORCHELASTIC_RESTART_COUNT", "0"},
                                 {"LONGBOW_NPROC", std::to_string(nproc)}};
            running_[start_self(arguments, child)] = rank;
        }
    }

    int wait() {
        bool told = false;
        while (!running_.empty()) {
            if (stop_requested() && !told) {
                told = true;
                send(SIGTERM);
            }
            int status = 0;
            if (const pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0 && running_.count(pid) > 0) {
                ended(running_[pid], status);
                running_.erase(pid);
                continue;
            }
            if (failed_ && !terminated_ && Clock::now() - failed_at_ > kGrace) {
                terminated_ = true;
                send(SIGTERM);
            }
            if (failed_ && Clock::now() - failed_at_ > 2 * kGrace) send(SIGKILL);
            std::this_thread::sleep_for(kPoll);
        }
        return code_;
    }

private:
    void ended(int rank, int status) {
        const int code = exit_code(status);
        // Of several exit codes, the most specific one counts: 1 is also the code of a rank that only lost another.
        if (code != 0 && (code_ == 0 || (code_ == 1 && code < 128))) code_ = code;
        const bool agreed =
            code == static_cast<int>(ExitCode::interrupted) || code == static_cast<int>(ExitCode::diverged);
        if (code == 0 || agreed || failed_) return;
        failed_ = true;
        failed_at_ = Clock::now();
        if (WIFSIGNALED(status))
            log::error(fmt::format("rank {} was killed by signal {} ({})", rank, WTERMSIG(status),
                                   strsignal(WTERMSIG(status))));
    }
    void send(int signal) const {
        for (const auto& [pid, rank] : running_) kill(pid, signal);
    }

    c10::intrusive_ptr<c10d::TCPStore> store_;
    std::map<pid_t, int> running_;
    bool failed_ = false, terminated_ = false;
    Clock::time_point failed_at_;
    int code_ = 0;
};

}  // namespace

int run_ranks(int nproc, const std::vector<std::string>& arguments) {
    install_stop_handlers();
    return Ranks(nproc, arguments).wait();
}

}  // namespace longbow
