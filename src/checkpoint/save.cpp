// Saves checkpoints: takes a snapshot in host memory, and writes it as one transaction.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <functional>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "manifest.h"
#include "optimizer_file.h"

namespace longbow {

namespace {

// Returns a copy on the host, independent of the tensors that go on training.
at::Tensor host_copy(const at::Tensor& tensor) {
    return tensor.detach().to(at::kCPU, tensor.scalar_type(), /*non_blocking=*/false, /*copy=*/true).contiguous();
}

std::vector<NamedTensor> copy_model(const LanguageModel& model) {
    std::vector<NamedTensor> tensors;
    for (const auto& stored : model.stored_tensors()) tensors.push_back({stored.name, host_copy(stored.tensor)});
    return tensors;
}

std::vector<TensorSlice> copy_optimizer(const LanguageModel& model, Optimizer& optimizer,
                                        const std::vector<at::Tensor>& owned) {
    auto slices = optimizer_slices(model, optimizer, owned);
    for (auto& slice : slices) slice.values = host_copy(slice.values);
    return slices;
}

void write_text(const fs::path& path, const std::string& text) {
    OutputFile file(path);
    file.write(text);
    file.close();
}

// Makes a new link and renames it over the old one, so that the link exists at every moment.
void point_link(const fs::path& link, const std::string& target) {
    const fs::path temporary =
        link.parent_path() / ("." + link.filename().string() + ".tmp-" + std::to_string(::getpid()));
    std::error_code ignored;
    fs::remove(temporary, ignored);
    if (::symlink(target.c_str(), temporary.c_str()) != 0 || ::rename(temporary.c_str(), link.c_str()) != 0) {
        throw Error("cannot make the link " + link.string() + ": " + std::strerror(errno));
    }
    sync_path(link.parent_path());
}

}  // namespace

fs::path checkpoint_path(const fs::path& run, std::int64_t update) {
    return run / "checkpoints" / fmt::format("step-{:08}", update);
}

CheckpointSnapshot take_snapshot(const LanguageModel& model, Optimizer* optimizer, const std::vector<at::Tensor>& owned,
                                 const TrainState& state, const Config& config, const Tokenizer& tokenizer,
                                 const std::string& data_fingerprint, const CheckpointRanks& ranks) {
    CheckpointSnapshot snapshot;
    snapshot.ranks = ranks;
    snapshot.state = state;
    snapshot.tokenizer = &tokenizer;
    if (ranks.rank == 0) snapshot.model = copy_model(model);
    snapshot.with_optimizer = optimizer != nullptr && (ranks.rank == 0 || ranks.sharded);
    if (snapshot.with_optimizer) snapshot.optimizer = copy_optimizer(model, *optimizer, owned);
    snapshot.metadata = weights_metadata(config, model.vocab_size());
    snapshot.about = describe_checkpoint(model, state, config, tokenizer, data_fingerprint);
    return snapshot;
}

namespace {

void write_optimizer(const fs::path& folder, const CheckpointSnapshot& snapshot) {
    write_optimizer_file(folder / optimizer_file(snapshot.ranks), snapshot.optimizer);
}

// Waits for the files that the other ranks write into the same folder. Each rank sends size and hash when its file is
// on disk.
Json files_of_others(const CheckpointSnapshot& snapshot, Mailbox& mailbox, const std::string& key) {
    Json files = Json::object();
    for (int rank = 1; rank < snapshot.ranks.world; ++rank) {
        const Json answer = Json::parse(mailbox.take(key + std::to_string(rank)));
        if (answer.contains("error")) throw Error(fmt::format("rank {}: ", rank) + answer["error"].get<std::string>());
        files[optimizer_file({rank, snapshot.ranks.world, true})] = answer;
    }
    return files;
}

void write_share(const CheckpointSnapshot& snapshot, Mailbox& mailbox, const std::string& key) {
    const fs::path folder = mailbox.take(key + "folder");
    if (folder.empty()) throw Error("rank 0: " + mailbox.take(key + "done"));
    const auto own = key + std::to_string(snapshot.ranks.rank);
    try {
        write_optimizer(folder, snapshot);
        mailbox.put(own, json_text(file_entry(folder / optimizer_file(snapshot.ranks))));
    } catch (const std::exception& error) {
        mailbox.put(own, json_text({{"error", error.what()}}));
        throw;
    }
    failpoint("checkpoint.after_share");
    const auto outcome = mailbox.take(key + "done");
    if (!outcome.empty()) throw Error("rank 0: " + outcome);
}

// Writes rank 0's part. `begun` is told the folder of the unfinished checkpoint; `others` returns the files that other
// ranks have put there.
void write_whole(const fs::path& run, const CheckpointSnapshot& snapshot,
                 const std::function<void(const fs::path&)>& begun, const std::function<Json()>& others) {
    const fs::path target = checkpoint_path(run, snapshot.state.updates);
    {
        DirectoryTransaction transaction(target, /*replace=*/true);
        const fs::path& folder = transaction.path();
        if (begun) begun(folder);
        failpoint("checkpoint.before_model");
        write_safetensors(folder / kModelFile, snapshot.model, snapshot.metadata);
        failpoint("checkpoint.after_model");
        if (snapshot.with_optimizer) write_optimizer(folder, snapshot);
        failpoint("checkpoint.after_optimizer");
        write_text(folder / "state.json", to_json(snapshot.state).dump(2) + "\n");
        save_tokenizer(*snapshot.tokenizer, folder);
        failpoint("checkpoint.after_state");
        const Json manifest = build_manifest(snapshot.about, folder, others());
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

}  // namespace

void write_snapshot(const fs::path& run, const CheckpointSnapshot& snapshot, Mailbox* mailbox, std::int64_t sequence) {
    const std::string key = fmt::format("checkpoint/{}/", sequence);
    if (snapshot.ranks.rank != 0) {
        if (snapshot.ranks.sharded) write_share(snapshot, *mailbox, key);
        return;
    }
    if (!snapshot.ranks.sharded) return write_whole(run, snapshot, {}, [] { return Json::object(); });
    bool told = false;
    std::string outcome;
    std::exception_ptr failure;
    try {
        write_whole(
            run, snapshot,
            [&](const fs::path& folder) {
                mailbox->put(key + "folder", fs::absolute(folder).string());
                told = true;
            },
            [&] { return files_of_others(snapshot, *mailbox, key); });
    } catch (const std::exception& error) {
        outcome = error.what();
        failure = std::current_exception();
    }
    mailbox->put(key + "done", outcome);
    if (!told) mailbox->put(key + "folder", "");
    if (failure) std::rethrow_exception(failure);
}

void save_checkpoint(const fs::path& run, const LanguageModel& model, Optimizer* optimizer, const TrainState& state,
                     const Config& config, const Tokenizer& tokenizer, const std::string& data_fingerprint) {
    write_snapshot(run, take_snapshot(model, optimizer, model.parameters(), state, config, tokenizer, data_fingerprint),
                   nullptr, 0);
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
