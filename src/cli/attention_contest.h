// The work of `longbow bench attention`: tensors of a bias and a size, and a back-end that is timed on them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/attention/attention_backend.h"
#include "longbow/core/choice.h"

namespace longbow {

enum class BenchBias { slopes, table, gates, power, log, none };
template <>
struct ChoiceTable<BenchBias> {
    static constexpr Choice<BenchBias> values[] = {{BenchBias::slopes, "slopes", "ALiBi's"},
                                                   {BenchBias::table, "table", "129 distances, learned"},
                                                   {BenchBias::gates, "gates", "FoX's, that fall as ALiBi's slopes"},
                                                   {BenchBias::power, "power", "KERPLE's, -0.1 d, as a table"},
                                                   {BenchBias::log, "log", "KERPLE's, -ln(1 + d), as a table"},
                                                   {BenchBias::none, "none", "no bias"}};
};

struct AttentionFlags {
    std::vector<std::int64_t> lengths = {512, 1024, 2048, 4096};
    std::vector<std::string> backends = {"fused", "sdpa"};
    std::vector<std::string> dtypes = {"fp32", "bf16"};
    std::string bias{name_of(BenchBias::slopes)};
    std::int64_t batch = 1, heads = 8, head_dim = 64;
    double skip_threshold = -1.0;
    std::int64_t window = 0, sinks = 0;
    int rounds = 7;
    bool json = false;
};

// Holds one back-end under test on one set of tensors, with its best times.
struct Contestant {
    std::unique_ptr<AttentionBackend> backend;
    double forward = std::numeric_limits<double>::infinity();  // seconds
    double backward = std::numeric_limits<double>::infinity();
    double memory_mb = 0;  // peak bytes of tensors during forward and backward passes, beyond the inputs, over 10^6
    std::optional<double> visited;
};

struct Work {
    AttentionInput input;
    at::Tensor gradient;
    // Operations of the forward pass, over the pairs that causality leaves; the backward pass has 5/2 times as many.
    double operations;
};

// The values are random, and the same in each call.
Work make_work(const AttentionFlags& flags, const std::string& device, at::ScalarType type, std::int64_t length);

// Runs a forward and a backward pass, and keeps their times if they are the shortest so far.
void run_once(Contestant& contestant, const Work& work, const std::string& device);
// Runs the first pass, which is not timed: it measures memory and the share of blocks that skipping visits.
void run_untimed(Contestant& contestant, const Work& work, const std::string& device);

}  // namespace longbow
