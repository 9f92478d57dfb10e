#include "longbow/telemetry/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "longbow/telemetry/log.h"

namespace longbow {

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

int terminal_width() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

ProgressLine::ProgressLine(double plain_interval)
    : last_(std::chrono::steady_clock::now()), plain_interval_(plain_interval), terminal_(stderr_is_terminal()) {}

ProgressLine::~ProgressLine() { finish(); }

void ProgressLine::show(const std::string& text, bool force) {
    if (log::is_quiet()) return;
    const auto now = std::chrono::steady_clock::now();
    const double since = std::chrono::duration<double>(now - last_).count();
    if (!terminal_) {
        if (plain_interval_ <= 0 || (since < plain_interval_ && !force)) return;
        last_ = now;
        log::info(text);
        return;
    }
    if (since < 0.1 && !force) return;
    last_ = now;
    const auto width = static_cast<std::size_t>(terminal_width());
    const std::string shown = text.size() < width ? text : text.substr(0, width - 1);
    std::fprintf(stderr, "\r%s\x1b[K", shown.c_str());
    std::fflush(stderr);
    open_ = true;
}

void ProgressLine::finish() {
    if (!open_) return;
    std::fputc('\n', stderr);
    open_ = false;
}

RateMeter::RateMeter() : start_(std::chrono::steady_clock::now()) {}

double RateMeter::elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

double RateMeter::rate(double done) const {
    const double seconds = elapsed();
    return seconds > 0 ? done / seconds : 0;
}

double RateMeter::eta(double done, double total) const {
    if (total <= 0 || done <= 0) return -1;
    return elapsed() * (total - done) / done;
}

}  // namespace longbow
