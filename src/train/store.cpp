#include "store.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/data/mixture.h"
#include "longbow/data/nearest_store.h"
#include "longbow/model/language_model.h"
#include "longbow/prepare/prepare.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

void check_expected(const fs::path& store, const char* key, std::int64_t expected, std::int64_t found,
                    const char* what) {
    if (expected == 0 || expected == found) return;
    throw DataError(fmt::format(
        "{} has {} {}, and {} says {}: another corpus or another tokenizer; prepare the right one, or set the key to what you have",
        store.string(), with_commas(found), what, key, with_commas(expected)));
}

// Checks a new store by its vocabulary alone, before its text is encoded.
void check_vocabulary(const TrainRequest& request, const Tokenizer& tokenizer) {
    const auto& config = request.config;
    check_expected(store_of(request), "data.expect_vocab_size", config.data.expect_vocab_size, tokenizer.vocab_size(),
                   "ids");
    if (config.train.init_from.empty()) return;
    const auto source = first_weights(config, tokenizer);
    const auto rows = std::max(tokenizer.vocab_size(), vocab_size_of(read_manifest(source)));
    check_weights(source, *make_meta_model(config, rows));
}

const Origin* origin_of(const TrainRequest& request, const char* key) {
    const auto found = request.origins.find(key);
    return found == request.origins.end() ? nullptr : &found->second;
}

// Returns whether data.store was set in a higher layer than data.train. The text then belongs to the store that the
// lower file names.
bool text_is_of_another_store(const TrainRequest& request) {
    const auto* store = origin_of(request, "data.store");
    const auto* text = origin_of(request, "data.train");
    return store != nullptr && text != nullptr && store->layer > text->layer;
}

// Returns whether data.train was set in a higher layer than data.store, or data.store not at all (RUN/store). The user
// then means a store of that text.
bool text_was_set_for_this_run(const TrainRequest& request) {
    const auto* store = origin_of(request, "data.store");
    const auto* text = origin_of(request, "data.train");
    return text != nullptr && (store == nullptr || text->layer > store->layer);
}

}  // namespace

fs::path store_of(const TrainRequest& request) { return store_path(request.config.data, request.run_dir / "store"); }

bool store_exists(const TrainRequest& request) {
    std::error_code ignored;
    return request.config.task.chosen() || fs::exists(store_of(request) / "manifest.json", ignored);
}

void check_missing_store(const TrainRequest& request) {
    if (store_exists(request)) return;
    const auto& data = request.config.data;
    const auto path = store_of(request);
    if (data.train.empty() || !request.make_store) {
        const bool unnamed = data.store.empty() && data.mixture.empty();
        throw DataError((unnamed ? std::string("data.store is not set") : path.string() + " is not a token store") +
                        (data.train.empty() ? ", and data.train names no text to make one from" : "") +
                        (unnamed ? "" : "; `longbow prepare` makes one" + store_suggestion(path)));
    }
    if (!text_is_of_another_store(request)) return;
    const auto& store = request.origins.at("data.store");
    const auto& text = request.origins.at("data.train");
    throw ConfigError(store.place + ": data.store: there is no token store " + path.string() + store_suggestion(path) +
                      " (It is not made from " + join(data.train, ", ") + ", which " + text.place +
                      " names for another store. To make one from your own text: longbow prepare .. --out " +
                      path.string() + ", or set data.train together with data.store.)");
}

TokenStore open_store(const TrainRequest& request) {
    const auto& data = request.config.data;
    const fs::path path = store_of(request);
    if (!store_exists(request)) {
        check_missing_store(request);
        log::info("preparing " + path.string());
        prepare_store({request.config.tokenizer, data, path, request.threads, false,
                       [&](const Tokenizer& tokenizer) { check_vocabulary(request, tokenizer); }});
    }
    TokenStore store(path);
    check_expected(path, "data.expect_vocab_size", data.expect_vocab_size, store.vocab_size(), "ids");
    check_expected(path, "data.expect_train_tokens", data.expect_train_tokens, store.split("train").size(),
                   "training tokens");
    return store;
}

fs::path first_weights(const Config& config, const Tokenizer& tokenizer) {
    const fs::path source = resolve_checkpoint(config.train.init_from);
    verify_checkpoint(source);
    const std::string its_own = read_manifest(source).value("tokenizer", "");
    if (its_own != tokenizer.fingerprint()) {
        throw DataError("train.init_from: " + source.string() + " was trained with another tokenizer (" + its_own +
                        ") than the store's (" + tokenizer.fingerprint() +
                        "); prepare the data with the checkpoint's tokenizer (longbow prepare --tokenizer KIND:RUN)");
    }
    return source;
}

bool text_is_foreign(const TrainRequest& request) {
    const auto& data = request.config.data;
    if (data.train.empty() || request.origins.empty()) return false;
    if (text_is_of_another_store(request)) return true;
    const auto path = store_of(request);
    const auto differences = settings_that_differ(path, request.config.tokenizer, data);
    if (differences.empty()) return false;
    if (text_was_set_for_this_run(request)) {
        throw DataError(request.origins.at("data.train").place + ": data.train: the store " + path.string() +
                        " already exists and was made from other text or settings (" + join(differences, "; ") +
                        "): set data.store to a new path to make a store from this text, or remove data.train");
    }
    log::warn(path.string() +
              " is used as it is, though it was made from other text or settings than the configuration names (" +
              join(differences, "; ") + ")");
    return true;
}

}  // namespace longbow
