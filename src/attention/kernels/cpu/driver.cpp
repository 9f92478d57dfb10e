// Shares one call's work among threads. A unit of work (a block of queries, a block of keys, or a head) gives the same
// bits in whatever thread it runs, so shares are chosen for balance alone, by the number of blocks that each unit
// visits.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <numeric>
#include <vector>

#include "attention/kernels/attention.h"
#include "attention_cpu.h"
#include "bias_gradient.h"
#include "dispatch.h"
#include "geometry.h"
#include "parallel.h"

namespace longbow::cpu {
namespace {

using Units = std::vector<std::int64_t>;  // cost of each unit

enum Pass : int { kAll = 0, kQueries = 1, kKeys = 2 };  // `which` of kernels.h

bool served(const longbow_attention& a) {
    return a.head_dim >= 8 && a.head_dim <= 256 && a.head_dim % 8 == 0 && a.dtype >= LONGBOW_F32 &&
           a.dtype <= LONGBOW_F16 && a.dropout_keep > 0 && (a.kv_heads == 0 || a.heads % a.kv_heads == 0);
}

int heads_of(const longbow_attention& a) { return a.batch * a.heads; }
int kv_units_of(const longbow_attention& a) { return heads_of(a) / group_of(a); }  // heads of k and v

// The cost of each query block of each head: the key blocks that it visits, and one more for the work that any unit
// has.
Units query_costs(const longbow_attention& a) {
    const int blocks = blocks_of(a.query_length);
    Units costs;
    costs.reserve(static_cast<std::size_t>(heads_of(a)) * blocks);
    for (int head = 0; head < heads_of(a); ++head) {
        for (int block = 0; block < blocks; ++block) {
            const BlockRange range = visible_blocks(a, head / a.heads, head % a.heads, block);
            costs.push_back(1 + range.count());
        }
    }
    return costs;
}

Units key_costs(const longbow_attention& a) {
    const int blocks = blocks_of(a.key_length);
    Units costs(static_cast<std::size_t>(kv_units_of(a)) * blocks, 1);
    for (int head = 0; head < heads_of(a); ++head) {
        for (int block = 0; block < blocks_of(a.query_length); ++block) {
            const BlockRange range = visible_blocks(a, head / a.heads, head % a.heads, block);
            for (int key = range.end - 1; key >= range.begin; key = range.left_of(key)) {
                ++costs[static_cast<std::size_t>(head / group_of(a)) * blocks + key];
            }
        }
    }
    return costs;
}

// Cuts the units into consecutive stretches of about equal cost. Returns threads + 1 numbers: where each thread's
// stretch begins, and the end. Within each run of `period` units, cuts fall only on multiples of `grain`.
std::vector<std::int64_t> cut_by_cost(const Units& costs, int threads, std::int64_t grain = 1,
                                      std::int64_t period = 1) {
    const auto total = std::accumulate(costs.begin(), costs.end(), std::int64_t{0});
    std::vector<std::int64_t> begins{0};
    std::int64_t done = 0;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(costs.size()); ++i) {
        const bool may_cut = i % period % grain == 0;
        while (may_cut && static_cast<int>(begins.size()) < threads &&
               done * threads >= total * static_cast<std::int64_t>(begins.size())) {
            begins.push_back(i);
        }
        done += costs[static_cast<std::size_t>(i)];
    }
    begins.resize(static_cast<std::size_t>(threads) + 1, static_cast<std::int64_t>(costs.size()));
    return begins;
}

// Which heads of k and v each thread takes. Neighbouring heads go to the same thread if that is as good a balance,
// because they share cache lines and the kernels prefetch the next head's rows. Otherwise heads are given out by
// falling cost, each to the thread with the least to do.
struct HeadShares {
    std::vector<std::vector<int>> of_thread;
    double imbalance;  // the largest share divided by the mean share
};

double imbalance_of(const std::vector<std::vector<int>>& shares, const Units& costs) {
    std::int64_t longest = 0;
    for (const auto& share : shares) {
        longest = std::max(longest, std::accumulate(share.begin(), share.end(), std::int64_t{0},
                                                    [&](std::int64_t sum, int head) { return sum + costs[head]; }));
    }
    const auto total = std::accumulate(costs.begin(), costs.end(), std::int64_t{0});
    return static_cast<double>(longest) * static_cast<double>(shares.size()) /
           static_cast<double>(std::max<std::int64_t>(total, 1));
}

HeadShares share_heads(const longbow_attention& a, int threads) {
    const Units blocks = query_costs(a);
    const int per_head = group_of(a) * blocks_of(a.query_length);
    Units costs;
    for (int head = 0; head < kv_units_of(a); ++head) {
        const auto first = blocks.begin() + static_cast<std::ptrdiff_t>(head) * per_head;
        costs.push_back(std::accumulate(first, first + per_head, std::int64_t{0}));
    }
    HeadShares neighbours{std::vector<std::vector<int>>(threads), 1.0};
    const auto begins = cut_by_cost(costs, threads);
    for (int thread = 0; thread < threads; ++thread) {
        for (auto head = begins[thread]; head < begins[thread + 1]; ++head)
            neighbours.of_thread[thread].push_back(static_cast<int>(head));
    }
    neighbours.imbalance = imbalance_of(neighbours.of_thread, costs);
    std::vector<int> order(costs.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int x, int y) { return costs[x] > costs[y]; });
    HeadShares longest_first{std::vector<std::vector<int>>(threads), 1.0};
    Units load(threads, 0);
    for (const int head : order) {
        const auto least_loaded = std::min_element(load.begin(), load.end()) - load.begin();
        load[least_loaded] += costs[head];
        longest_first.of_thread[least_loaded].push_back(head);
    }
    longest_first.imbalance = imbalance_of(longest_first.of_thread, costs);
    constexpr double kBalanceTolerance = 1.01;
    return neighbours.imbalance <= kBalanceTolerance * longest_first.imbalance ? neighbours : longest_first;
}

