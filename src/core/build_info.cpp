#include "longbow/core/build_info.h"

#include <fmt/core.h>

#include "build_config.h"
#include "longbow/core/machine.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

BuildInfo& mutable_build_info() {
    static BuildInfo info{LONGBOW_BUILD_VERSION,   "",
                          LONGBOW_BUILD_COMPILER,  LONGBOW_BUILD_TYPE,
                          LONGBOW_BUILD_TORCH,     LONGBOW_BUILD_CUDA != 0,
                          LONGBOW_BUILD_CUDA_NOTE, LONGBOW_BUILD_NCCL,
                          LONGBOW_BUILD_CUBLAS};
    return info;
}

std::string cpu_text() {
    const auto cpu = cpu_info();
    return fmt::format("{}, {} core{}; {}", cpu.model.empty() ? "unknown" : cpu.model, cpu.cores,
                       cpu.cores == 1 ? "" : "s",
                       cpu.features.empty() ? "none of AVX2, AVX-512, AMX" : join(cpu.features, ", "));
}

std::string gpu_text() {
    const auto report = gpu_report();
    if (report.gpus.empty()) return "none (" + report.problem + ")";
    std::string text;
    for (std::size_t i = 0; i < report.gpus.size(); ++i) {
        const auto& gpu = report.gpus[i];
        if (i > 0) text += "\n           ";
        text += fmt::format("{}: {}, compute capability {}.{}, {}", i, gpu.name, gpu.major, gpu.minor,
                            human_bytes(static_cast<double>(gpu.memory)));
    }
    return text + "\ndriver     CUDA " + report.driver;
}

}  // namespace

const BuildInfo& build_info() { return mutable_build_info(); }

void set_revision(std::string revision) { mutable_build_info().revision = std::move(revision); }

std::string build_info_text() {
    const auto& info = build_info();
    std::string text = "longbow " + info.version + (info.revision.empty() ? "" : " (" + info.revision + ")");
    text += "\nbuild      " + info.type + ", " + info.compiler;
    text += "\nLibTorch   " + info.torch;
    text += "\nCUDA       " + std::string(info.cuda ? "" : "off: ") + info.cuda_note;
    if (info.cuda) {
        text += "\nNCCL       " + (info.nccl.empty() ? "not found" : info.nccl);
        text += "\ncuBLAS     " + (info.cublas.empty() ? "not found" : info.cublas);
    }
    text += "\nCPU        " + cpu_text();
    text += "\nGPU        " + gpu_text();
    return text;
}

}  // namespace longbow
