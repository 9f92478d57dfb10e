// Opens what a run trains and validates on: token stores, or the items of a task.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "longbow/data/mixture.h"
#include "longbow/data/token_store.h"
#include "longbow/train/trainer.h"

namespace longbow {

struct RunData {
    std::unique_ptr<TokenStore> store;        // of a mixture, its first store; null for a task
    std::unique_ptr<TokenStore> valid_store;  // data.valid_store
    std::unique_ptr<TrainingSource> source;   // null for a task
    std::unique_ptr<TokenStream> items;       // of a task
    const TokenStream* train = nullptr;
    const TokenStream* valid = nullptr;  // nullptr: no validation
    std::unique_ptr<Tokenizer> tokenizer;
    std::string place;  // the store's path, or what a task's run says in its place
};

// Opens the data, and makes the store first where it is missing. Throws as open_store() does, and DataError if the
// stream is shorter than an input. Without `validate` no validation split is opened.
RunData open_run_data(const TrainRequest& request, bool validate);

}  // namespace longbow
