// A public model that is named where a checkpoint is expected. It is imported once, into the cache, and found there by
// its content the next time. The model's own files are only read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "longbow/checkpoint/import.h"

namespace longbow {

struct LoadedCheckpoint;  // checkpoint.h

// How a text names a public model: FOLDER or FILE.gguf, perhaps followed by @ and what `longbow import` has as flags,
// separated by commas: FOLDER@rounded, FILE.gguf@train-length=2048, FOLDER@rounded,train-length=2048.
struct PublicModel {
    std::filesystem::path place;  // the folder or file, as it was written
    bool rounded = false;         // PublicImportRequest::source.rounded
    std::optional<std::int64_t> train_length;
    [[nodiscard]] bool is_file() const;         // a GGUF file
    [[nodiscard]] std::string text() const;     // names this model, as public_model() takes it
    [[nodiscard]] std::string options() const;  // what follows the @; empty: nothing
    // What follows the model's name in rows and tables, because it changes the model.
    [[nodiscard]] const char* variant() const { return rounded ? " rounded" : ""; }
};

// Returns the public model that `text` names; nullopt if it names something else, or nothing. A folder is a public
// model if it has config.json and is neither a run nor a checkpoint of Longbow; a file, if it begins with GGUF or is
// named so. Throws UsageError for what follows @ if it is none of the above.
std::optional<PublicModel> public_model(const std::string& text);

// Returns the request of an import of this model, without its place.
PublicImportRequest import_request(const PublicModel& model);

// Returns the name of the model's entry in the cache: 16 hex digits, a hash of the bytes of all files that an import
// reads, of the options, and of the release. A process reads them once. Throws CheckpointError if files are missing.
std::string content_key(const PublicModel& model);

// Returns where cached_checkpoint() has the model's checkpoint, or will have it. Throws what content_key() throws, and
// Error with the remedy if there is no place for a cache.
std::filesystem::path cached_place(const PublicModel& model);
// Returns whether an entry of the cache is there, whole or damaged, so that most likely nothing has to be imported.
bool is_cached(const PublicModel& model);

// Returns what the model's checkpoint will say of it, for checks that come before an import: the configuration, the
// tokenizer, the rule for a BOS and the manifest's vocab_size. Its path is the model's own place, its fingerprint is
// content_key(), and there are no weights. Throws what an import throws that does not depend on the weights' values.
LoadedCheckpoint checkpoint_to_import(const PublicModel& model);

// Returns the model's checkpoint in the cache, importing it if it is not there (core/cache.h, imports/KEY). A
// checkpoint that is there is verified like any other and made anew if it is damaged. Both are logged. Processes that
// want the same model at the same time wait for the one that imports it. Asked again for the same model, a process does
// not look again.
//
// Throws what import_hf() and import_gguf() throw, and Error with the remedy if the cache cannot be written or has too
// little space. An interruption or a kill leaves no checkpoint that could be taken for a whole one; its remains are
// removed by the next import of the same model. An import that has been made removes the entries that no process has
// used for LONGBOW_IMPORTS_DAYS days (30 without the variable; 0: none are removed). Fail points: import.cache_hashed,
// those of an import (import.h), import.cache_placed (it is in its place, and its entry is not written yet), and
// import.in_prune (an old entry is half removed).
std::filesystem::path cached_checkpoint(const PublicModel& model);

// Says how much of the disk the cache takes for imports.
struct ImportsSize {
    std::filesystem::path folder;  // empty: there is no place for a cache
    int entries = 0;
    double bytes = 0;
};
ImportsSize size_of_imports();

}  // namespace longbow
