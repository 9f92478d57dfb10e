// The time that a run will take on this machine, for its dry run.
#pragma once

#include <string>

#include "longbow/data/token_store.h"
#include "longbow/train/trainer.h"

namespace longbow {

struct TimeRequest {
    std::int64_t vocab_size = 0;
    double updates = -1;                 // to do in a run; negative: unknown, or train.stop is a time
    double updates_per_epoch = 0;        // 0: unknown
    const TokenStream* train = nullptr;  // nullptr: there is no store yet
    const TokenStream* valid = nullptr;
};

// What is known of a run whose store is not there yet, from data.expect_vocab_size and data.expect_train_tokens.
TimeRequest expected_time(const Config& config);

// One line or more, each ended: of an update and of the whole, or why they cannot be known. Times the model for some two seconds. Empty
// where the request's device is not one of this machine's.
std::string time_text(const TrainRequest& request, const TimeRequest& time, int ranks);

}  // namespace longbow
