// libFuzzer target: any bytes are either a consistent safetensors header or a CheckpointError.
#include <cstdlib>

#include "longbow/core/error.h"
#include "longbow/core/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    try {
        const auto header = longbow::parse_safetensors_header(std::as_bytes(std::span(data, size)), "fuzz");
        for (const auto& entry : header.tensors) {
            if (header.data_begin + entry.end > size || entry.begin > entry.end) std::abort();
        }
    } catch (const longbow::CheckpointError&) {
    }
    return 0;
}
