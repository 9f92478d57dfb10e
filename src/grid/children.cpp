#include "longbow/grid/children.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <thread>

#include "longbow/core/child.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/progress.h"

namespace longbow {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);

// Returns a command in few words: "train", "eval at 64,128, stride 32, test", "probe tasks".
std::string short_text(const std::vector<std::string>& command) {
    auto text = command.front();
    if (text == "probe") text += " " + command[1];
    for (std::size_t i = 0; i + 1 < command.size(); ++i) {
        if (command[i] == "--lengths") text += " at " + command[i + 1];
        if (command[i] == "--stride") text += ", stride " + command[i + 1];
        if (command[i] == "--split" && command[i + 1] != "valid") text += ", " + command[i + 1];
    }
    return text;
}

class Runner {
public:
    Runner(const std::vector<Chain>& chains, int jobs)
        : chains_(chains),
          jobs_(static_cast<std::size_t>(std::max(1, jobs))),
          next_(chains.size(), 0),
          progress_(total_cost(chains)) {
        for (const auto& chain : chains) total_ += chain.commands.size();
    }

    std::vector<ChainFailure> run() {
        bool told = false;
        while (true) {
            if (stop_requested() && !told) {
                told = true;
                for (const auto& [pid, child] : running_) kill(pid, SIGTERM);
            }
            while (!told && running_.size() < jobs_ && waiting_ < chains_.size()) launch(waiting_++);
            if (running_.empty()) break;
            int status = 0;
            const pid_t pid = waitpid(-1, &status, WNOHANG);
            if (pid > 0 && running_.count(pid) > 0) {
                ended(pid, status, told);
            } else {
                show();
                std::this_thread::sleep_for(kPoll);
            }
        }
        progress_.finish();
        if (told) {
            throw InterruptedError(fmt::format("{}: {} of {} steps are done; run the same command again to continue",
                                               stop_signal_name(), done_, total_));
        }
        return failures_;
    }

private:
    struct Child {
        std::size_t chain;
        double cost;
        SharedProgress reported;
        double counted = 0;  // the part of `cost` that the progress line has counted
    };

    static double cost_of(const Chain& chain, std::size_t command) {
        return chain.costs.empty() ? 1 : chain.costs[command];
    }
    static double total_cost(const std::vector<Chain>& chains) {
        double total = 0;
        for (const auto& chain : chains) {
            for (std::size_t i = 0; i < chain.commands.size(); ++i) total += cost_of(chain, i);
        }
        return total;
    }

    void launch(std::size_t chain) {
        const auto& command = chains_[chain].commands[next_[chain]];
        log::info(fmt::format("[{}/{}] ", done_ + running_.size() + 1, total_) + chains_[chain].name + ": " +
                  short_text(command));
        ChildOptions options;
        options.log = chains_[chain].log;
        Child child{chain, cost_of(chains_[chain], next_[chain]), {}};
        options.environment.push_back(child.reported.environment());
        running_.emplace(start_self(command, options), std::move(child));
    }

    void count(Child& child, double share) {
        const double cost = child.cost * std::clamp(share, 0.0, 1.0);
        if (cost <= child.counted) return;
        progress_.advance(cost - child.counted);
        child.counted = cost;
    }

    void show() {
        std::vector<std::string> names;
        for (auto& [pid, child] : running_) {
            count(child, child.reported.share());
            names.push_back(chains_[child.chain].name + ": " +
                            short_text(chains_[child.chain].commands[next_[child.chain]]));
        }
        progress_.show({{fmt::format("{} of {} steps", done_, total_)}, {join(names, "; "), /*can_be_cut=*/true}});
    }

    void ended(pid_t pid, int status, bool stopping) {
        const auto chain = running_.at(pid).chain;
        const int code = exit_code(status);
        if (code == 0) count(running_.at(pid), 1);
        running_.erase(pid);
        if (code == 0) {
            ++done_;
            if (++next_[chain] < chains_[chain].commands.size() && !stopping) launch(chain);
            return;
        }
        if (stopping) return;  // it saved and stopped as requested
        const auto& failed = chains_[chain];
        // The chain's other commands will not run.
        for (auto i = next_[chain]; i < failed.commands.size(); ++i) progress_.skip(cost_of(failed, i));
        failures_.push_back({failed.name, short_text(failed.commands[next_[chain]]), failed.log, code});
        log::warn(failed.name + ": " + failures_.back().command + fmt::format(" ended with code {}; see ", code) +
                  failed.log.string());
    }

    const std::vector<Chain>& chains_;
    std::size_t jobs_, waiting_ = 0, done_ = 0, total_ = 0;
    std::vector<std::size_t> next_;
    std::map<pid_t, Child> running_;
    WorkProgress progress_;
    std::vector<ChainFailure> failures_;
};

}  // namespace

ChildrenLock::ChildrenLock(const fs::path& folder) {
    make_output_folder(folder);
    // The file is opened without O_CLOEXEC, so that the children hold the lock too, even after this process is killed.
    file_ = ::open((folder / ".reproduce.lock").c_str(), O_RDWR | O_CREAT, 0644);
    if (file_ < 0) throw Error("cannot write to " + folder.string() + ": " + std::strerror(errno));
    for (bool said = false; ::flock(file_, LOCK_EX | LOCK_NB) != 0; said = true) {
        if (!said)
            log::info("another longbow reproduce or study is running in " + folder.string() +
                      ", or its last step is still saving: waiting for it");
        if (stop_requested())
            throw InterruptedError(std::string(stop_signal_name()) + " while waiting; nothing was done");
        std::this_thread::sleep_for(kPoll);
    }
}

ChildrenLock::~ChildrenLock() {
    if (file_ >= 0) ::close(file_);
}

std::vector<ChainFailure> run_chains(const std::vector<Chain>& chains, int jobs) { return Runner(chains, jobs).run(); }

}  // namespace longbow
