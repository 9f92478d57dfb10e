// What this binary was built from, as `longbow --version` prints it.
#pragma once

#include <string>

namespace longbow {

struct BuildInfo {
    std::string version;    // Longbow's
    std::string revision;   // git describe, set by main(); empty elsewhere (tests, other programs)
    std::string compiler;   // "GNU 12.2.0"
    std::string type;       // "Release"
    std::string torch;      // LibTorch's version
    bool cuda = false;      // built with CUDA
    std::string cuda_note;  // toolkit and architectures, or why there is none
    std::string nccl;       // versions of the headers at hand; empty without CUDA
    std::string cublas;
};
const BuildInfo& build_info();

// main() alone knows the revision: a commit then recompiles one small file, and no library.
void set_revision(std::string revision);

// Several lines: the build, then the processor and the GPUs seen now.
std::string build_info_text();

}  // namespace longbow
