// Log lines: to stderr, and to a run's log.txt once it is known. spdlog stays inside log.cpp, because torch's headers carry
// another version of fmt.
#pragma once

#include <filesystem>
#include <string>

namespace longbow::log {

// level: "trace" "debug" "info" "warn" "error" "off"; quiet shows only warnings and errors on the terminal.
void initialise(const std::string& level = "info", bool quiet = false);
// A rank other than 0 of several: warnings and errors alone, with its number before them.
void initialise_rank(int rank, const std::string& level);
// Everything of level info and above is also appended to this file from now on.
void add_file(const std::filesystem::path& path);
void remove_file();

void debug(const std::string& message);
void info(const std::string& message);
// To the run's log.txt alone (when there is one): what the terminal's progress line shows already.
void to_file(const std::string& message);
void warn(const std::string& message);
void error(const std::string& message);
void flush();
bool is_quiet();

}  // namespace longbow::log
