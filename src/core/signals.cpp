#include "longbow/core/signals.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>

#include "longbow/core/error.h"

namespace longbow {

namespace {

std::atomic<int> received{0};
std::atomic<bool> saves{false};  // set by install_stop_handlers(): the command saves and stops

// Two launchers above this process may both pass on one Ctrl-C. Only a SIGINT that comes later than this is a second
// request.
constexpr auto kSameRequest = std::chrono::seconds(2);

sigset_t stop_signals() {
    sigset_t stops;
    sigemptyset(&stops);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction action {};
        sigaction(signal, nullptr, &action);
        // A shell's background job is started to ignore SIGINT, a job of nohup to ignore SIGHUP.
        if (action.sa_handler != SIG_IGN) sigaddset(&stops, signal);
    }
    return stops;
}

void wait_for_signals(sigset_t stops) {
    std::chrono::steady_clock::time_point first;
    while (true) {
        int signal = 0;
        if (sigwait(&stops, &signal) != 0) continue;
        if (!saves) {  // end as without the handlers
            std::signal(signal, SIG_DFL);
            pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
            ::kill(::getpid(), signal);
            continue;
        }
        int none = 0;
        const auto now = std::chrono::steady_clock::now();
        if (received.compare_exchange_strong(none, signal)) {
            first = now;
        } else if (signal == SIGINT && now - first > kSameRequest) {
            ::_exit(128 + signal);
        }
    }
}

}  // namespace

void block_stop_signals() {
    static std::once_flag once;
    std::call_once(once, [] {
        std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit on file sizes fails, with the file's name
        const sigset_t stops = stop_signals();
        pthread_sigmask(SIG_BLOCK, &stops, nullptr);  // inherited by later threads
        std::thread(wait_for_signals, stops).detach();
    });
}

void install_stop_handlers() {
    block_stop_signals();
    saves = true;
}

StopHandlersScope::StopHandlersScope() : installed_before_(saves) { install_stop_handlers(); }
StopHandlersScope::~StopHandlersScope() { saves = installed_before_; }

bool stop_requested() { return received != 0; }

const char* stop_signal_name() {
    switch (received.load()) {
        case 0: return "";
        case SIGINT: return "SIGINT";
        case SIGTERM: return "SIGTERM";
        case SIGHUP: return "SIGHUP";
        default: return "a signal";
    }
}

void throw_if_stop_requested(const char* consequence) {
    if (stop_requested()) throw Error(std::string("stopped by ") + stop_signal_name() + ": " + consequence);
}

void request_stop() { received = SIGTERM; }

}  // namespace longbow
