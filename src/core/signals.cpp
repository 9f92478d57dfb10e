#include "longbow/core/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>

#include "longbow/core/error.h"

namespace longbow {

namespace {

std::atomic<int> received{0};
std::atomic<bool> saves{false};  // the command stops by itself when told

sigset_t stop_signals() {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    return stops;
}

void wait_for_signals() {
    const sigset_t stops = stop_signals();
    while (true) {
        int signal = 0;
        if (sigwait(&stops, &signal) != 0) continue;
        if (!saves) {  // as without us
            std::signal(signal, SIG_DFL);
            pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
            ::kill(::getpid(), signal);
            continue;
        }
        int none = 0;
        if (!received.compare_exchange_strong(none, signal)) ::_exit(128 + signal);
    }
}

}  // namespace

void take_signals() {
    static std::once_flag once;
    std::call_once(once, [] {
        const sigset_t stops = stop_signals();
        pthread_sigmask(SIG_BLOCK, &stops, nullptr);  // threads that are made from now on inherit it
        std::thread(wait_for_signals).detach();
    });
}

void install_stop_handlers() {
    take_signals();
    saves = true;
}

bool stop_requested() { return received != 0; }

const char* stop_signal_name() {
    switch (received.load()) {
        case 0: return "";
        case SIGINT: return "SIGINT";
        case SIGTERM: return "SIGTERM";
        default: return "a signal";
    }
}

void end_if_stop_requested(const char* consequence) {
    if (stop_requested()) throw Error(std::string("stopped by ") + stop_signal_name() + ": " + consequence);
}

void request_stop() { received = SIGTERM; }

}  // namespace longbow
