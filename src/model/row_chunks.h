// Divides rows among threads that each take theirs through several products, chunk by chunk: no thread waits for others
// between products, and a chunk is still in the cache when the next product reads it. It is only for files compiled
// with OpenMP, without which at::parallel_for is serial.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "row_threads.h"

namespace longbow::row_chunks {

constexpr std::int64_t kRows = RowThreads::kChunk;

// Returns how many threads may each have a sum of their own for the gradient of `weight` at this point of the program.
inline std::int64_t threads_for(std::int64_t rows, const at::Tensor& weight) {
    return at::in_parallel_region() ? 1 : RowThreads::of(rows, weight.numel(), at::get_num_threads()).threads;
}

// Calls work(thread, begin, end) for each chunk of the rows, in order within a thread. Threads have equal, consecutive
// shares.
template <class Work>
void for_each(std::int64_t rows, std::int64_t threads, std::int64_t chunk, const Work& work) {
    const auto share = (rows + threads - 1) / threads;
    at::parallel_for(0, threads, 1, [&](std::int64_t from, std::int64_t to) {
        const at::AutoDispatchBelowADInplaceOrView below;
        for (auto thread = from; thread < to; ++thread) {
            const auto last = std::min((thread + 1) * share, rows);
            for (auto begin = thread * share; begin < last; begin += chunk)
                work(thread, begin, std::min(begin + chunk, last));
        }
    });
}

inline void add_to(at::Tensor& sum, const at::Tensor& part) {
    if (sum.defined()) {
        sum.add_(part);
    } else {
        sum = part;
    }
}

}  // namespace longbow::row_chunks
