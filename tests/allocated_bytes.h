// Counts the bytes that a test binary allocates. It replaces the global operator new, so only one file of a binary may
// include it.
//
// Every form of new that may be paired with the replaced delete is replaced too: std::stable_sort takes its buffer by
// the form that does not throw.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

namespace longbow::test {

inline std::atomic<std::size_t> allocated{0};

template <class Action>
std::size_t bytes_of(Action&& action) {
    const auto before = allocated.load();
    action();
    return allocated - before;
}

}  // namespace longbow::test

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    longbow::test::allocated += size;
    return std::malloc(size);
}
void* operator new(std::size_t size) {
    if (void* memory = operator new(size, std::nothrow)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
