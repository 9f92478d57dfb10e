// One progress line: rewritten in place on a terminal, else a plain line now and then. Always on stderr, through log.h's lock.
#pragma once

#include <chrono>
#include <string>

namespace longbow {

bool stderr_is_terminal();
// Columns of the terminal (80 when unknown).
int terminal_width();

class ProgressLine {
public:
    // plain_interval: seconds between plain lines when stderr is not a terminal; 0 prints none there.
    explicit ProgressLine(double plain_interval = 10.0);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    // Shows `text` when enough time has passed since the last (0.1 s on a terminal), or at once with `force`.
    void show(const std::string& text, bool force = false);
    // Ends the line (terminal: newline), so that other output starts at column 0.
    void finish();

private:
    std::chrono::steady_clock::time_point last_;
    double plain_interval_;
    bool terminal_;
    bool open_ = false;
};

// "12.3 MB/s", "ETA 0:02:10" and the like for a counter that grows from 0 to total (total <= 0: unknown).
class RateMeter {
public:
    RateMeter();
    // Units per second since construction.
    [[nodiscard]] double rate(double done) const;
    // Seconds left; negative when unknown.
    [[nodiscard]] double eta(double done, double total) const;
    [[nodiscard]] double elapsed() const;

private:
    std::chrono::steady_clock::time_point start_;
};

}  // namespace longbow
