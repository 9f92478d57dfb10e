#include "longbow/core/signals.h"

#include <unistd.h>

#include <csignal>
#include <string>

#include "longbow/core/error.h"

namespace longbow {

namespace {

volatile std::sig_atomic_t received = 0;

extern "C" void on_stop(int signal) {
    if (received != 0) _exit(128 + signal);
    received = signal;
}

}  // namespace

void install_stop_handlers() {
    struct sigaction action{};
    action.sa_handler = on_stop;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() { return received != 0; }

const char* stop_signal_name() {
    switch (received) {
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
