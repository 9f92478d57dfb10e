// Makes the time of day of a program under test jump by up to two days, back and forth, at every reading. It is a
// library for LD_PRELOAD. Monotonic clocks are left alone.
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

namespace {

std::int64_t jump() {
    static std::atomic<std::uint64_t> readings{0};
    // Weyl sequence, whose high bits are well spread.
    const std::uint64_t mixed = (readings.fetch_add(1) + 1) * 0x9E3779B97F4A7C15U;
    return static_cast<std::int64_t>((mixed >> 32) % (4 * 86400)) - 2 * 86400;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
    const auto status = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += jump();
    return status;
}

int gettimeofday(timeval* time, void* /*zone*/) noexcept {
    timespec now{};
    const int status = clock_gettime(CLOCK_REALTIME, &now);
    *time = {now.tv_sec, now.tv_nsec / 1000};
    return status;
}

std::time_t time(std::time_t* out) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != nullptr) *out = now.tv_sec;
    return now.tv_sec;
}

}  // extern "C"
