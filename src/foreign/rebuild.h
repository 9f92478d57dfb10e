// Gives a meaning to the few calls of a pickle that have one here: those that make torch's tensors and storages, and
// Python's dictionaries.
#pragma once

#include <functional>
#include <string>

#include "longbow/foreign/pickle_tree.h"
#include "unpickler.h"

namespace longbow {

// Says why a call could not be rebuilt. The unpickler adds the position in the file.
struct RebuildError {
    std::string reason;
};

// Turns a persistent id ("storage", torch.FloatStorage, key, location, elements) into a storage. Throws RebuildError.
PickleValue rebuild_storage(PickleTree& tree, PickleId id, const PickleLimits& limits);

// Returns what callee(*arguments) would make: a tensor or a dict where the callee is known, otherwise an opaque object.
// Throws RebuildError.
PickleValue rebuild_call(PickleTree& tree, PickleId callee, PickleId arguments, const PickleLimits& limits);

}  // namespace longbow
