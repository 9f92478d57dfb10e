// The few calls of a pickle that have a meaning here: torch's tensors and storages, and Python's dictionaries.
#pragma once

#include <functional>
#include <string>

#include "longbow/foreign/pickle_tree.h"
#include "unpickler.h"

namespace longbow {

// Why a call could not be followed; the machine adds the place.
struct RebuildError {
    std::string reason;
};

// A persistent id, ("storage", torch.FloatStorage, key, location, elements) -> a storage. Throws RebuildError.
PickleValue rebuild_storage(PickleTree& tree, PickleId id, const PickleLimits& limits);

// callee(*arguments): a tensor or a dict where the callee is known, else an opaque object. Throws RebuildError.
PickleValue rebuild_call(PickleTree& tree, PickleId callee, PickleId arguments, const PickleLimits& limits);

}  // namespace longbow
