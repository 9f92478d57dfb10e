#include "bench_steps.h"

#include <fmt/core.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <utility>

#include "operator_profile.h"
#include "whole_number.h"

namespace longbow {

namespace {

// After "ready", each line on stdin asks for one step and is answered by its milliseconds. So a driver that asks two
// programs in turns compares them under the same load.
void serve_steps(const std::function<double()>& step) {
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << step() * 1e3 << std::endl;
}

// Prints each operator's least time over the steps. The minimum leaves out most of the load that other programs cause
// at times.
void print_profile(const std::function<double()>& step, int steps, const std::string& unit) {
    constexpr std::size_t kRows = 40;
    std::map<std::string, OperatorTime> least;
    for (int i = 0; i < steps; ++i) {
        for (const auto& time : operator_profile([&] { step(); })) {
            const auto [known, first] = least.try_emplace(time.name, time);
            if (!first && time.seconds < known->second.seconds) known->second = time;
        }
    }
    std::vector<OperatorTime> times;
    double all = 0;
    for (auto& [name, time] : least) {
        all += time.seconds;
        times.push_back(std::move(time));
    }
    std::sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
    std::cout << fmt::format("{:>{}}  calls  operator\n", "ms", 12);
    for (std::size_t i = 0; i < std::min(times.size(), kRows); ++i) {
        std::cout << fmt::format("{:>12.3f}  {:5}  {}\n", times[i].seconds * 1e3, times[i].calls, times[i].name);
    }
    std::cout << fmt::format("{:>12.3f}         all operators of one {}, each at its least of {}\n", all * 1e3, unit,
                             steps);
}

}  // namespace

void add_step_flags(CLI::App* verb, StepFlags& flags, const std::string& unit) {
    verb->add_option("--steps", flags.steps, "How many to time: " + unit + "s")
        ->check(whole_number(1, 1000000))
        ->capture_default_str();
    verb->add_option("--warmup-steps", flags.warmup, "How many come before the first timed one")
        ->check(whole_number(0, 1000000))
        ->capture_default_str();
    verb->add_flag("--json", flags.json, "One line of JSON");
    verb->add_flag("--serve", flags.serve,
                   "One " + unit + " for each line on stdin, answered by its milliseconds (for scripts/bench)");
    verb->add_flag("--profile", flags.profile,
                   "Where the time of one " + unit + " goes on CPU: operators by their own time")
        ->excludes("--serve")
        ->excludes("--json");
}

void run_steps(const StepFlags& flags, const std::string& unit, const std::function<double()>& step,
               const std::function<void(const StepTimes&)>& report) {
    for (int i = 0; i < flags.warmup; ++i) step();
    if (flags.serve) return serve_steps(step);
    if (flags.profile) return print_profile(step, flags.steps, unit);
    StepTimes times;
    for (int i = 0; i < flags.steps; ++i) times.seconds.push_back(step());
    std::sort(times.seconds.begin(), times.seconds.end());
    report(times);
}

}  // namespace longbow
