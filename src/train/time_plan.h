// Estimates the time that a run will take on this machine, for its dry run.
#pragma once

#include <string>

#include "longbow/data/token_store.h"
#include "longbow/train/trainer.h"

namespace longbow {

struct TimeRequest {
    std::int64_t vocab_size = 0;
    double updates = -1;                 // to do in a run; negative: unknown, or train.stop is a time
    double updates_per_epoch = 0;        // 0: unknown
    const TokenStream* train = nullptr;  // nullptr: the store does not exist yet
    const TokenStream* valid = nullptr;
};

// Returns what is known of a run whose store does not exist, from data.expect_vocab_size and data.expect_train_tokens.
TimeRequest expected_time(const Config& config);

// Returns text of one or more lines with the time of an update and of the whole run, or the reason why they cannot be
// measured. It times the model for about two seconds. Empty if the request's device belongs to another machine.
std::string time_text(const TrainRequest& request, const TimeRequest& time, int ranks);

}  // namespace longbow
