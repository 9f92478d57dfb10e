// SIGINT, SIGTERM and SIGHUP (a closed terminal) ask a long command to save its state and stop. A second Ctrl-C, more
// than two seconds later, ends it at once. Signals that were ignored when the process started (nohup, a shell's
// background job) stay ignored.
//
// No handler ever runs on a thread that computes, because the matrix products that oneDNN generates do not survive one
// on their stack: memory beside their workspace is overwritten. The signals are blocked in all threads, and one thread
// waits for them.
#pragma once

namespace longbow {

// Blocks the signals and starts the thread that waits for them. main() calls it first, before any other thread starts.
// Until install_stop_handlers() a signal ends the process as it would without this.
void block_stop_signals();
// From now on the first signal only sets stop_requested(). A command that saves its state calls this before its work.
void install_stop_handlers();
// install_stop_handlers() while it lives: for a step that has something to remove before the process ends.
class StopHandlersScope {
public:
    StopHandlersScope();
    ~StopHandlersScope();
    StopHandlersScope(const StopHandlersScope&) = delete;
    StopHandlersScope& operator=(const StopHandlersScope&) = delete;

private:
    bool installed_before_;
};
bool stop_requested();
// Returns the signal's name ("SIGINT") for messages, or an empty text when none has come.
const char* stop_signal_name();
// Throws Error, "stopped by SIGINT: <consequence>", when a signal has come. It is for loops that have nothing to save.
void throw_if_stop_requested(const char* consequence);
// Acts as if a signal had come, for tests.
void request_stop();

}  // namespace longbow
