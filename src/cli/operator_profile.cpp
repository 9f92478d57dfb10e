#include "operator_profile.h"

#include <torch/csrc/autograd/profiler.h>

#include <algorithm>
#include <map>
#include <utility>

namespace longbow {

namespace {

namespace profiler = torch::autograd::profiler;

std::string name_of(const profiler::LegacyEvent& event) {
    std::string name = event.name();
    for (const auto& shape : event.shapes()) {
        if (shape.empty()) continue;
        name += " [";
        for (const auto size : shape) name += std::to_string(size) + ",";
        name.back() = ']';
    }
    return name;
}

void add_thread(const std::vector<profiler::LegacyEvent>& events, std::map<std::string, OperatorTime>& sums) {
    // The calls in progress, with the microseconds of what they called.
    std::vector<std::pair<const profiler::LegacyEvent*, double>> open;
    for (const auto& event : events) {
        if (event.kindStr() == "push") {
            open.emplace_back(&event, 0.0);
        } else if (event.kindStr() == "pop" && !open.empty()) {
            const auto [begin, inside] = open.back();
            open.pop_back();
            const double total = begin->cpuElapsedUs(event);
            auto& sum = sums[name_of(*begin)];
            sum.seconds += (total - inside) * 1e-6;
            ++sum.calls;
            if (!open.empty()) open.back().second += total;
        }
    }
}

}  // namespace

std::vector<OperatorTime> operator_profile(const std::function<void()>& work) {
    profiler::enableProfilerLegacy(
        profiler::ProfilerConfig(torch::profiler::impl::ProfilerState::CPU, /*report_input_shapes=*/true));
    work();
    std::map<std::string, OperatorTime> sums;
    for (const auto& thread : profiler::disableProfilerLegacy()) add_thread(thread, sums);
    std::vector<OperatorTime> times;
    for (auto& [name, sum] : sums) {
        sum.name = name;
        times.push_back(std::move(sum));
    }
    std::sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
    return times;
}

}  // namespace longbow