// The workspace: each thread's scratch, the partial sums of the bias's gradient, one row of a table's gradient.
struct Layout {
    std::int64_t scratch, bias_gradient, table;
    [[nodiscard]] std::int64_t total(int threads) const { return scratch * threads + bias_gradient + table; }
};

std::int64_t aligned(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

Layout forward_layout(const longbow_attention& a) { return {aligned(chosen_kernels().forward_scratch(a)), 0, 0}; }

Layout backward_layout(const longbow_attention& a) {
    const Kernels& kernels = chosen_kernels();
    std::int64_t scratch = kernels.backward_scratch(a, kAll);
    if (a.threads > 1) {
        scratch = std::max({scratch, kernels.backward_scratch(a, kQueries), kernels.backward_scratch(a, kKeys)});
    }
    const std::int64_t partial = kernels.bias_gradient_size(a) * heads_of(a) * std::int64_t{sizeof(float)};
    return {aligned(scratch), aligned(partial),
            a.dtable != nullptr ? aligned(a.table_length * std::int64_t{sizeof(double)}) : 0};
}

// Sets the gradients of the bias's parts by place to zero, to which the kernels add.
void clear_place_gradients(const longbow_attention& a) {
    const auto clear = [&](double* gradient, std::int64_t length) {
        if (gradient != nullptr) std::fill_n(gradient, heads_of(a) * length, 0.0);
    };
    clear(a.places.drow, a.query_length);
    clear(a.places.dquery_slopes, a.query_length);
    clear(a.places.dcolumn, a.key_length);
    clear(a.places.dkey_slopes, a.key_length);
    clear(a.places.dsink_logit, blocks_of(a.query_length));
}

}  // namespace
}  // namespace longbow::cpu

using namespace longbow::cpu;

std::int64_t longbow_attention_cpu_forward_workspace(const longbow_attention* call) {
    return forward_layout(*call).total(std::max(1, call->threads));
}

std::int64_t longbow_attention_cpu_backward_workspace(const longbow_attention* call) {
    return backward_layout(*call).total(std::max(1, call->threads));
}

