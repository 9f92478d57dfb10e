#include "longbow/telemetry/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <mutex>

#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

std::mutex line_mutex;
bool line_shown = false;  // true while any ProgressLine is shown

}  // namespace

std::string progress_text(const std::vector<ProgressColumn>& columns, int width) {
    constexpr int kGap = 2, kLeastCut = 6;
    std::string text;
    int used = 0;
    for (const auto& column : columns) {
        if (column.text.empty()) continue;
        const int gap = text.empty() ? 0 : kGap;
        const int room = width - used - gap;
        const int wide = display_width(column.text);
        const bool cut = text.empty() || (column.can_be_cut && room >= kLeastCut);
        if (wide > room && !cut) break;
        text += std::string(static_cast<std::size_t>(gap), ' ') + fit_width(column.text, room);
        used += gap + std::min(wide, room);
        if (wide > room) break;
    }
    return text;
}

std::string progress_text(const std::vector<ProgressColumn>& columns) {
    // Lines of a log begin with what they are about. A plain progress line does the same, so that a search or filter
    // treats it like the others.
    std::vector<std::string> names, numbers;
    for (const auto& column : columns) {
        if (!column.text.empty()) (column.can_be_cut ? names : numbers).push_back(printable(column.text));
    }
    names.insert(names.end(), numbers.begin(), numbers.end());
    return join(names, "  ");
}

std::string eta_text(double seconds) { return "ETA " + (seconds < 0 ? std::string("?") : human_seconds(seconds)); }

// On a terminal the first line is shown at once.
ProgressLine::ProgressLine(double plain_interval)
    : last_(std::chrono::steady_clock::now()), plain_interval_(plain_interval), terminal_(stderr_is_terminal()) {
    if (terminal_) last_ -= std::chrono::seconds(1);
}

ProgressLine::~ProgressLine() { finish(); }

void ProgressLine::show(const std::vector<ProgressColumn>& columns, bool force) {
    if (log::is_quiet()) return;
    const auto now = std::chrono::steady_clock::now();
    const double since = std::chrono::duration<double>(now - last_).count();
    if (!terminal_) {
        if (plain_interval_ <= 0 || (since < plain_interval_ && !force)) return;
        last_ = now;
        log::info(progress_text(columns));
        return;
    }
    if (since < 0.1 && !force) return;
    last_ = now;
    // The last column stays free, because a terminal may wrap to the next line when it is filled.
    const auto text = progress_text(columns, std::max(1, stderr_width() - 1));
    const std::lock_guard lock(line_mutex);
    std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
    std::fflush(stderr);
    line_shown = true;
}

void ProgressLine::finish() {
    if (terminal_) erase_progress_line();
}

void erase_progress_line() {
    const std::lock_guard lock(line_mutex);
    if (!line_shown) return;
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    line_shown = false;
}

RateMeter::RateMeter() : start_(std::chrono::steady_clock::now()) {}

double RateMeter::elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

double RateMeter::rate(double done) const {
    const double seconds = elapsed();
    return seconds > 0 ? done / seconds : 0;
}

double RateMeter::eta(double done, double total) const {
    if (total <= 0 || done <= 0) return -1;
    return elapsed() * (total - done) / done;
}

double WorkProgress::seconds_left(double elapsed) const {
    if (total_ <= 0 || done_ <= 0) return -1;
    return std::max(0.0, elapsed * (total_ - skipped_ - done_) / done_);
}

void WorkProgress::show(const std::vector<ProgressColumn>& more, bool force) {
    if (scope_ == Scope::command) share_with_parent(share());
    std::vector<ProgressColumn> columns{{eta_text(seconds_left(meter_.elapsed()))},
                                        {fmt::format("{:.0f} %", std::floor(100 * share()))}};
    columns.insert(columns.end(), more.begin(), more.end());
    line_.show(columns, force);
}

}  // namespace longbow
