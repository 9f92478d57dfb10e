// Shows progress as one line on stderr. On a terminal the line is rewritten in place and erased at the end; elsewhere a
// plain line is printed at intervals. A log line (log.h) erases it, and the next show() draws it again.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "longbow/telemetry/terminal.h"

namespace longbow {

struct ProgressColumn {
    std::string text;         // left out if empty
    bool can_be_cut = false;  // what happens if it does not fit: a name is cut, a number (false) is left out
};
// Joins as many columns as fit into `width` terminal columns, from the first on, two spaces apart. The first is cut
// rather than left out.
std::string progress_text(const std::vector<ProgressColumn>& columns, int width);
// Joins all columns for a plain line, with the names first.
std::string progress_text(const std::vector<ProgressColumn>& columns);
// Returns "ETA 0:02:10", or "ETA ?" for a negative number of seconds, which stands for unknown.
std::string eta_text(double seconds);

class ProgressLine {
public:
    // plain_interval is the time between plain lines in seconds, when stderr is not a terminal; 0 prints none there.
    explicit ProgressLine(double plain_interval = 60.0);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    // Shows the columns, most important first, if enough time has passed since the last call (0.1 s on a terminal) or
    // if `force` is set. The terminal's width is read anew each time.
    void show(const std::vector<ProgressColumn>& columns, bool force = false);
    // Erases the line, so that other output starts at column 0.
    void finish();

private:
    std::chrono::steady_clock::time_point last_;
    double plain_interval_;
    bool terminal_;
};

// Erases the line if one is shown. It is called before anything else is written to the terminal.
void erase_progress_line();

// Measures how fast a count grows from 0 towards its total.
class RateMeter {
public:
    RateMeter();
    // Returns units per second since construction.
    [[nodiscard]] double rate(double done) const;
    // Returns the seconds left, negative when unknown (total <= 0 or nothing done).
    [[nodiscard]] double eta(double done, double total) const;
    [[nodiscard]] double elapsed() const;

private:
    std::chrono::steady_clock::time_point start_;
};

// Shows all of a command's work as one line: the time left for the whole and the share that is done. Work is measured
// in a unit of cost, such as FLOPs, so that parts of different cost can be added.
class WorkProgress {
public:
    enum class Scope { part, command };  // a command also reports to its parent (share_with_parent())
    explicit WorkProgress(double total, Scope scope = Scope::part) : total_(total), scope_(scope) {}
    // Counts work that an earlier process has done. It belongs to the whole, but not to the speed.
    void skip(double work) { skipped_ += work; }
    // Counts work that this process has done.
    void advance(double work) { done_ += work; }
    // Shows the time left and the share done, then the columns of `more`.
    void show(const std::vector<ProgressColumn>& more, bool force = false);
    void finish() { line_.finish(); }
    [[nodiscard]] double share() const { return total_ > 0 ? (skipped_ + done_) / total_ : 0; }
    // Returns the seconds left, `elapsed` seconds after the start; negative when unknown.
    [[nodiscard]] double seconds_left(double elapsed) const;

private:
    double total_, skipped_ = 0, done_ = 0;
    Scope scope_;
    RateMeter meter_;
    ProgressLine line_;
};

// Tells the parent process how much of this process's work is done, from 0 to 1. Does nothing unless the process was
// started with SharedProgress::environment().
void share_with_parent(double share);

// The parent's side of share_with_parent(): receives the share that one child has reported last.
class SharedProgress {
public:
    SharedProgress();
    ~SharedProgress();
    SharedProgress(SharedProgress&& other) noexcept;
    SharedProgress& operator=(SharedProgress&&) = delete;
    SharedProgress(const SharedProgress&) = delete;
    // Returns the variable to pass in ChildOptions::environment.
    [[nodiscard]] std::pair<std::string, std::string> environment() const;
    // Returns the last report, or 0 before the first.
    [[nodiscard]] double share() const;

private:
    int file_;
};

}  // namespace longbow
