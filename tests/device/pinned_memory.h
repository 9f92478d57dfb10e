// Pinned host memory, which copies to and from the device use without the host waiting. As LibTorch's allocator does,
// it keeps a released piece until the copies that it knows of are done.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

namespace pretend {

class PinnedMemory {
public:
    static PinnedMemory& instance();

    void* allocate(std::size_t bytes);
    // Is a fault if a copy that is not done reads or fills the piece, and hold_until_wait() was not told of it.
    void release(void* data);
    [[nodiscard]] bool holds(const void* p);

    // Is told of each copy of `bytes` at `data`, whose storage begins at `storage`. LibTorch's allocator finds the
    // piece by its beginning alone: of other memory inside a piece it does not know that a copy uses it.
    void use_until_wait(const void* data, const void* storage);
    // All copies are done.
    void waited();

private:
    struct Piece {
        std::size_t bytes = 0;
        bool released = false, held = false;  // held: a copy that the allocator knows of uses it
        bool used_unknown = false;            // a copy uses it, which the allocator does not know
    };
    std::map<const char*, Piece>::iterator find(const void* p);
    std::mutex mutex_;
    std::map<const char*, Piece> pieces_;
};

}  // namespace pretend
