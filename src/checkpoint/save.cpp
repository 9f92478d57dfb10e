#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/config_context.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "manifest.h"

namespace longbow {

namespace {

void write_model(const fs::path& path, const LanguageModel& model, const Config& config) {
    std::vector<NamedTensor> tensors;
    for (const auto& stored : model.stored_tensors()) tensors.push_back({stored.name, stored.value});
    write_safetensors(path, tensors,
                      {{"longbow.format", std::to_string(kCheckpointFormat)},
                       {"longbow.config", config_json(config, registered_config_context()).dump()},
                       {"longbow.vocab_size", std::to_string(model.vocab_size())}});
}

// Each slot tensor flat, as the elements [begin, end) of its parameter: one process has them all.
void write_optimizer(const fs::path& path, const LanguageModel& model, Optimizer& optimizer) {
    std::vector<NamedTensor> tensors;
    Json ranges = Json::object();
    for (const auto& slot : optimizer.slots()) {
        for (std::size_t i = 0; i < slot.tensors.size(); ++i) {
            for (const auto& view : model.stored_views(i, slot.tensors[i])) {
                const std::string name = slot.name + "/" + view.name;
                tensors.push_back({name, view.value.reshape({-1})});
                ranges[name] = {0, view.value.numel()};
            }
        }
    }
    write_safetensors(path, tensors, {{"longbow.format", std::to_string(kCheckpointFormat)}, {"longbow.ranges", ranges.dump()}});
}

void write_text(const fs::path& path, const std::string& text) {
    OutputFile file(path);
    file.write(text);
    file.close();
}

// A new link is renamed over the old one: there is never none.
void point_link(const fs::path& link, const std::string& target) {
    const fs::path temporary = link.parent_path() / ("." + link.filename().string() + ".tmp-" + std::to_string(::getpid()));
    std::error_code ignored;
    fs::remove(temporary, ignored);
    if (::symlink(target.c_str(), temporary.c_str()) != 0 || ::rename(temporary.c_str(), link.c_str()) != 0) {
        throw Error("cannot make the link " + link.string() + ": " + std::strerror(errno));
    }
    sync_path(link.parent_path());
}

}  // namespace

fs::path checkpoint_path(const fs::path& run, std::int64_t update) {
    return run / "checkpoints" / strprintf("step-%08lld", static_cast<long long>(update));
}

void save_checkpoint(const fs::path& run, const LanguageModel& model, Optimizer* optimizer, const TrainState& state, const Config& config,
                     const Tokenizer& tokenizer, const std::string& data_fingerprint) {
    const fs::path target = checkpoint_path(run, state.updates);
    {
        DirectoryTransaction transaction(target, /*replace=*/true);
        const fs::path& folder = transaction.path();
        failpoint("checkpoint.before_model");
        write_model(folder / kModelFile, model, config);
        failpoint("checkpoint.after_model");
        if (optimizer != nullptr) write_optimizer(folder / kOptimizerFile, model, *optimizer);
        failpoint("checkpoint.after_optimizer");
        write_text(folder / "state.json", to_json(state).dump(2) + "\n");
        save_tokenizer(tokenizer, folder);
        failpoint("checkpoint.after_state");
        const Json manifest = build_manifest({{"format", kCheckpointFormat},
                                              {"update", state.updates},
                                              {"position", config.position.method},
                                              {"train_length", config.train.length},
                                              {"parameters", model.parameter_count()},
                                              {"vocab_size", model.vocab_size()},
                                              {"data", data_fingerprint},
                                              {"tokenizer", tokenizer.fingerprint()}},
                                             folder);
        failpoint("checkpoint.before_manifest");
        write_text(folder / "manifest.json", manifest.dump(2) + "\n");
        for (const auto& entry : fs::directory_iterator(folder)) sync_path(entry.path());
        failpoint("checkpoint.before_rename");
        transaction.commit();
        failpoint("checkpoint.after_rename");
    }
    failpoint("checkpoint.before_last");
    point_link(run / "checkpoints" / "last", target.filename().string());
    failpoint("checkpoint.after_last");
}

void mark_best(const fs::path& run, std::int64_t update) {
    failpoint("checkpoint.before_best");
    const fs::path target = checkpoint_path(run, update);
    const fs::path link = run / "checkpoints" / "best";
    std::error_code ignored;
    if (fs::exists(target)) {
        point_link(link, target.filename().string());
    } else {
        fs::remove(link, ignored);
    }
    failpoint("checkpoint.after_best");
}

}  // namespace longbow
