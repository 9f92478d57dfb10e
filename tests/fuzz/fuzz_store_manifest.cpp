// libFuzzer target: any bytes are either a manifest whose counts fit each other, or a DataError. The checksum is not
// checked, because random bytes would never pass it.
#include <cstdlib>
#include <string_view>

#include "longbow/core/error.h"
#include "longbow/data/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    try {
        const auto json = longbow::read_manifest_json({reinterpret_cast<const char*>(data), size}, "fuzz");
        const auto manifest = longbow::parse_manifest(json, "fuzz");
        for (const auto& split : manifest.splits) {
            std::uint64_t bytes = 0;
            for (const auto& shard : split.shards) {
                if (shard.file.find('/') != std::string::npos) std::abort();
                bytes += shard.bytes;
            }
            if (bytes != static_cast<std::uint64_t>(split.tokens) * static_cast<std::uint64_t>(manifest.id_bytes))
                std::abort();
        }
        // A manifest that was read must not change when it is written and read again.
        const auto again = longbow::manifest_json(manifest);
        if (longbow::manifest_json(longbow::parse_manifest(again, "again")) != again) std::abort();
    } catch (const longbow::DataError&) {
    }
    return 0;
}
