// Computes how rows are divided among threads that each take theirs through several products (row_chunks.h), and the
// memory that this takes. It needs no OpenMP.
#pragma once

#include <algorithm>
#include <cstdint>

namespace longbow {

// A thread takes at least this many rows through the products by itself.
constexpr std::int64_t kFewestRowsOfThread = 64;

struct RowThreads {
    static constexpr std::int64_t kChunk = 512;  // rows at a time: 2 MiB of fp32 at a width of 1,024
    std::int64_t threads = 1;
    std::int64_t share = 0;  // rows of each thread except the last

    // Returns how many of `available` threads may each have a sum of their own for the gradient of a weight with this
    // many elements: one if the weight is large or the rows are few, in which case products of all rows are faster.
    static RowThreads of(std::int64_t rows, std::int64_t numbers, std::int64_t available) {
        constexpr std::int64_t kMostNumbers = 4 << 20;  // of one weight, in all threads together
        const auto threads = std::min(available, rows / kFewestRowsOfThread);
        return sharing(rows, threads * numbers > kMostNumbers ? 1 : std::max<std::int64_t>(1, threads));
    }
    static RowThreads sharing(std::int64_t rows, std::int64_t threads) {
        return {threads, (rows + threads - 1) / threads};
    }

    // Returns the number of matrices of the weight's size that the sums of WeightGradient take at once: each thread's
    // sum and, with more than one chunk, a product; at the end the sums and the transpose of their total.
    [[nodiscard]] std::int64_t matrices(std::int64_t chunk = kChunk) const {
        return std::max((share > chunk ? 2 : 1) * threads, threads + 1);
    }
};

}  // namespace longbow
