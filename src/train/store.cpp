#include "store.h"

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/data/mixture.h"
#include "longbow/data/nearest_store.h"
#include "longbow/data/prepare.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

void check_expectations(const DataConfig& data, const TokenStore& store) {
    const auto check = [&](const char* key, std::int64_t expected, std::int64_t found, const char* what) {
        if (expected == 0 || expected == found) return;
        throw DataError(
            strprintf("%s has %s %s, and %s says %s: another corpus or another tokenizer; prepare the right one, or set the key to what "
                      "you have",
                      store.path().c_str(), with_commas(found).c_str(), what, key, with_commas(expected).c_str()));
    };
    check("data.expect_vocab_size", data.expect_vocab_size, store.vocab_size(), "ids");
    check("data.expect_train_tokens", data.expect_train_tokens, store.split("train").size(), "training tokens");
}

const Origin* origin_of(const TrainRequest& request, const char* key) {
    const auto found = request.origins.find(key);
    return found == request.origins.end() ? nullptr : &found->second;
}

// Whether data.store was set above data.train: the text is then that of the store which the lower file names.
bool text_is_of_another_store(const TrainRequest& request) {
    const auto* store = origin_of(request, "data.store");
    const auto* text = origin_of(request, "data.train");
    return store != nullptr && text != nullptr && store->layer > text->layer;
}

// The store was named below the text, or not at all (RUN/store): whoever set data.train last meant another one.
bool text_was_set_for_this_run(const TrainRequest& request) {
    const auto* store = origin_of(request, "data.store");
    const auto* text = origin_of(request, "data.train");
    return text != nullptr && (store == nullptr || text->layer > store->layer);
}

}  // namespace

fs::path store_of(const TrainRequest& request) { return store_path(request.config.data, request.run_dir / "store"); }

bool store_is_there(const TrainRequest& request) {
    std::error_code ignored;
    return fs::exists(store_of(request) / "manifest.json", ignored);
}

void check_missing_store(const TrainRequest& request) {
    if (store_is_there(request)) return;
    const auto& data = request.config.data;
    const auto path = store_of(request);
    if (data.train.empty() || !request.make_store) {
        const bool unnamed = data.store.empty() && data.mixture.empty();
        throw DataError((unnamed ? std::string("data.store is not set") : path.string() + " is no token store") +
                        (data.train.empty() ? ", and data.train names no text to make one from" : "") +
                        (unnamed ? "" : "; `longbow prepare` makes one" + store_suggestion(path)));
    }
    if (!text_is_of_another_store(request)) return;
    const auto& store = request.origins.at("data.store");
    const auto& text = request.origins.at("data.train");
    throw ConfigError(store.place + ": data.store: there is no token store " + path.string() + store_suggestion(path) +
                      " (It is not made from " + join(data.train, ", ") + ", which " + text.place +
                      " names for another store. To make one from text of yours: longbow prepare .. --out " + path.string() +
                      ", or set data.train beside data.store.)");
}

TokenStore open_store(const TrainRequest& request) {
    const auto& data = request.config.data;
    const fs::path path = store_of(request);
    if (!store_is_there(request)) {
        check_missing_store(request);
        log::info("preparing " + path.string());
        prepare_store({request.config.tokenizer, data, path, request.threads, false});
    }
    TokenStore store(path);
    check_expectations(data, store);
    return store;
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
                        " is there already, made from other text or settings (" + join(differences, "; ") +
                        "): name another data.store, where one is made from this text, or leave data.train out");
    }
    log::warn(path.string() + " is used as it is, though it was made from other text or settings than the configuration names (" +
              join(differences, "; ") + ")");
    return true;
}

}  // namespace longbow
