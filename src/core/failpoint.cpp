#include "longbow/core/failpoint.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <unistd.h>

#include "longbow/core/signals.h"

namespace longbow {

namespace {

struct Armed {
    std::string name;
    std::atomic<long> left{0};
    enum class Action { kill, hang, spoil, wait, freeze } action = Action::kill;
    static Action action_of(const std::string& word) {
        if (word == "hang") return Action::hang;
        if (word == "spoil") return Action::spoil;
        if (word == "wait") return Action::wait;
        return word == "freeze" ? Action::freeze : Action::kill;
    }
    Armed() {
        const char* text = std::getenv("LONGBOW_FAILPOINT");
        if (text == nullptr) return;
        name = text;
        left = 1;
        if (const auto equals = name.rfind('='); equals != std::string::npos) {
            action = action_of(name.substr(equals + 1));
            name.resize(equals);
        }
        if (const auto at = name.rfind('@'); at != std::string::npos) {
            const char* rank = std::getenv("RANK");
            if (name.substr(at + 1) != (rank == nullptr ? "0" : rank)) left = -1;
            name.resize(at);
        }
        if (left < 0) {
            name.clear();
            return;
        }
        if (const auto colon = name.rfind(':'); colon != std::string::npos) {
            left = std::strtol(name.c_str() + colon + 1, nullptr, 10);
            name.resize(colon);
        }
    }
};

Armed& armed() {
    static Armed instance;
    return instance;
}

}  // namespace

bool failpoint(const char* name) {
    Armed& point = armed();
    if (point.name.empty() || point.name != name) return false;
    if (point.left.fetch_sub(1) != 1) return false;
    switch (point.action) {
        case Armed::Action::spoil: return true;
        case Armed::Action::hang:
            while (true) ::pause();
        case Armed::Action::wait:
            while (!stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return false;
        case Armed::Action::freeze: ::kill(::getpid(), SIGSTOP); return false;
        case Armed::Action::kill: std::raise(SIGKILL);
    }
    return false;
}

}  // namespace longbow
