// libFuzzer target: any bytes are either a config.json of a family that is known, whose tensors can be listed, or a
// CheckpointError.
#include <cstdlib>
#include <string>

#include "foreign/foreign_json.h"
#include "foreign/hf_family.h"
#include "longbow/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    try {
        const auto json = longbow::parse_foreign_json(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
        longbow::HfSettings settings;
        const auto& family = longbow::read_hf_settings(json, "fuzz", settings);
        longbow::TensorRules rules;
        family.place(settings, rules);
        for (const auto& rule : rules.all()) {
            for (const auto length : rule.ours_shape) {
                if (length < 1) std::abort();
            }
        }
    } catch (const longbow::CheckpointError&) {
    }
    return 0;
}
