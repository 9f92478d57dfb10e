// NCCL lives in libtorch_cuda.so, which a command that uses no GPU does not load (core/machine.h). So the code that
// needs its symbols is a small library of its own, nccl/nccl_module.cpp, which is opened when the ranks of a run use
// GPUs.
#include <dlfcn.h>

#include "groups.h"
#include "longbow/core/error.h"
#include "longbow/core/installation.h"
#include "nccl/nccl_module.h"

namespace longbow {

c10::intrusive_ptr<c10d::Backend> make_nccl(const GroupRequest& request) {
    const auto file = own_library("liblongbow_nccl.so");
    void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) {
        throw Error("training on several GPUs needs " + file.string() + ", which cannot be loaded: " + ::dlerror() +
                    "; build with CUDA (`longbow doctor`), or take --device cpu");
    }
    const auto make = reinterpret_cast<MakeNcclGroup>(::dlsym(library, kMakeNcclGroup));
    if (make == nullptr) throw Error(file.string() + " is of another version of longbow: build again");
    return make(request);
}

std::string trouble_of(c10d::Backend& backend) {
    switch (backend.getError()) {
        case c10d::ErrorType::SUCCESS: return {};
        case c10d::ErrorType::TIMEOUT: return "a collective of NCCL has not ended within dist.timeout";
        case c10d::ErrorType::COMM_ERROR: break;
        case c10d::ErrorType::REMOTE_ERROR: return "NCCL has failed on another rank";
    }
    return "NCCL has failed or lost another rank (NCCL_DEBUG=WARN in the environment prints the reason)";
}

}  // namespace longbow
