// Writes log lines to stderr and, once a run has one, to its log.txt. Only log.cpp includes spdlog, whose headers cost
// a file a second.
#pragma once

#include <filesystem>
#include <string>

namespace longbow::log {

// Sets the level ("trace", "debug", "info", "warn", "error" or "off"). With `quiet` the terminal shows only warnings
// and errors.
void initialize(const std::string& level = "info", bool quiet = false);
// Sets up the log of a rank other than 0: the terminal shows only warnings and errors, with the rank's number before
// them.
void initialize_rank(int rank, const std::string& level);
// From now on appends everything of level info and above to this file, too. Throws Error if it cannot be opened.
void add_file(const std::filesystem::path& path);
// Ends what add_file() began.
void remove_file();

void debug(const std::string& message);
void info(const std::string& message);
// Writes to the run's log.txt alone, if there is one. It is for what the terminal's progress line shows already.
void to_file(const std::string& message);
void warn(const std::string& message);
void error(const std::string& message);
void flush();
// Returns whether the terminal shows only warnings and errors.
bool is_quiet();

}  // namespace longbow::log
