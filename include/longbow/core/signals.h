// SIGINT, SIGTERM and SIGHUP (a terminal that is closed) ask a long command to save its state and stop; Ctrl-C again, some seconds later, ends
// it at once. Those that the process was started to ignore (nohup, a shell's background) stay ignored.
//
// No handler ever runs on a thread that computes: oneDNN's generated matrix products do not survive one on their stack (memory beside their
// workspace is overwritten). The signals are blocked everywhere, and a thread of their own waits for them.
#pragma once

namespace longbow {

// First thing in main(), before any other thread is made. Until install_stop_handlers() a signal ends the process as it does without it.
void take_signals();
void install_stop_handlers();
bool stop_requested();
// The signal's name ("SIGINT"), for the message; empty when none came.
const char* stop_signal_name();
// Throws Error, "stopped by SIGINT: <consequence>", when a signal came: for loops that have nothing to save.
void end_if_stop_requested(const char* consequence);
// For tests: as if a signal had come.
void request_stop();

}  // namespace longbow
