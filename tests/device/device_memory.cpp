#include "device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "fault.h"

namespace pretend {

namespace {

constexpr std::size_t kAlignment = 512;  // the CUDA allocator's
constexpr int kPoison = 0xFF;            // NaN as fp64, fp32, fp16 and bf16

// Maps the file at `at`, or anywhere if that is null.
char* map(int file, int protection, void* at) {
    const int fixed = at != nullptr ? MAP_FIXED : 0;
    void* const mapped = mmap(at, DeviceMemory::kBytes, protection, MAP_SHARED | MAP_NORESERVE | fixed, file, 0);
    if (mapped == MAP_FAILED) fail("its memory cannot be mapped");
    return static_cast<char*>(mapped);
}

// Returns an address with the lower half kLowerHalf and kBytes behind it that nothing else will be given.
char* reserved_place() {
    constexpr std::size_t kStep = std::size_t{1} << 32;
    void* const room =
        mmap(nullptr, kStep + DeviceMemory::kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) fail("its memory cannot be mapped");
    const auto offset = (DeviceMemory::kLowerHalf - reinterpret_cast<std::uintptr_t>(room)) % kStep;
    return static_cast<char*>(room) + offset;
}

}  // namespace

DeviceMemory& DeviceMemory::instance() {
    static auto* const memory = new DeviceMemory;  // never destroyed, since tensors of static objects outlive it
    return *memory;
}

DeviceMemory::DeviceMemory() {
    const int file = memfd_create("pretend-device", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, static_cast<off_t>(kBytes)) != 0) fail("its memory cannot be made");
    device_ = map(file, PROT_NONE, reserved_place());
    twin_ = map(file, PROT_READ | PROT_WRITE, nullptr);
    close(file);
    free_[0] = kBytes;
    name_touches_of_device_memory();
}

void* DeviceMemory::allocate(std::size_t bytes) {
    const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(free_.begin(), free_.end(), [&](const auto& piece) { return piece.second >= size; });
    if (found == free_.end()) return nullptr;
    const auto at = found->first, rest = found->second - size;
    free_.erase(found);
    if (rest > 0) free_[at + size] = rest;
    used_[at] = size;
    use_.now += static_cast<std::int64_t>(size);
    use_.peak = std::max(use_.peak, use_.now);
    std::memset(twin_ + at, kPoison, size);
    return device_ + at;
}

void DeviceMemory::release(void* data) {
    const std::lock_guard lock(mutex_);
    const auto at = static_cast<std::size_t>(static_cast<char*>(data) - device_);
    const auto found = used_.find(at);
    if (found == used_.end()) fail("device memory is released that was not allocated");
    auto size = found->second;
    used_.erase(found);
    use_.now -= static_cast<std::int64_t>(size);
    std::memset(twin_ + at, kPoison, size);
    auto next = free_.lower_bound(at);
    if (next != free_.end() && at + size == next->first) {
        size += next->second;
        next = free_.erase(next);
    }
    if (next != free_.begin() && std::prev(next)->first + std::prev(next)->second == at) {
        std::prev(next)->second += size;
    } else {
        free_[at] = size;
    }
}

DeviceMemory::Use DeviceMemory::use() {
    const std::lock_guard lock(mutex_);
    return use_;
}

void DeviceMemory::forget_peak() {
    const std::lock_guard lock(mutex_);
    use_.peak = use_.now;
}

}  // namespace pretend
