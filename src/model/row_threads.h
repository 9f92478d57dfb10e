// How rows are shared out to threads that take them through several products by themselves (row_chunks.h), and what
// that takes of memory. It needs no OpenMP.
#pragma once

#include <algorithm>
#include <cstdint>

namespace longbow {

// A thread takes fewer rows than these through no product by itself.
constexpr std::int64_t kFewestRowsOfThread = 64;

struct RowThreads {
    static constexpr std::int64_t kChunk = 512;  // rows at a time: 2 MiB of fp32 at a width of 1,024
    std::int64_t threads = 1;
    std::int64_t share = 0;  // rows of each, but for the last

    // How many of `available` threads may each sum a gradient of its own of a weight of so many numbers: one where it
    // is large, or the rows are few, whose products are quicker whole.
    static RowThreads of(std::int64_t rows, std::int64_t numbers, std::int64_t available) {
        constexpr std::int64_t kMostNumbers = 4 << 20;  // of one weight, in all threads together
        const auto threads = std::min(available, rows / kFewestRowsOfThread);
        return sharing(rows, threads * numbers > kMostNumbers ? 1 : std::max<std::int64_t>(1, threads));
    }
    static RowThreads sharing(std::int64_t rows, std::int64_t threads) {
        return {threads, (rows + threads - 1) / threads};
    }

    // Matrices of the weight's size that WeightGradient's sums take at once: each thread's sum and, where it has more
    // than one chunk, a product; at the end the sums and the transpose of the whole one.
    [[nodiscard]] std::int64_t matrices(std::int64_t chunk = kChunk) const {
        return std::max((share > chunk ? 2 : 1) * threads, threads + 1);
    }
};

}  // namespace longbow
