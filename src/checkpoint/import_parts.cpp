#include "import_parts.h"

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/config/options.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"

namespace longbow {

at::ScalarType scalar_type(PickleDtype dtype) {
    switch (dtype) {
        case PickleDtype::f64: return at::kDouble;
        case PickleDtype::f16: return at::kHalf;
        case PickleDtype::bf16: return at::kBFloat16;
        default: return at::kFloat;  // the readers of foreign models accept no other types
    }
}

at::ScalarType weights_type(DType dtype) {
    switch (dtype) {
        case DType::fp64: return at::kDouble;
        case DType::fp32: return at::kFloat;
        case DType::bf16: return at::kBFloat16;
        case DType::fp16: return at::kHalf;
    }
    return at::kFloat;  // no value is left
}

void check_import_place(const fs::path& out) {
    std::error_code error;
    if (fs::exists(out, error) && !(fs::is_directory(out, error) && fs::is_empty(out, error))) {
        throw UsageError("--out " + out.string() + ": already exists; name a new directory");
    }
    check_output_folder(out);
}

void remove_import_leftovers(const fs::path& out) {
    const auto place = without_trailing_slashes(fs::absolute(out));
    const auto prefix = "." + place.filename().string() + ".tmp-";
    std::error_code error;
    std::vector<fs::path> leftovers;
    for (const auto& entry : fs::directory_iterator(place.parent_path(), error)) {
        if (starts_with(entry.path().filename().string(), prefix)) leftovers.push_back(entry.path());
    }
    for (const auto& leftover : leftovers) {
        try {
            const FolderLock lock(leftover, kImportedNow);
            fs::remove_all(leftover, error);
            log::info("removed what an interrupted import left: " + leftover.string());
        } catch (const Error&) {
            // Its writer still lives, and removes it itself if it fails.
        }
    }
}

namespace {

// Adds the method's options that an import has not set.
void fill_options(const std::string& method, OptionMap& options, const ConfigContext& context) {
    for (const auto& known : context.position_methods) {
        if (known.name == method) fill_defaults(options, known.options);
    }
}

}  // namespace

Config complete_config(const Config& config, const std::string& name) {
    const auto& context = registered_config_context();
    Config complete = config;
    fill_options(complete.position.method, complete.position.options, context);
    try {
        complete = config_from_json(config_json(complete, context), name, context);
    } catch (const ConfigError& error) {
        throw CheckpointError(name + ": longbow does not support the model's settings: " + error.what());
    }
    if (complete.position.layers.size() != config.position.layers.size())
        throw CheckpointError(name + ": longbow does not support positions that differ from layer to layer");
    return complete;
}

}  // namespace longbow
