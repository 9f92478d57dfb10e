// The pickle machine: opcodes of protocols 2 to 5 onto a PickleTree. It has no way to call anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "byte_reader.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

// Far above what a checkpoint of any size needs (a 16-layer model's pickle has 50 KB), low enough that a hostile one costs little.
struct PickleLimits {
    std::size_t bytes = 64u << 20;  // of one pickle
    std::size_t values = 4u << 20;  // as many again of items copied by calls, and of places on stack and memo (about 100 B each)
    std::size_t tensors = 200'000;
    std::size_t name = 1024;  // bytes of a class's name, a storage's key
    std::size_t dimensions = 16;
};

// Reads one pickle at the reader's place and leaves the reader behind its STOP. Throws CheckpointError: opcodes that are unknown or belong
// to protocols 0 and 1, a stack that does not fit, limits passed, tensors beyond their storage.
PickleTree unpickle(ByteReader& reader, const PickleLimits& limits = {});

}  // namespace longbow
