// Training: one loop, read at one sitting (src/train/trainer.cpp); beside it one small file a concern.
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

// Where a run starts that is forked from another (train/fork.h).
struct Fork {
    std::string from;                  // as the user named it
    std::filesystem::path checkpoint;  // empty: the new run has checkpoints already, and goes on from them
};

struct TrainRequest {
    Config config;
    Origins origins;  // of the configuration's keys, as far as it was read from files: they tell whose text a store is made from
    std::filesystem::path run_dir;
    std::optional<Fork> fork;
    bool plan_only = false;       // --dry-run: text that is not here is no mistake where data.expect_vocab_size tells what will come of it
    bool make_store = true;       // from data.train, when it is not there
    std::string resume = "auto";  // auto | never | a checkpoint's path
    std::string device = "cpu";   // cpu | cuda:N
    int threads = 1;              // for preparing a store
    std::shared_ptr<Communicator> ranks = std::make_shared<Communicator>();  // alone
    // A replay (`longbow verify`) leaves validation out, and ends at an update, whatever train.stop says (-1: train.stop decides).
    bool validate = true;
    std::int64_t until_update = -1;
};

struct TrainSummary {
    std::filesystem::path run_dir;
    std::int64_t updates = 0;
    bool was_finished = false;         // there was nothing left to do
    double train_loss = 0;             // mean nll of the last log interval; 0: none since it was started
    double best_valid_ppl = 0;         // 0: none
    std::filesystem::path checkpoint;  // best, else last
    std::vector<TrainSummary> seeds;   // one a seed, with train.seeds; best_valid_ppl is then their mean
};

// Trains (or goes on) until train.stop. With train.seeds: one run after the other in run_dir/seed-N. Throws InterruptedError after saving
// on a signal, DivergedError, ConfigError, DataError, CheckpointError. Fail points: train.update (before each update), and those of
// checkpoint.h. With ranks every one of them calls this with the same request; rank 0 alone writes the run directory.
TrainSummary train(const TrainRequest& request);

// Everything about a request that can be refused before there is any work or file: a store that is not there and cannot be meant, text that
// cannot be read, more ranks than an update has inputs, an attention back-end or a position method that cannot serve. Throws as train() would.
void check_request(const TrainRequest& request, int ranks = 1);
// Of these the number of ranks alone, which is known before the ranks are.
void check_ranks(const TrainRequest& request, int ranks);

// What `--dry-run` prints: parameters, tokens an update, updates, the memory of each of `ranks` processes, FLOPs, and what each later
// evaluation costs. The request's device need not be there.
std::string training_plan(const TrainRequest& request, int ranks = 1);

// What is known of a run before its store is there: parameters, tokens an update, updates an epoch. Empty without data.expect_vocab_size.
std::string expected_plan(const Config& config);

// Every checkpoint of the run is checked against its manifest, and the last but one is trained on to the last's update in a scratch
// directory and compared bit for bit, by as many threads as that was saved by unless `threads` says another number. Returns the report; throws CheckpointError at the first difference.
// With ranks: as many as trained the run, all of which call this.
std::string verify_run(const std::filesystem::path& run, const std::string& device, int threads,
                       const std::shared_ptr<Communicator>& ranks = std::make_shared<Communicator>());

}  // namespace longbow
