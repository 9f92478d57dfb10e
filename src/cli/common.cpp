#include "common.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "longbow/core/error.h"
#include "longbow/core/machine.h"
#include "longbow/core/strings.h"
#include "longbow/model/device_memory.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

int gpu_count() { return static_cast<int>(gpu_report().gpus.size()); }

}  // namespace

std::string resolve_device(const std::string& text) {
    if (text == "cpu") return "cpu";
    if (text == "auto") return gpu_count() > 0 ? "cuda:0" : "cpu";
    int index = 0;
    if (text != "cuda") {
        const std::string prefix = "cuda:";
        const char* begin = text.data() + std::min(prefix.size(), text.size());
        const auto [end, error] = std::from_chars(begin, text.data() + text.size(), index);
        if (!starts_with(text, prefix) || error != std::errc{} || end != text.data() + text.size() || index < 0) {
            throw UsageError("--device " + text + ": expected auto, cpu, cuda or cuda:N");
        }
    }
    const int count = gpu_count();
    if (count == 0) {
        throw UsageError("--device " + text +
                         ": no CUDA device can be used here (`longbow doctor` says why); take --device cpu or auto");
    }
    if (index >= count) {
        throw UsageError(fmt::format("--device {}: this machine has {} CUDA device{}, numbered from 0", text, count,
                                     count == 1 ? "" : "s"));
    }
    return fmt::format("cuda:{}", index);
}

void prepare_process(const std::string& device) {
    keep_freed_memory();
    keep_products_repeatable();
    count_cpu_memory();
    if (device != "cpu" && !(load_cuda() && at::hasCUDA()))
        throw Error("LibTorch has no CUDA, and the device is " + device);
}

void apply_common(CommonOptions& options) {
    log::initialize(options.log_level, options.quiet);
    if (options.device != "auto") resolve_device(options.device);
    options.threads_given = options.threads != 0;
    if (options.threads == 0) options.threads = available_cores();
    at::set_num_threads(options.threads);
}

}  // namespace longbow
