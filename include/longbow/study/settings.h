// Says what a study measures: a grid of settings and seeds, and the lengths at which its models are evaluated.
// docs/study.md describes the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

struct StudySetting {
    std::string text;   // "position.method=alibi", as an override
    std::string place;  // "FILE:LINE", for messages
};

// One value of an axis: what it changes in the training, and what it changes only when the trained model is evaluated.
struct StudyValue {
    std::string name;
    std::string place;  // "FILE:LINE", for messages
    std::vector<StudySetting> settings, at_evaluation;
};

struct StudyAxis {
    std::string name;
    std::vector<StudyValue> values;
};

// A named group of the grid, which can be run by itself.
struct StudyPart {
    std::string name, place;
    std::vector<std::string> values;  // names of values; of each axis that is named, one of these must be the model's
};

// What `longbow probe` measures of each model, in place of perplexity.
struct StudyProbe {
    std::string kind, place;            // "tasks", a verb of `longbow probe`; empty: nothing
    std::int64_t items = 0;             // of each measurement
    std::uint64_t seed = 1;             // of the items, which are the same for all models of a task or text
    std::vector<std::int64_t> lengths;  // in tokens, ascending; or
    std::vector<double> multiples;      // of each model's train.length, ascending
    std::string split = "valid";        // of the store, where the probe reads a text
    [[nodiscard]] bool chosen() const { return !kind.empty(); }
};

struct StudySettings {
    std::string file, name, title;
    std::vector<std::string> base;       // config files, left to right
    std::vector<StudySetting> settings;  // of every model, over the base
    std::vector<StudyAxis> axes;
    std::vector<std::uint64_t> seeds;
    std::string split = "valid";
    std::vector<std::int64_t> lengths;   // evaluation lengths in tokens, ascending; or
    std::vector<double> multiples;       // of each model's train.length, ascending
    std::vector<std::int64_t> strides;   // each gives a table; 0: windows without overlap
    std::int64_t max_stream_tokens = 0;  // 0: the whole split
    StudyProbe probe;
    std::string baseline;  // the name of a value; empty: nothing is compared
    std::vector<StudyPart> parts;
    std::filesystem::path rows;  // the file of finished rows; empty: none
};

// Throws ConfigError that names file, line and key, and says what to do.
StudySettings read_study(const std::filesystem::path& file);

}  // namespace longbow