longbow_status longbow_attention_cpu_forward(const longbow_attention* call) {
    const longbow_attention& a = *call;
    if (!served(a)) {
        return LONGBOW_UNSUPPORTED;
    }
    const Kernels& kernels = chosen_kernels();
    const std::int64_t units = std::int64_t{heads_of(a)} * blocks_of(a.query_length);
    const int threads = static_cast<int>(std::clamp<std::int64_t>(units, 1, std::max(1, a.threads)));
    auto* memory = static_cast<char*>(a.workspace);
    const Layout layout = forward_layout(a);
    if (threads == 1) {
        kernels.forward(a, 0, units, memory);
        return LONGBOW_OK;
    }
    // With narrowing, the cost of a block is known only once it has been computed. Threads therefore take one short
    // stretch after another.
    constexpr int kRangesPerThread = 8;
    const int pieces = a.max_key_norms != nullptr ? threads * kRangesPerThread : threads;
    const auto begins = cut_by_cost(query_costs(a), pieces);
    std::atomic<int> next{0};
    run(a.parallel, threads, [&](int i) {
        for (int piece = next++; piece < pieces; piece = next++) {
            kernels.forward(a, begins[piece], begins[piece + 1], memory + layout.scratch * i);
        }
    });
    return LONGBOW_OK;
}

longbow_status longbow_attention_cpu_backward(const longbow_attention* call) {
    const longbow_attention& a = *call;
    if (!served(a)) {
        return LONGBOW_UNSUPPORTED;
    }
    const Kernels& kernels = chosen_kernels();
    const int threads = std::max(1, a.threads);
    auto* memory = static_cast<char*>(a.workspace);
    const Layout layout = backward_layout(a);
    auto* partial = reinterpret_cast<float*>(memory + layout.scratch * threads);
    auto* table = reinterpret_cast<double*>(memory + layout.scratch * threads + layout.bias_gradient);
    std::memset(partial, 0, static_cast<std::size_t>(layout.bias_gradient));
    clear_place_gradients(a);
    // Computing all gradients at once costs five products a tile, two passes cost seven. Two passes pay where sharing
    // whole heads would leave threads idle for longer.
    constexpr double kTwoPasses = 7.0 / 5.0;
    const HeadShares shares = threads > 1 ? share_heads(a, threads) : HeadShares{{}, 1.0};
    if (threads == 1) {
        kernels.backward(a, kAll, 0, kv_units_of(a), partial, memory);
    } else if (shares.imbalance < kTwoPasses) {
        run(a.parallel, threads, [&](int i) {
            const auto& heads = shares.of_thread[i];
            for (std::size_t first = 0, last = 0; first < heads.size(); first = last) {
                for (last = first + 1; last < heads.size() && heads[last] == heads[last - 1] + 1;) ++last;
                kernels.backward(a, kAll, heads[first], heads[last - 1] + 1, partial, memory + layout.scratch * i);
            }
        });
    } else {
        const std::int64_t grain = a.dtable != nullptr ? BiasGradient::kChunk : 1;
        const auto queries = cut_by_cost(query_costs(a), threads, grain, std::max(1, blocks_of(a.query_length)));
        const auto keys = cut_by_cost(key_costs(a), threads);
        run(a.parallel, threads, [&](int i) {
            kernels.backward(a, kQueries, queries[i], queries[i + 1], partial, memory + layout.scratch * i);
        });
        run(a.parallel, threads,
            [&](int i) { kernels.backward(a, kKeys, keys[i], keys[i + 1], partial, memory + layout.scratch * i); });
    }
    if (a.dslopes != nullptr || a.dtable != nullptr) {
        kernels.finish_bias_gradient(a, partial, table);
    }
    return LONGBOW_OK;
}

double longbow_attention_cpu_peak(std::int32_t dtype) {
    using Clock = std::chrono::steady_clock;
    const auto seconds = [](Clock::time_point from) {
        return std::chrono::duration<double>(Clock::now() - from).count();
    };
    double best = 0.0;
    for (const auto start = Clock::now(); seconds(start) < 0.01;) {
        const auto from = Clock::now();
        const double operations = chosen_kernels().multiply_at_peak(dtype, 500);
        best = std::max(best, operations / seconds(from));
    }
    return best;
}

void longbow_attention_cpu_visited(const longbow_attention* call, float* fraction) {
    longbow_attention all = *call;
    all.first_key_block = nullptr;
    const int blocks = blocks_of(call->query_length);
    const Units visited = query_costs(*call);
    const Units visible = query_costs(all);
    for (int head = 0; head < heads_of(*call); ++head) {
        const auto first = static_cast<std::ptrdiff_t>(head) * blocks;
        const auto sum = [&](const Units& costs) {
            return std::accumulate(costs.begin() + first, costs.begin() + first + blocks, std::int64_t{0}) - blocks;
        };
        fraction[head] = sum(visible) == 0 ? 1.0f : static_cast<float>(sum(visited)) / static_cast<float>(sum(visible));
    }
}
