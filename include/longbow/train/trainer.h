// Trains a model. The loop is in src/train/trainer.cpp and can be read at one sitting; each concern beside it has a
// small file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/load.h"
#include "longbow/dist/communicator.h"

namespace longbow {

// Names the source of a run that is forked from another (train/fork.h).
struct Fork {
    std::string from;                  // as the user named it
    std::filesystem::path checkpoint;  // empty: the new run has checkpoints already and continues from them
};

// Says from where a run continues.
enum class ResumeRule {
    newest,  // from its newest whole checkpoint, if it has one
    never,   // from none: the run must not have any
    named,   // from a checkpoint that the user names
};

struct TrainRequest {
    Config config;
    // Where the configuration's keys were set, as far as it was read from files. This decides for which store
    // data.train was meant.
    Origins origins;
    std::filesystem::path run_dir;
    std::optional<Fork> fork;
    // --dry-run. Text that is missing is then no error if data.expect_vocab_size says what the store would be like.
    bool plan_only = false;
    bool make_store = true;  // whether to make a missing store from data.train
    ResumeRule resume = ResumeRule::newest;
    // The checkpoint as the user named it, for ResumeRule::named.
    std::string resume_from;
    std::string device = "cpu";                                              // cpu | cuda:N
    int threads = 1;                                                         // for preparing a store
    std::shared_ptr<Communicator> ranks = std::make_shared<Communicator>();  // by default no other ranks
    // A replay (`longbow verify`) runs no validation, and ends at an update of its own whatever train.stop says (-1:
    // train.stop decides).
    bool validate = true;
    std::int64_t until_update = -1;
};

struct TrainSummary {
    std::filesystem::path run_dir;
    std::int64_t updates = 0;
    bool was_finished = false;         // there was nothing left to train
    double train_loss = 0;             // mean nll of the last log interval; 0: none was logged by this call
    double best_valid_ppl = 0;         // 0: no validation
    std::filesystem::path checkpoint;  // the best one, or the last if none is best
    std::vector<TrainSummary> seeds;   // one a seed of train.seeds; best_valid_ppl is then their mean
};

// Trains until train.stop, resuming the run if it has begun. With train.seeds it trains one run after the other in
// run_dir/seed-N. Throws InterruptedError after saving on a signal, DivergedError, ConfigError, DataError,
// CheckpointError. Its fail points are train.update (before each update) and those of checkpoint.h. With several ranks,
// each of them calls this with the same request, and rank 0 alone writes the run directory.
TrainSummary train(const TrainRequest& request);

// Makes the position method and, for this device, the attention back-end that a configuration chooses, without a model.
// Their own checks run when they are made. Throws ConfigError that begins with the place where the key was set.
void check_parts(const LoadedConfig& loaded, const std::string& device);

// Checks everything about a request that can be refused before any work is done or file written: a store that is
// missing and cannot be made, text that cannot be read, more ranks than an update has inputs, an attention back-end or
// a position method that cannot serve. Throws as train() would.
void check_request(const TrainRequest& request, int ranks = 1);
// Checks only the number of ranks, which is known before the ranks are started.
void check_ranks(const TrainRequest& request, int ranks);

// Returns the text that `--dry-run` prints: parameters, tokens of an update, updates, the memory of each of `ranks`
// processes, FLOPs, and the cost of each validation. The request's device need not exist on this machine.
std::string training_plan(const TrainRequest& request, int ranks = 1);

// Returns the part of the plan that is known before the store exists: parameters, tokens of an update, updates an
// epoch. It is empty if data.expect_vocab_size is not set.
std::string expected_plan(const Config& config);

// Checks every checkpoint of the run against its manifest. Then trains from the last checkpoint but one to the last
// one's update, in a scratch directory, and compares the two bit for bit. It uses as many threads as that checkpoint
// was trained with unless `threads` is above 0. Returns the report; throws CheckpointError at the first difference. A
// run of several ranks needs as many ranks here, each of which calls this.
std::string verify_run(const std::filesystem::path& run, const std::string& device, int threads,
                       const std::shared_ptr<Communicator>& ranks = std::make_shared<Communicator>());

}  // namespace longbow
