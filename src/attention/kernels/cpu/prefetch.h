// Fetches what the next block begins with, of this head or the next, while this one is computed: rows of one head lie too far apart for the
// hardware to foresee. A few lines at a time, between products: all at once they would keep the core waiting.
#pragma once

#include "pack.h"

namespace longbow::cpu {
namespace {

template <class T>
class Prefetch {
public:
    void clear() { count_ = at_ = row_ = 0; }

    // Rows [begin, end) of one head of a tensor, to be read or to be written.
    void add(const longbow_tensor4& t, int batch, int head, int begin, int end, int head_dim, bool write) {
        if (t.data == nullptr || begin >= end || count_ == kMost) {
            return;
        }
        const auto rows = rows_of<const T>(t, batch, head);
        entries_[count_++] = {reinterpret_cast<const char*>(rows.row(begin)), rows.stride * static_cast<std::int64_t>(sizeof(T)),
                              end - begin, head_dim * static_cast<int>(sizeof(T)), write};
    }

    // The next rows, as many as make about `lines` lines.
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
    static constexpr int kMost = 8;  // tensors; one more would not be fetched
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
