#include "trace.h"

#include <fmt/core.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <fstream>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;
constexpr std::int64_t kWarmUp = 3;  // updates in which memory is allocated and kernels are generated

std::set<ActivityType> activities(bool gpu) {
    return gpu ? std::set<ActivityType>{ActivityType::CPU, ActivityType::CUDA}
               : std::set<ActivityType>{ActivityType::CPU};
}

}  // namespace

Trace::Trace(std::int64_t updates, const std::filesystem::path& run, int rank, bool gpu)
    : updates_(updates), file_(run / fmt::format("trace-rank{}.json", rank)), gpu_(gpu) {}

Trace::~Trace() {
    if (profiling_) profiler::disableProfiler();  // the run ended before its last profiled update
}

void Trace::before_update() {
    if (updates_ == 0 || seen_ != kWarmUp) return;
    const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
    profiler::prepareProfiler(config, activities(gpu_));
    profiler::enableProfiler(config, activities(gpu_));
    profiling_ = true;
}

void Trace::after_update() {
    ++seen_;
    if (!profiling_ || seen_ < kWarmUp + updates_) return;
    profiling_ = false;
    const auto trace = profiler::disableProfiler();
    write_file_atomic_by(file_, [&](const fs::path& file) {
        trace->save(file.string());
        // The profiler does not report that its file was cut short.
        if (fs::is_regular_file(file) && !Json::accept(std::ifstream(file))) {
            throw Error("cannot write " + file_.string() +
                        ": it came out incomplete (a full disk, or a limit on file sizes: ulimit -f)");
        }
    });
    log::info("wrote " + file_.string() + " (open it in chrome://tracing or ui.perfetto.dev)");
}

}  // namespace longbow
