// Errors that end a command. Each carries the exit code that `longbow` documents and a message that says what was
// wrong, where (file, line, key) and what to do. Rooms throw them; only cli catches them.
#pragma once

#include <stdexcept>
#include <string>

namespace longbow {

// Every verb ends with one of these exit codes (docs/errors.md lists them for users).
enum class ExitCode : int {
    ok = 0,
    failure = 1,
    usage = 2,
    config = 3,
    data = 4,
    checkpoint = 5,
    diverged = 65,
    interrupted = 75,
};

class Error : public std::runtime_error {
public:
    explicit Error(const std::string& what, ExitCode code = ExitCode::failure)
        : std::runtime_error(what), code_(code) {}
    [[nodiscard]] ExitCode code() const noexcept { return code_; }

private:
    ExitCode code_;
};

struct UsageError : Error {
    explicit UsageError(const std::string& what) : Error(what, ExitCode::usage) {}
};
struct ConfigError : Error {
    explicit ConfigError(const std::string& what) : Error(what, ExitCode::config) {}
};
struct DataError : Error {
    explicit DataError(const std::string& what) : Error(what, ExitCode::data) {}
};
struct CheckpointError : Error {
    explicit CheckpointError(const std::string& what) : Error(what, ExitCode::checkpoint) {}
};
struct DivergedError : Error {
    explicit DivergedError(const std::string& what) : Error(what, ExitCode::diverged) {}
};
// Thrown after the state was saved. The same command, given again, continues from that state.
struct InterruptedError : Error {
    explicit InterruptedError(const std::string& what) : Error(what, ExitCode::interrupted) {}
};

}  // namespace longbow
