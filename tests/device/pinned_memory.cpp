#include "pinned_memory.h"

#include <cstdlib>

#include "fault.h"

namespace pretend {

PinnedMemory& PinnedMemory::instance() {
    static auto* const memory = new PinnedMemory;
    return *memory;
}

std::map<const char*, PinnedMemory::Piece>::iterator PinnedMemory::find(const void* p) {
    const auto* const at = static_cast<const char*>(p);
    auto piece = pieces_.upper_bound(at);
    if (piece == pieces_.begin()) return pieces_.end();
    --piece;
    return at < piece->first + piece->second.bytes ? piece : pieces_.end();
}

void* PinnedMemory::allocate(std::size_t bytes) {
    constexpr std::size_t kAlignment = 64;
    auto* const data =
        static_cast<char*>(std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment));
    const std::lock_guard lock(mutex_);
    pieces_[data].bytes = bytes;
    return data;
}

void PinnedMemory::release(void* data) {
    const std::lock_guard lock(mutex_);
    const auto piece = pieces_.find(static_cast<const char*>(data));
    if (piece->second.used_unknown)
        fail("pinned memory is given away before a copy that uses it is done, and LibTorch does not know of that copy");
    if (piece->second.held) {
        piece->second.released = true;
        return;
    }
    pieces_.erase(piece);
    std::free(data);
}

bool PinnedMemory::holds(const void* p) {
    const std::lock_guard lock(mutex_);
    return find(p) != pieces_.end();
}

void PinnedMemory::use_until_wait(const void* data, const void* storage) {
    const std::lock_guard lock(mutex_);
    const auto piece = find(data);
    if (piece == pieces_.end()) return;
    const bool known = piece->first == storage || piece->first == data;
    (known ? piece->second.held : piece->second.used_unknown) = true;
}

void PinnedMemory::waited() {
    const std::lock_guard lock(mutex_);
    for (auto piece = pieces_.begin(); piece != pieces_.end();) {
        piece->second.held = piece->second.used_unknown = false;
        if (!piece->second.released) {
            ++piece;
            continue;
        }
        std::free(const_cast<char*>(piece->first));
        piece = pieces_.erase(piece);
    }
}

}  // namespace pretend
