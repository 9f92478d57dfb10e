// Finds and opens the tokenizer of a public model.
#include "import_tokenizer.h"

#include <fmt/core.h>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/text/hf_folder.h"
#include "longbow/text/hf_tokenizer.h"
#include "longbow/text/ids_tokenizer.h"

namespace longbow {

namespace {

std::unique_ptr<Tokenizer> open_from(const TokenizerConfig& config) {
    auto tokenizer = open_tokenizer(config);
    // Where a BOS belongs in front of a text it is also what begins a stream and ends its documents.
    const auto prefix = tokenizer->special_prefix();
    if (prefix.empty() || prefix.front() == tokenizer->boundary()) return tokenizer;
    auto again = config;
    again.options["boundary"] = std::to_string(prefix.front());
    return open_tokenizer(again);
}

std::unique_ptr<Tokenizer> open_json(const std::string& json, const std::string& name) {
    auto tokenizer = make_hf_tokenizer(json, name);
    const auto prefix = tokenizer->special_prefix();
    if (prefix.empty() || prefix.front() == tokenizer->boundary()) return tokenizer;
    return make_hf_tokenizer(json, name, {.boundary = std::to_string(prefix.front())});
}

// Opens a tokenizer, given as a file or as a model's folder: by the best file that the folder has.
std::unique_ptr<Tokenizer> open_tokenizer_of(const fs::path& place) {
    std::error_code error;
    const auto has = [&](const char* name) { return fs::exists(place / name, error); };
    TokenizerConfig config;
    const bool old = fs::is_directory(place, error) && !has("tokenizer.json") &&
                     (has("tokenizer.model") || (has("vocab.json") && has("merges.txt")));
    if (const auto json = old ? old_tokenizer_json(place) : std::nullopt)
        return open_json(*json, place.string() + ": its tokenizer");
    if (!fs::is_directory(place, error) || has("tokenizer.json")) {
        config.kind = place.extension() == ".model" ? "sentencepiece" : "hf";
        config.file = (fs::is_directory(place, error) ? place / "tokenizer.json" : place).string();
    } else if (has("tokenizer.model")) {
        config.kind = "sentencepiece";
        config.file = (place / "tokenizer.model").string();
    } else if (has("vocab.json") && has("merges.txt")) {
        config.kind = "bpe";
        config.file = place.string();
    } else {
        throw DataError(place.string() +
                        ": no tokenizer in it: neither tokenizer.json, nor tokenizer.model, nor vocab.json with "
                        "merges.txt; put one there or name one with --tokenizer");
    }
    return open_from(config);
}

std::unique_ptr<Tokenizer> open_gguf_tokenizer(const fs::path& path) {
    return open_json(read_gguf_tokenizer(path), path.string() + ": its tokenizer");
}

void check_vocabulary(const ForeignModel& model, const Tokenizer& tokenizer) {
    // The opposite, more rows than the tokenizer has ids, is padding.
    if (tokenizer.vocab_size() > model.vocab_size) {
        throw CheckpointError(model.name + ": its vocabulary has " + std::to_string(model.vocab_size) +
                              " ids, the tokenizer " + std::to_string(tokenizer.vocab_size()) +
                              ": the tokenizer is another model's");
    }
}

}  // namespace

std::unique_ptr<Tokenizer> open_imported_tokenizer(const PublicImportRequest& request, const ForeignModel& model) {
    if (const auto boundary = request.ids_boundary) {
        if (*boundary < 0 || *boundary >= model.vocab_size) {
            throw UsageError(
                fmt::format("--no-tokenizer {}: {} has the ids 0 to {}", *boundary, model.name, model.vocab_size - 1));
        }
        return make_ids_tokenizer(model.vocab_size, static_cast<TokenId>(*boundary));
    }
    std::error_code error;
    const auto& place = request.tokenizer.empty() ? request.source.path : request.tokenizer;
    const bool in_file = request.tokenizer.empty() && !fs::is_directory(place, error);
    try {
        auto tokenizer = in_file ? open_gguf_tokenizer(place) : open_tokenizer_of(place);
        check_vocabulary(model, *tokenizer);
        return tokenizer;
    } catch (const DataError& fault) {
        throw DataError(
            std::string(fault.what()) +
            " (`longbow import .. --no-tokenizer ID` imports the model without it, to score ids that its own "
            "program has encoded)");
    }
}

Bos bos_of(const ForeignModel& model, const Tokenizer& tokenizer) {
    if (model.begins_each_window) return Bos::each_window;
    return tokenizer.special_prefix().empty() ? Bos::never : Bos::first;
}

}  // namespace longbow
