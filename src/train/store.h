// The store that a run trains on: found, made from text, or refused; and what the run's configuration says of it afterwards.
#pragma once

#include "longbow/data/token_store.h"
#include "longbow/train/trainer.h"

namespace longbow {

// Where it is, or would be made.
std::filesystem::path store_of(const TrainRequest& request);
bool store_is_there(const TrainRequest& request);

// Throws ConfigError when the store is not there, and the text that it would be made from belongs to another one: data.train was set by a
// file below the one (or the override) that names the store. DataError when no text is named. Otherwise it can be made.
void check_missing_store(const TrainRequest& request);

// The store that the configuration names; prepared first from data.train, valid, test if it is not there, unless its vocabulary is not what
// data.expect_vocab_size and train.init_from say. Throws as check_missing_store() and first_weights(), DataError for what is expected.
TokenStore open_store(const TrainRequest& request);

// The whole checkpoint that train.init_from names. Throws CheckpointError, and DataError where its tokenizer is not this one.
std::filesystem::path first_weights(const Config& config, const Tokenizer& tokenizer);

// Whether the text that the configuration names is not what the store, which is there, was made from (as far as that can be told without
// reading it); warns where it is not for the user to know. Throws DataError when the user has set data.train beside a store of other text.
bool text_is_foreign(const TrainRequest& request);

}  // namespace longbow
