#include "attention_contest.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>

#include "longbow/model/device_memory.h"

namespace longbow {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void wait_for(const std::string& device) {
    if (torch::Device(device).is_cuda()) torch::cuda::synchronize();
}

}  // namespace

Work make_work(const AttentionFlags& flags, const std::string& device, at::ScalarType type, std::int64_t length) {
    torch::manual_seed(1);
    const auto options = torch::TensorOptions().device(device);
    // Like the model's, q, k and v are views of one packed projection.
    const auto packed = torch::randn({flags.batch, length, 3, flags.heads, flags.head_dim}, options).to(type).unbind(2);
    Work work;
    work.input.q = packed[0].transpose(1, 2).detach().requires_grad_(true);
    work.input.k = packed[1].transpose(1, 2).detach().requires_grad_(true);
    work.input.v = packed[2].transpose(1, 2).detach().requires_grad_(true);
    auto& bias = work.input.bias;
    const auto slopes =
        torch::pow(2.0, torch::arange(1, flags.heads + 1, options).mul(-8.0 / static_cast<double>(flags.heads)));
    const auto places = torch::arange(length, options);
    switch (choice_named<BenchBias>(flags.bias).value()) {
        case BenchBias::slopes: bias.slopes = slopes; break;
        case BenchBias::table: bias.table = torch::randn({flags.heads, 129}, options).requires_grad_(true); break;
        case BenchBias::gates: {
            const auto sums = slopes.to(torch::kDouble).neg().unsqueeze(1).mul(places).unsqueeze(0);
            bias.row = sums.expand({flags.batch, -1, -1}).clone().requires_grad_(true);
            bias.column = bias.row.detach().neg().requires_grad_(true);
            break;
        }
        case BenchBias::power:
        case BenchBias::log: {
            const bool power = flags.bias == name_of(BenchBias::power);
            bias.table = (power ? places.mul(-0.1) : places.log1p().neg())
                             .expand({flags.heads, -1})
                             .clone()
                             .requires_grad_(true);
            bias.table_fades = true;
            break;
        }
        case BenchBias::none: break;
    }
    bias.window = flags.window;
    bias.sinks = flags.sinks;
    work.gradient = torch::randn({flags.batch, length, flags.heads, flags.head_dim}, options).to(type).transpose(1, 2);
    const double pairs = 0.5 * static_cast<double>(length) * static_cast<double>(length + 1);
    work.operations = 4.0 * pairs * static_cast<double>(flags.head_dim * flags.heads * flags.batch);
    return work;
}

void run_once(Contestant& contestant, const Work& work, const std::string& device) {
    std::vector<at::Tensor> inputs = {work.input.q, work.input.k, work.input.v};
    work.input.bias.for_each_tensor([&](const at::Tensor& part) {
        if (part.requires_grad()) inputs.push_back(part);
    });
    AttentionScratch scratch;
    auto input = work.input;
    input.scratch = &scratch;
    auto start = std::chrono::steady_clock::now();
    const auto out = contestant.backend->forward(input);
    wait_for(device);
    contestant.forward = std::min(contestant.forward, seconds_since(start));
    start = std::chrono::steady_clock::now();
    torch::autograd::grad({out}, inputs, {work.gradient});
    wait_for(device);
    contestant.backward = std::min(contestant.backward, seconds_since(start));
}

void run_untimed(Contestant& contestant, const Work& work, const std::string& device) {
    reset_peak_memory(device);
    const auto before = tensor_bytes(device).now;
    run_once(contestant, work, device);
    contestant.memory_mb = static_cast<double>(tensor_bytes(device).peak - before) / 1e6;
    if (!contestant.backend->skips()) return;
    const torch::NoGradGuard no_grad;
    contestant.backend->measure_visited(true);
    contestant.backend->forward(work.input);
    contestant.backend->measure_visited(false);
    contestant.visited = contestant.backend->visited();
}

}  // namespace longbow
