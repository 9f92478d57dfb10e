// longbow inspect checkpoint: prints what a checkpoint holds.
#include <fmt/core.h>

#include <iostream>
#include <memory>

#include "inspect.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

struct Flags {
    std::string checkpoint;
    bool verify = false, json = false;
};

Json tensors_json(const std::filesystem::path& file) {
    Json tensors = Json::array();
    for (const auto& [name, tensor] : read_safetensors(file).tensors) {
        tensors.push_back(
            {{"name", name}, {"dtype", c10::toString(tensor.scalar_type())}, {"shape", tensor.sizes().vec()}});
    }
    return tensors;
}

void print_text(const Json& about) {
    std::cout << about["path"].get<std::string>() << "\n";
    for (const char* key : {"update", "position", "train_length", "parameters", "vocab_size", "data", "tokenizer"}) {
        std::cout << fmt::format("  {:<16} ", key)
                  << (about["manifest"].contains(key) ? json_text(about["manifest"][key]) : "?") << "\n";
    }
    std::cout << "state\n";
    for (const auto& [key, value] : about["state"].items())
        std::cout << fmt::format("  {:<16} ", key) << json_text(value) << "\n";
    std::cout << "files\n";
    for (const auto& [name, file] : about["manifest"]["files"].items()) {
        std::cout << fmt::format("  {:<40} {:>12}  ", name, human_bytes(file.value("size", 0.0)))
                  << file.value("hash", "") << "\n";
    }
    std::cout << "weights\n";
    for (const auto& tensor : about["weights"]) {
        std::cout << fmt::format("  {:<40} {:<8} ", tensor["name"].get<std::string>(),
                                 tensor["dtype"].get<std::string>())
                  << tensor["shape"].dump() << "\n";
    }
    if (about.contains("verified")) std::cout << "every file has the size and hash of the manifest\n";
}

void add_inspect_checkpoint(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<Flags>();
    auto* verb = add_verb(inspect_group(app), context, "checkpoint", "Show what a checkpoint contains",
                          "longbow inspect checkpoint runs/alibi@last --verify");
    verb->add_option(
            "CHECKPOINT", flags->checkpoint,
            "Run directory (its best), RUN@last, RUN@best, RUN@step=N, a checkpoint directory, or a public model "
            "(FOLDER or FILE.gguf)")
        ->required();
    verb->add_flag("--verify", flags->verify, "Check every file against the manifest's sizes and hashes");
    verb->add_flag("--json", flags->json, "JSON instead of text");
    run_with(verb, context, [flags](const CommonOptions&) {
        const auto path = resolve_checkpoint(flags->checkpoint);
        if (flags->verify) verify_checkpoint(path);
        Json about = {{"path", path.string()},
                      {"manifest", read_manifest(path)},
                      {"state", to_json(read_train_state(path))},
                      {"weights", tensors_json(path / "model.safetensors")}};
        if (flags->verify) about["verified"] = true;
        if (flags->json) {
            std::cout << json_text(about, 2) << "\n";
        } else {
            print_text(about);
        }
        return 0;
    });
}

LONGBOW_REGISTER_VERB(70, add_inspect_checkpoint);

}  // namespace

}  // namespace longbow
