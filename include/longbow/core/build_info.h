// This header describes what the binary was built from and with, as `longbow --version` prints it.
#pragma once

#include <string>

namespace longbow {

struct BuildInfo {
    std::string version;    // Longbow's version
    std::string revision;   // git describe, set by main(); empty in tests and other programs
    std::string compiler;   // "GNU 12.2.0"
    std::string type;       // "Release"
    std::string torch;      // LibTorch's version
    bool cuda = false;      // built with CUDA
    std::string cuda_note;  // CUDA toolkit and architectures, or why the build has no CUDA
    std::string nccl;       // NCCL and cuBLAS versions in the build's headers; empty without CUDA
    std::string cublas;
};
const BuildInfo& build_info();

// Sets BuildInfo::revision. Only main() calls it, so that a commit recompiles one small file and no library.
void set_revision(std::string revision);

// Returns several lines of text: how the program was built, then the processor and the GPUs that are visible now.
std::string build_info_text();

}  // namespace longbow
