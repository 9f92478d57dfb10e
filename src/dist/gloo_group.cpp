// The one file that sees Gloo's headers: Debian's, since LibTorch carries the library without them. Nothing of Debian's library is linked.
#define USE_C10D_GLOO  // the header is empty without it; LibTorch was built with it
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <cstdlib>

#include "groups.h"

namespace longbow {

c10::intrusive_ptr<c10d::Backend> make_gloo(const GroupRequest& request) {
    using c10d::ProcessGroupGloo;
    auto options = ProcessGroupGloo::Options::create(request.timeout);
    // The variable that PyTorch's users know for choosing a network card.
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(interface != nullptr && *interface != '\0' ? ProcessGroupGloo::createDeviceForInterface(interface)
                                                                          : ProcessGroupGloo::createDeviceForHostname(request.address));
    return c10::make_intrusive<ProcessGroupGloo>(request.store, request.rank, request.world, options);
}

}  // namespace longbow
