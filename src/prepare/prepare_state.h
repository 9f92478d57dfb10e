// How far a store is made, as WorkFolder keeps it: what was asked for, which files are through, and where the writer stands.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "encode_pipeline.h"
#include "inputs.h"
#include "longbow/data/manifest.h"
#include "longbow/prepare/prepare.h"
#include "text_notes.h"

namespace longbow {

struct PrepareState {
    Json settings;          // settings_json() of the request
    std::string tokenizer;  // fingerprint of the vocabulary once it is in the store; empty before
    bool learnt = false;    // from the train files
    std::int64_t id_bytes = 2;
    std::map<std::string, std::vector<InputStamp>> inputs;  // of each split, when it was begun
    std::vector<SplitManifest> done;
    // The split under way, if any:
    std::string split;
    EncodeCursor cursor;
    std::vector<Source> sources;  // of its files before the cursor
    std::int64_t empty_documents = 0;
    TextCounts noted;
    Json writer;           // SplitWriter::save()
    std::string manifest;  // fingerprint of manifest.json, once the store is whole
};

// What must be the same for a store that was begun to go on, the text and a vocabulary's file apart.
Json settings_json(const PrepareRequest& request);

Json state_json(const PrepareState& state);
// Throws Json's exceptions and DataError where it is not what state_json() writes.
PrepareState parse_state(const Json& json);

// How the request differs from what was begun, as far as it is done: "data.documents: file -> line", "a.txt has changed". Empty: it can go
// on. Files that are not begun may change, come and go, unless the vocabulary was learnt from them. One that has the same size but another time
// is read again to compare.
std::vector<std::string> state_differences(const PrepareState& state, const PrepareRequest& request, const SplitFiles& splits);

}  // namespace longbow
