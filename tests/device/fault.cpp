#include "fault.h"

#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "device_memory.h"

namespace pretend {

namespace {

[[noreturn]] void end_with(const char* what) {
    for (const char* text : {"pretend device: ", what, "\n"}) {
        if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
    }
    void* frames[64];
    backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
    _exit(kFaultStatus);
}

void touched(int /*signal*/, siginfo_t* info, void* /*context*/) {
    end_with(DeviceMemory::instance().holds(info->si_addr) ? "the host touches device memory" : "segmentation fault");
}

}  // namespace

void fail(const std::string& what) { end_with(what.c_str()); }

void name_touches_of_device_memory() {
    struct sigaction action {};
    action.sa_sigaction = &touched;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace pretend
