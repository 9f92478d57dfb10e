#include "manifest.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"

namespace longbow {

std::string optimizer_file(const CheckpointRanks& ranks) {
    return ranks.sharded ? fmt::format("optimizer-{:05}-of-{:05}.safetensors", ranks.rank, ranks.world)
                         : "optimizer-00000-of-00001.safetensors";
}

Json file_entry(const std::filesystem::path& file) {
    return {{"size", std::filesystem::file_size(file)}, {"hash", fingerprint_file(file)}};
}

std::map<std::string, std::string> weights_metadata(const Config& config, std::int64_t vocab_size) {
    return {{"longbow.format", std::to_string(kCheckpointFormat)},
            {"longbow.config", config_json(config, registered_config_context()).dump()},
            {"longbow.vocab_size", std::to_string(vocab_size)}};
}

Json describe_checkpoint(const LanguageModel& model, const TrainState& state, const Config& config,
                         const Tokenizer& tokenizer, const std::string& data_fingerprint) {
    return {{"format", kCheckpointFormat},
            {"update", state.updates},
            {"position", config.position.method_names()},
            {"train_length", config.train.length == 0 ? Json() : Json(config.train.length)},
            {"parameters", model.parameter_count()},
            {"vocab_size", model.vocab_size()},
            {"data", data_fingerprint},
            {"tokenizer", tokenizer.fingerprint()}};
}

Json build_manifest(Json about, const std::filesystem::path& folder, const Json& known) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    about["files"] = Json::object();
    for (const auto& file : files) {
        const auto name = file.filename().string();
        about["files"][name] = known.contains(name) ? known[name] : file_entry(file);
    }
    for (const auto& [name, entry] : known.items()) {
        // Another host wrote the file and this one does not see it (yet). The checkpoint would not be whole.
        if (!about["files"].contains(name))
            throw Error((folder / name).string() +
                        " was written by another rank and cannot be seen here: is it a shared file system?");
    }
    return about;
}

Json read_manifest(const std::filesystem::path& checkpoint) {
    const auto path = checkpoint / "manifest.json";
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        throw CheckpointError(checkpoint.string() + " is not a complete checkpoint: manifest.json is missing");
    }
    Json manifest = parse_json(read_file(path));
    if (!manifest.is_object() || !manifest.contains("format") || !manifest.contains("files") ||
        !manifest["files"].is_object()) {
        throw CheckpointError(path.string() + " is damaged: it is not the manifest of a checkpoint");
    }
    if (manifest["format"] != kCheckpointFormat) {
        throw CheckpointError(path.string() + ": format " + manifest["format"].dump() +
                              " is not known to this build (it knows " + std::to_string(kCheckpointFormat) +
                              "); use the version that wrote it, or a newer one");
    }
    return manifest;
}

void verify_checkpoint(const std::filesystem::path& checkpoint) {
    const Json manifest = read_manifest(checkpoint);
    if (!manifest["files"].contains(kModelFile))
        throw CheckpointError((checkpoint / "manifest.json").string() + " is damaged: no weights in it");
    for (const auto& [name, about] : manifest["files"].items()) {
        const auto path = checkpoint / name;
        // A file's name must not be a path: a manifest must not lead outside the checkpoint.
        if (name.empty() || name.find('/') != std::string::npos || name[0] == '.' || !about.is_object() ||
            !about.contains("size") || !about.contains("hash")) {
            throw CheckpointError((checkpoint / "manifest.json").string() + " is damaged at \"" + name.substr(0, 80) +
                                  "\"");
        }
        std::error_code error;
        const auto size = std::filesystem::file_size(path, error);
        if (error) throw CheckpointError(path.string() + " is missing: the checkpoint is damaged");
        if (about["size"] != size) {
            throw CheckpointError(path.string() + " is damaged: it has " + std::to_string(size) +
                                  " bytes, its manifest says " + about["size"].dump());
        }
        if (about["hash"] != fingerprint_file(path))
            throw CheckpointError(path.string() + " is damaged: its hash is not the manifest's");
    }
}

}  // namespace longbow
