// One progress line: rewritten in place on a terminal and erased when it is done, else a plain line now and then. Always on stderr; a line
// of the log (log.h) takes its place, and the next show() draws it again.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "longbow/telemetry/terminal.h"

namespace longbow {

struct ProgressColumn {
    std::string text;  // empty: left out
    bool cut = false;  // where it does not fit, its beginning is shown (a name); else nothing of it (a number)
};
// As many of the columns as fit into `width` terminal columns, from the first on, two spaces apart. The first is cut rather than left out.
std::string progress_text(const std::vector<ProgressColumn>& columns, int width);
// All of them, for a plain line: names first.
std::string progress_text(const std::vector<ProgressColumn>& columns);
// "ETA 0:02:10"; "ETA ?" for a negative number of seconds, which is unknown.
std::string eta_text(double seconds);

class ProgressLine {
public:
    // plain_interval: seconds between plain lines when stderr is not a terminal; 0 prints none there.
    explicit ProgressLine(double plain_interval = 60.0);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    // Shows the columns, the most important first, when enough time has passed since the last (0.1 s on a terminal), or at once with
    // `force`. The terminal is asked for its width each time.
    void show(const std::vector<ProgressColumn>& columns, bool force = false);
    // Erases the line, so that other output starts at column 0.
    void finish();

private:
    std::chrono::steady_clock::time_point last_;
    double plain_interval_;
    bool terminal_;
};

// Erases the line that is shown, if any, before something else is written to the terminal.
void erase_progress_line();

// Counter that grows from 0 to total (total <= 0: unknown).
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

// All of a command's work as one line: the time left for the whole of it, and how much is done. Parts count by what they cost (FLOPs, say).
class WorkProgress {
public:
    enum class Of { part, command };  // a command tells the process that started it too (share_with_parent())
    explicit WorkProgress(double total, Of of = Of::part) : total_(total), of_(of) {}
    // Done before this process began: part of the whole, but not of the speed.
    void skip(double work) { skipped_ += work; }
    void advance(double work) { done_ += work; }
    // Time left and share done, then `more`.
    void show(const std::vector<ProgressColumn>& more, bool force = false);
    void finish() { line_.finish(); }
    [[nodiscard]] double share() const { return total_ > 0 ? (skipped_ + done_) / total_ : 0; }
    // Of `elapsed` seconds since the first work; negative when unknown.
    [[nodiscard]] double seconds_left(double elapsed) const;

private:
    double total_, skipped_ = 0, done_ = 0;
    Of of_;
    RateMeter meter_;
    ProgressLine line_;
};

// A process that was started with SharedProgress::environment() tells its parent here how much of its work is done, from 0 to 1. Others:
// nothing happens.
void share_with_parent(double share);

// The parent's side: what its child said last.
class SharedProgress {
public:
    SharedProgress();
    ~SharedProgress();
    SharedProgress(SharedProgress&& other) noexcept;
    SharedProgress& operator=(SharedProgress&&) = delete;
    SharedProgress(const SharedProgress&) = delete;
    // For ChildOptions::environment.
    [[nodiscard]] std::pair<std::string, std::string> environment() const;
    // 0 until it has spoken.
    [[nodiscard]] double share() const;

private:
    int file_;
};

}  // namespace longbow
