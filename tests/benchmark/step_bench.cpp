// Time of a training step of the demo's model, to set beside the same model in eager PyTorch (scripts/bench_step.py, which speaks the
// same protocol): after "ready" on stdout, each line on stdin asks for one step, and is answered by its milliseconds. A driver
// that asks both in turn compares them under the same load. `--steps N` runs N steps by itself and prints the least; `--profile`
// prints where the time goes, by operator.
#include <torch/torch.h>
#include <torch/csrc/autograd/profiler.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>
#include <string>

#include "longbow/core/machine.h"
#include "longbow/model/language_model.h"
#include "longbow/model/linear.h"
#include "longbow/optim/optimizer.h"

namespace longbow {
namespace {

constexpr std::int64_t kVocab = 2048;

struct Bench {
    Config config;
    std::shared_ptr<LanguageModel> model;
    std::vector<at::Tensor> parameters;
    std::unique_ptr<Optimizer> optimizer;
    at::Tensor inputs, targets;

    explicit Bench(double dropout, const std::string& position) {
        config.model.dropout = dropout;
        config.position.method = position;
        torch::manual_seed(1);
        model = make_language_model(config, kVocab);
        parameters = model->parameters();
        std::vector<bool> decay;
        for (const auto& parameter : parameters) {
            decay.push_back(model->decays(parameter));
        }
        optimizer = make_optimizer(config.optim, parameters, decay);
        const auto tokens = torch::randint(kVocab, {config.train.batch, config.train.length + 1}, torch::kLong);
        inputs = tokens.slice(1, 0, -1).contiguous();
        targets = tokens.slice(1, 1).reshape({-1});
    }

    double step() {
        const auto start = std::chrono::steady_clock::now();
        for (auto& parameter : parameters) {
            parameter.mutable_grad().reset();
        }
        const auto hidden = model->hidden(inputs).flatten(0, 1);
        model->head().loss(hidden, targets, 1.0 / static_cast<double>(targets.numel())).backward();
        clip_gradients(parameters, gradient_norm(parameters), config.optim.clip_norm);
        optimizer->step(config.optim.lr);
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    }
};

void profile(Bench& bench) {
    using namespace torch::autograd::profiler;
    enableProfilerLegacy(ProfilerConfig(torch::profiler::impl::ProfilerState::CPU, /*report_input_shapes=*/true));
    constexpr int kSteps = 3;
    for (int i = 0; i < kSteps; ++i) {
        bench.step();
    }
    std::map<std::string, std::pair<double, int>> self;
    for (auto& thread : disableProfilerLegacy()) {
        std::vector<std::pair<const LegacyEvent*, double>> open;  // with the time of its children
        for (auto& event : thread) {
            if (event.kindStr() == "push") {
                open.emplace_back(&event, 0.0);
            } else if (event.kindStr() == "pop" && !open.empty()) {
                const auto [begin, children] = open.back();
                open.pop_back();
                const double total = begin->cpuElapsedUs(event);
                std::string name = begin->name();
                for (const auto& shape : begin->shapes()) {
                    name += " [";
                    for (const auto size : shape) name += std::to_string(size) + ",";
                    name.back() = ']';
                }
                auto& entry = self[name];
                entry.first += total - children;
                ++entry.second;
                if (!open.empty()) {
                    open.back().second += total;
                }
            }
        }
    }
    std::vector<std::pair<double, std::string>> rows;
    for (const auto& [name, value] : self) {
        rows.emplace_back(value.first, name);
    }
    std::sort(rows.rbegin(), rows.rend());
    for (std::size_t i = 0; i < std::min<std::size_t>(rows.size(), 30); ++i) {
        std::printf("%9.3f ms a step  %5d calls  %s\n", rows[i].first / 1e3 / kSteps, self[rows[i].second].second / kSteps, rows[i].second.c_str());
    }
}

int run(int argc, char** argv) {
    int threads = 2, steps = 0;
    bool profiled = false;
    double dropout = 0.1;
    std::string position = "alibi", library = to_string(gemm_library_by_rule());
    for (int i = 1; i < argc; ++i) {
        const std::string flag = argv[i];
        const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
        if (flag == "--threads") threads = std::stoi(value());
        else if (flag == "--steps") steps = std::stoi(value());
        else if (flag == "--dropout") dropout = std::stod(value());
        else if (flag == "--position") position = value();
        else if (flag == "--gemm") library = value();
        else if (flag == "--profile") profiled = true;
        else {
            std::fprintf(stderr, "unknown flag %s\n", flag.c_str());
            return 2;
        }
    }
    torch::set_num_threads(threads);
    keep_freed_memory();
    set_gemm_library(gemm_library_from(library));
    Bench bench(dropout, position);
    constexpr int kWarmUp = 3;
    for (int i = 0; i < kWarmUp; ++i) {
        bench.step();
    }
    if (profiled) {
        profile(bench);
        return 0;
    }
    if (steps > 0) {
        double least = std::numeric_limits<double>::infinity();
        for (int i = 0; i < steps; ++i) {
            least = std::min(least, bench.step());
        }
        std::printf("%.1f ms a step at least, %.0f tokens/s (%s)\n", least, 1e3 * static_cast<double>(bench.targets.numel()) / least, library.c_str());
        return 0;
    }
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::cout << bench.step() << std::endl;
    }
    return 0;
}

}  // namespace
}  // namespace longbow

int main(int argc, char** argv) { return longbow::run(argc, argv); }
