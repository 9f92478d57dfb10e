// Provides the token store that a run trains on. It is found, made from text, or refused; these functions also say
// whether the configuration's text is the store's.
#pragma once

#include "longbow/data/token_store.h"
#include "longbow/train/trainer.h"

namespace longbow {

// Returns the path where the store is, or would be made.
std::filesystem::path store_of(const TrainRequest& request);
// Returns whether nothing has to be made from text: the store exists, or the run trains on a task and needs none.
bool store_exists(const TrainRequest& request);

// Checks that a missing store can be made. Throws DataError if no text is named, and ConfigError if the named text
// belongs to another store, since data.train was set in a file below the one (or the override) that names the store.
void check_missing_store(const TrainRequest& request);

// Opens the store that the configuration names. If it does not exist, prepares it from data.train, data.valid and
// data.test, unless its vocabulary contradicts data.expect_vocab_size or train.init_from. Throws as
// check_missing_store() and first_weights() do, and DataError if the store is not what data.expect_* says.
TokenStore open_store(const TrainRequest& request);

// Returns the checkpoint that train.init_from names, verified. Throws CheckpointError, and DataError if its tokenizer
// is not `tokenizer`.
std::filesystem::path first_weights(const Config& config, const Tokenizer& tokenizer);

// Returns whether the existing store was made from other text than the configuration names, as far as that can be told
// without reading the text. Warns if the user cannot know it; throws DataError if the user has set data.train for this
// run although the store has other text.
bool text_is_foreign(const TrainRequest& request);

}  // namespace longbow
