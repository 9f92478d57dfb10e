// SIGINT and SIGTERM ask a long command to save its state and stop; a second one within the same run ends it at once.
#pragma once

namespace longbow {

void install_stop_handlers();
bool stop_requested();
// The signal's name ("SIGINT"), for the message; empty when none came.
const char* stop_signal_name();
// Throws Error, "stopped by SIGINT: <consequence>", when a signal came: for loops that have nothing to save.
void end_if_stop_requested(const char* consequence);
// For tests: as if a signal had come.
void request_stop();

}  // namespace longbow
