// longbow verify: checks that a run's checkpoints are whole, and that resuming from one gives the next one bit for bit.
#include <ATen/Parallel.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cstring>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/public_model.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/eval/runs.h"
#include "longbow/telemetry/log.h"
#include "longbow/train/trainer.h"

namespace longbow {

namespace {

// Owns rank 0's scratch directory; all ranks have its path.
class ScratchDirectory {
public:
    ScratchDirectory(const fs::path& parent, Communicator& ranks)
        : path_(ranks.from_leader((parent / (".verify.tmp-" + std::to_string(::getpid()))).string())),
          own_(ranks.leader()) {
        if (own_) fs::create_directories(path_);
    }
    ~ScratchDirectory() {
        if (!own_) return;
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
    bool own_;
};

// Says how two tensors of the same shape and type differ: numbers with other bits, and the largest difference.
std::string difference(const at::Tensor& stored, const at::Tensor& replayed) {
    const auto a = stored.to(at::kDouble), b = replayed.to(at::kDouble);
    return fmt::format("{} of {} numbers, by {:.3g} at most beside a largest value of {:.3g}",
                       a.ne(b).sum().item<std::int64_t>(), a.numel(), a.sub(b).abs().max().item<double>(),
                       a.abs().max().item<double>());
}

// Compares tensors bit for bit. The metadata may differ: it holds the configuration, which a replay changes.
void expect_equal_tensors(const fs::path& stored, const fs::path& replayed) {
    const auto a = read_safetensors(stored);
    const auto b = read_safetensors(replayed);
    std::string first;
    std::size_t different = 0;
    for (const auto& [name, tensor] : a.tensors) {
        const auto found = b.tensors.find(name);
        const bool alike = found != b.tensors.end() && found->second.sizes() == tensor.sizes() &&
                           found->second.scalar_type() == tensor.scalar_type();
        if (alike && std::memcmp(found->second.const_data_ptr(), tensor.const_data_ptr(), tensor.nbytes()) == 0)
            continue;
        if (++different > 1) continue;
        first = name + (alike ? " in " + difference(tensor, found->second) : " in shape or type");
    }
    if (different > 0) {
        throw CheckpointError(fmt::format(
            "{}: {} of {} tensors differ from what training from the previous checkpoint gives; the first: {}",
            stored.string(), different, a.tensors.size(), first));
    }
}

// Returns the run that `named` stands for. It may also be a checkpoint, or the folder of them that a shell's completion
// makes of a run's name.
fs::path run_with_checkpoints(const fs::path& named) {
    const auto path = without_trailing_slashes(named);
    if (!list_checkpoints(path).empty()) return path;
    return path.filename() == "checkpoints" ? fs::absolute(path).parent_path() : run_folder(path);
}

std::string replay(const CheckpointEntry& from, const CheckpointEntry& to, const fs::path& run,
                   const std::string& device, int threads, const std::shared_ptr<Communicator>& ranks) {
    const ScratchDirectory scratch(run, *ranks);
    TrainRequest request;
    request.config = read_checkpoint_config(to.path);
    request.config.checkpoint.every = Duration{0, Duration::Unit::updates};
    request.config.log.tensorboard = false;
    request.config.train.profile = 0;
    auto& data = request.config.data;
    if (data.store.empty() && data.mixture.empty() && !request.config.task.chosen())
        data.store = (run / "store").string();
    request.make_store = false;
    request.run_dir = scratch.path();
    request.resume = ResumeRule::named;
    request.resume_from = from.path.string();
    request.device = device;
    const auto state = read_train_state(to.path);
    request.threads = threads > 0 ? threads : state.threads > 0 ? state.threads : at::get_num_threads();
    at::set_num_threads(request.threads);  // another number may give other last bits
    request.validate = false;
    request.until_update = to.update;
    request.ranks = ranks;
    train(request);
    const fs::path replayed = checkpoint_path(scratch.path(), to.update);
    ranks->leader_first("comparing", [&] {
        for (const auto& entry : fs::directory_iterator(to.path)) {
            if (entry.path().extension() == ".safetensors")
                expect_equal_tensors(entry.path(), replayed / entry.path().filename());
        }
    });
    return fmt::format("resume  update {} -> {}: the same weights and optimizer, bit for bit\n", from.update,
                       to.update);
}

}  // namespace

std::string verify_run(const fs::path& named, const std::string& device, int threads,
                       const std::shared_ptr<Communicator>& ranks) {
    const auto run = run_with_checkpoints(named);
    const auto entries = list_checkpoints(run);
    if (entries.empty()) {
        throw CheckpointError(
            named.string() +
            (public_model(named.string())
                 ? " is a public model, of whose files nothing says how they should be: `longbow import` makes a run "
                   "of it, which can be verified"
                 : " is not a run directory with checkpoints"));
    }
    std::string report;
    ranks->leader_first("checking files", [&] {
        for (const auto& entry : entries) {
            verify_checkpoint(entry.path);
            report += "whole   " + entry.path.string() + "\n";
        }
    });
    if (entries.size() < 2) return report + "resume  not tried: one checkpoint only\n";
    if (const int trained = read_train_state(entries.back().path).ranks; trained != ranks->world()) {
        throw UsageError(fmt::format(
            "{} was trained by {} ranks and is replayed by {}: start longbow verify in the same way (--nproc {})",
            run.string(), trained, ranks->world(), trained));
    }
    report += replay(entries[entries.size() - 2], entries.back(), run, device, threads, ranks);
    // Every save compared the ranks' weights.
    if (!ranks->alone()) report += fmt::format("ranks   {} agree on the weights at each checkpoint\n", ranks->world());
    return report;
}

}  // namespace longbow
