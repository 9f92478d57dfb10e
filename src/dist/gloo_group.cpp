// Makes Gloo's process group. This is the only file that includes Gloo's headers: they are Debian's, since LibTorch
// contains the library but not its headers; nothing of Debian's library is linked.
#define USE_C10D_GLOO  // the header is empty without it; LibTorch was built with it
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <cstdlib>

#include "groups.h"

namespace longbow {

c10::intrusive_ptr<c10d::Backend> make_gloo(const GroupRequest& request) {
    using c10d::ProcessGroupGloo;
    auto options = ProcessGroupGloo::Options::create(request.timeout);
    // PyTorch's users know this variable for choosing a network interface.
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(interface != nullptr && *interface != '\0'
                                   ? ProcessGroupGloo::createDeviceForInterface(interface)
                                   : ProcessGroupGloo::createDeviceForHostname(request.address));
    return c10::make_intrusive<ProcessGroupGloo>(request.store, request.rank, request.world, options);
}

}  // namespace longbow
