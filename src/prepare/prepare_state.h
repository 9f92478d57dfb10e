// The progress of making a store, as WorkFolder saves it: the request's settings, which files are finished, and the
// writer's position.
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
    std::string tokenizer;  // fingerprint of the vocabulary; empty until it is in the store
    bool learnt = false;    // whether it was trained on the train files
    std::int64_t id_bytes = 2;
    std::map<std::string, std::vector<InputStamp>> inputs;  // of each split, when the work began or resumed
    std::vector<SplitManifest> done;
    // These describe the split in progress, if any:
    std::string split;
    EncodeCursor cursor;
    std::vector<Source> sources;  // of its files before the cursor
    std::int64_t empty_documents = 0;
    TextCounts noted;
    Json writer;           // SplitWriter::save()
    std::string manifest;  // fingerprint of manifest.json once it is written
};

// Returns what must be equal for a request to resume an unfinished store, except the text and a given vocabulary.
Json settings_json(const PrepareRequest& request);

Json state_json(const PrepareState& state);
// Throws Json's exceptions and DataError if the JSON was not written by state_json().
PrepareState parse_state(const Json& json);

// Returns how the request differs from the unfinished store, as far as that is made ("data.documents: file -> line",
// "a.txt has changed"); empty if it can resume. Files that were not begun may change, appear and disappear, unless the
// vocabulary was trained on them. A file of the same size with another time is read again to compare.
std::vector<std::string> state_differences(const PrepareState& state, const PrepareRequest& request,
                                           const SplitFiles& splits);

}  // namespace longbow
