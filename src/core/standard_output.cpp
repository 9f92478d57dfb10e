#include "longbow/core/standard_output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iostream>
#include <streambuf>

#include "longbow/core/files.h"
#include "longbow/core/signals.h"

namespace longbow {

namespace {

constexpr int kPollMilliseconds = 50;
constexpr std::size_t kPiece = 4096;  // PIPE_BUF: fits when poll() says that a pipe is writable

class StandardOutput : public std::streambuf {
public:
    StandardOutput() { setp(buffer_.data(), buffer_.data() + buffer_.size()); }
    [[nodiscard]] const std::string& error() const { return error_; }

protected:
    int_type overflow(int_type next) override {
        if (sync() != 0) return traits_type::eof();
        if (!traits_type::eq_int_type(next, traits_type::eof())) sputc(traits_type::to_char_type(next));
        return traits_type::not_eof(next);
    }
    int sync() override {
        const char* at = pbase();
        while (error_.empty() && at < pptr()) {
            const auto count = write_some(at, static_cast<std::size_t>(pptr() - at));
            if (count > 0) at += count;
        }
        setp(buffer_.data(), buffer_.data() + buffer_.size());
        return error_.empty() ? 0 : -1;
    }

private:
    std::ptrdiff_t write_some(const char* data, std::size_t size) {
        pollfd ready{STDOUT_FILENO, POLLOUT, 0};
        if (::poll(&ready, 1, kPollMilliseconds) <= 0) {
            if (stop_requested())
                error_ = std::string("stopped by ") + stop_signal_name() + ": its reader has stopped reading";
            return 0;
        }
        const auto count = ::write(STDOUT_FILENO, data, std::min(size, kPiece));
        if (count < 0 && errno != EINTR && errno != EAGAIN) error_ = file_error_text(errno);
        return count;
    }

    std::array<char, 8192> buffer_{};
    std::string error_;
};

StandardOutput& standard_output() {
    static auto* instance = new StandardOutput;  // never destroyed: std::cout is flushed after static objects are
    return *instance;
}

}  // namespace

void guard_standard_output() { std::cout.rdbuf(&standard_output()); }

std::string standard_output_error() { return standard_output().error(); }

}  // namespace longbow
