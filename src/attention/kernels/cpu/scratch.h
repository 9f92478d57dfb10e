// Hands out a thread's part of the workspace piece by piece, each 64-byte aligned. Without memory behind it, it only
// counts the bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::cpu {
namespace {

class Scratch {
public:
    explicit Scratch(void* memory) : memory_(static_cast<char*>(memory)) {}

    template <class T>
    T* take(std::int64_t count) {
        char* taken = memory_ == nullptr ? nullptr : memory_ + used_;
        used_ += (count * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
        return reinterpret_cast<T*>(taken);
    }
    [[nodiscard]] std::int64_t used() const { return used_; }

private:
    char* memory_;
    std::int64_t used_ = 0;
};

}  // namespace
}  // namespace longbow::cpu
