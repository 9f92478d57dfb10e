// Prefetches the rows with which the next block begins, in this head or the next, while the current block is computed.
// The rows of one head lie too far apart for the hardware to predict. A few cache lines are fetched between two matrix
// products, because fetching all at once would stall the core.
#pragma once

#include "pack.h"

namespace longbow::cpu {
namespace {

template <class T>
class Prefetch {
public:
    void clear() { count_ = at_ = row_ = 0; }

    // Adds rows [begin, end) of one head of a tensor, which are going to be read or written.
    void add(const longbow_tensor4& t, int batch, int head, int begin, int end, int head_dim, bool write) {
        if (t.data == nullptr || begin >= end || count_ == kMost) {
            return;
        }
        const auto rows = rows_of<const T>(t, batch, head);
        entries_[count_++] = {reinterpret_cast<const char*>(rows.row(begin)),
                              rows.stride * static_cast<std::int64_t>(sizeof(T)), end - begin,
                              head_dim * static_cast<int>(sizeof(T)), write};
    }

    // Fetches the next rows, about `lines` cache lines of them.
    void fetch(int lines) {
        while (lines > 0 && at_ < count_) {
            const Entry& e = entries_[at_];
            const char* row = e.data + e.stride * row_;
            for (int byte = 0; byte < e.bytes; byte += kLine, --lines) {
                if (e.write) {
                    __builtin_prefetch(row + byte, 1, 2);
                } else {
                    __builtin_prefetch(row + byte, 0, 2);
                }
            }
            if (++row_ == e.rows) {
                row_ = 0;
                ++at_;
            }
        }
    }

private:
    static constexpr int kLine = 64;
    static constexpr int kMost = 8;  // tensors; any further one is not fetched
    struct Entry {
        const char* data;
        std::int64_t stride;  // bytes
        int rows, bytes;
        bool write;
    };
    Entry entries_[kMost];
    int count_ = 0, at_ = 0, row_ = 0;
};

}  // namespace
}  // namespace longbow::cpu
