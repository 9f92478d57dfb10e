#include "transpose.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <cstdint>

namespace longbow {

namespace {

// A block of 16 x 16 reads and writes whole cache lines; inside it, 4 x 4 squares are transposed in registers. Rows are
// often a power of two apart and then share few sets of the cache, so the loops' order keeps few lines being written at
// a time and finishes them before the next.
constexpr std::int64_t kBlock = 16;

#ifdef __SSE2__
void whole_block(const float* in, std::int64_t in_row, float* out, std::int64_t out_row) {
    for (std::int64_t j = 0; j < kBlock; j += 4) {
        for (std::int64_t i = 0; i < kBlock; i += 4) {
            auto r0 = _mm_loadu_ps(in + i * in_row + j);
            auto r1 = _mm_loadu_ps(in + (i + 1) * in_row + j);
            auto r2 = _mm_loadu_ps(in + (i + 2) * in_row + j);
            auto r3 = _mm_loadu_ps(in + (i + 3) * in_row + j);
            _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
            _mm_storeu_ps(out + j * out_row + i, r0);
            _mm_storeu_ps(out + (j + 1) * out_row + i, r1);
            _mm_storeu_ps(out + (j + 2) * out_row + i, r2);
            _mm_storeu_ps(out + (j + 3) * out_row + i, r3);
        }
    }
}
#else
void whole_block(const float* in, std::int64_t in_row, float* out, std::int64_t out_row) {
    for (std::int64_t j = 0; j < kBlock; ++j) {
        for (std::int64_t i = 0; i < kBlock; ++i) {
            out[j * out_row + i] = in[i * in_row + j];
        }
    }
}
#endif

}  // namespace

at::Tensor transposed(const at::Tensor& x) {
    TORCH_CHECK(x.dim() == 2 && x.scalar_type() == at::kFloat && x.device().is_cpu() && x.stride(1) == 1,
                "transposed(): fp32 rows on CPU");
    const auto rows = x.size(0);
    const auto columns = x.size(1);
    const auto in_row = x.stride(0);
    auto result = at::empty({columns, rows}, x.options());
    const float* in = x.const_data_ptr<float>();
    float* out = result.mutable_data_ptr<float>();
    const auto stripes = (columns + kBlock - 1) / kBlock;
    at::parallel_for(0, stripes, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t stripe = begin; stripe < end; ++stripe) {
            const auto j = stripe * kBlock;
            for (std::int64_t i = 0; i < rows; i += kBlock) {
                if (i + kBlock <= rows && j + kBlock <= columns) {
                    // Rows lie too far apart for the hardware prefetcher.
                    constexpr std::int64_t kAhead = 3 * kBlock;
                    for (auto row = i + kAhead; row < std::min(i + kAhead + kBlock, rows); ++row)
                        __builtin_prefetch(in + row * in_row + j, 0, 2);
                    whole_block(in + i * in_row + j, in_row, out + j * rows + i, rows);
                    continue;
                }
                for (std::int64_t a = i; a < std::min(i + kBlock, rows); ++a) {
                    for (std::int64_t b = j; b < std::min(j + kBlock, columns); ++b) {
                        out[b * rows + a] = in[a * in_row + b];
                    }
                }
            }
        }
    });
    return result;
}

}  // namespace longbow
