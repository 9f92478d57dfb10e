// Computes scores of which each channel fades with the distance (BiasSpec::channel). The factors exp(P_i - P_j) are
// differences of sums that fall without end, so that each block of queries has a reference of its own: its first query.
// Earlier keys are then multiplied by at most one, and what vanishes in them vanishes in the score too. The keys of the
// block itself are taken pair by pair.
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <vector>

#include "backends.h"

namespace longbow {

namespace {

constexpr std::int64_t kBlock = 32;

}  // namespace

at::Tensor channel_scores(const at::Tensor& q, const at::Tensor& k, const at::Tensor& channel) {
    const auto rows = q.size(2), columns = k.size(2), before = columns - rows;
    const auto type = q.scalar_type();
    const auto factor = [&](const at::Tensor& difference) { return difference.exp().to(type); };
    std::vector<at::Tensor> blocks;
    for (std::int64_t begin = 0; begin < rows; begin += kBlock) {
        const auto end = std::min(begin + kBlock, rows), first = before + begin, last = before + end;
        const auto own = channel.slice(2, first, last), reference = channel.narrow(2, first, 1);
        const auto queries = q.slice(2, begin, end);
        std::vector<at::Tensor> parts;
        if (first > 0) {
            const auto earlier = k.slice(2, 0, first).mul(factor(reference.sub(channel.slice(2, 0, first))));
            parts.push_back(at::matmul(queries.mul(factor(own.sub(reference))), earlier.transpose(2, 3)));
        }
        // Keys after the query would be multiplied by more than one, without a bound; the mask hides them.
        const auto fading = factor(own.unsqueeze(3).sub(own.unsqueeze(2)).clamp_max(0));  // [.., query, key, head_dim]
        parts.push_back(queries.unsqueeze(3).mul(k.slice(2, first, last).unsqueeze(2)).mul(fading).sum(-1));
        if (last < columns) parts.push_back(at::matmul(queries, k.slice(2, last, columns).transpose(2, 3)));
        blocks.push_back(at::cat(parts, -1));
    }
    return at::cat(blocks, 2);
}

}  // namespace longbow
