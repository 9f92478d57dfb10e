// The machine that runs the opcodes of pickle protocols 2 to 5 and builds a PickleTree. It has no means to call
// anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "byte_reader.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

// These limits are far above what a checkpoint of any size needs (the pickle of a 16-layer model has 50 KB), and low
// enough that a hostile pickle costs little.
struct PickleLimits {
    std::size_t bytes = 64u << 20;  // of one pickle
    // Limits each of: the values, the items that calls copy, the places on stack and memo (about 100 B each).
    std::size_t values = 4u << 20;
    std::size_t tensors = 200'000;
    std::size_t name = 1024;  // bytes of a class's name or a storage's key
    std::size_t dimensions = 16;
};

// Reads one pickle at the reader's position and leaves the reader behind its STOP opcode. Throws CheckpointError for
// opcodes that are unknown or belong to protocols 0 and 1, an inconsistent stack, exceeded limits, and tensors that
// reach beyond their storage.
PickleTree unpickle(ByteReader& reader, const PickleLimits& limits = {});

}  // namespace longbow
