// libFuzzer target: any bytes, read as a configuration, are either an Error or a Config that is read back the same from
// its own YAML.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../unit/config/context.h"
#include "longbow/core/error.h"

int fuzz_config(const std::uint8_t* data, std::size_t size) {
    static const longbow::ConfigContext context = longbow::test_context();
    longbow::Config config;
    try {
        config = longbow::parse_config(std::string(reinterpret_cast<const char*>(data), size), "fuzz.yaml", context);
    } catch (const longbow::Error&) {
        return 0;
    }
    if (!(longbow::parse_config(longbow::config_yaml(config, context), "again.yaml", context) == config)) std::abort();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { return fuzz_config(data, size); }
