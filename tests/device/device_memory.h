// The pretend device's memory. It is mapped twice: tensors hold addresses of a mapping that nothing may touch, and what
// runs on the device works at the same place of a readable one, at a fixed distance. No page is protected or opened
// while the program runs, so that any number of threads can use it. Fresh and freed memory is NaN.
//
// A launch finds the device addresses among a kernel's arguments by their values alone. So the lower half of every
// device address is a number that no count has: an int of the arguments, with padding behind it that happens to hold
// the upper half of an address, is then no address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace pretend {

class DeviceMemory {
public:
    static DeviceMemory& instance();

    // Returns a device address that is a multiple of 512, or null if there is no room.
    void* allocate(std::size_t bytes);
    void release(void* data);

    [[nodiscard]] bool holds(const void* p) const { return p >= device_ && p < device_ + kBytes; }
    [[nodiscard]] bool holds_twin(const void* p) const { return p >= twin_ && p < twin_ + kBytes; }
    // The readable address of a device address.
    [[nodiscard]] char* twin(const void* p) const { return twin_ + (static_cast<const char*>(p) - device_); }

    struct Use {
        std::int64_t now = 0, peak = 0;  // bytes
    };
    Use use();
    void forget_peak();

    static constexpr std::size_t kBytes = std::size_t{2} << 30;
    static constexpr std::size_t kLowerHalf = std::size_t{1} << 30;  // of the first address; the last one has 3 << 30

private:
    DeviceMemory();
    char *device_, *twin_;
    std::mutex mutex_;
    std::map<std::size_t, std::size_t> free_, used_;  // place and size of each piece
    Use use_;
};

}  // namespace pretend
