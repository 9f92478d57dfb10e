// What defines a measurement, in one place: two rows of results.jsonl measure the same thing when their Measurements are equal. eval skips
// what is measured, compare pairs rows, tables group them and grids look for what is missing by this type.
#pragma once

#include <cstdint>
#include <string>

namespace longbow {

// How a stream is scored. To add a setting: a member here, its place in measurement.cpp's list, and its key in eval_result.cpp.
struct EvalSettings {
    std::string protocol = "paper";
    std::int64_t length = 0;
    std::int64_t stride = 0;  // in an EvalRequest 0 is the protocol's default; a Measurement has the number of targets
    bool within_documents = false;
    std::int64_t max_stream_tokens = 0;  // the first N targets of the split; 0: all
    bool operator==(const EvalSettings&) const = default;
};

// The settings, and on what they were used, as fingerprints. The attention back-end and every other override of the checkpoint's settings
// are part of the configuration's fingerprint.
struct Measurement : EvalSettings {
    std::string split;
    std::string dtype = "fp32";  // of the computation, as rows write it: a later version's too
    std::string checkpoint, data, tokenizer, config;
    bool operator==(const Measurement&) const = default;

    enum Part : unsigned {
        kProtocol = 1 << 0,
        kLength = 1 << 1,
        kStride = 1 << 2,
        kDocuments = 1 << 3,
        kLimit = 1 << 4,  // max_stream_tokens
        kDtype = 1 << 5,
        kSplit = 1 << 6,
        kCheckpoint = 1 << 7,
        kData = 1 << 8,
        kTokenizer = 1 << 9,
        kConfig = 1 << 10,
    };
    static constexpr unsigned kHow =
        kProtocol | kLength | kStride | kDocuments | kLimit | kDtype | kSplit;           // but not of which model and text
    static constexpr unsigned kAsked = kProtocol | kLength | kStride | kLimit | kSplit;  // what a grid of models asks for
    static constexpr unsigned kAll = kHow | kCheckpoint | kData | kTokenizer | kConfig;

    // These parts as a text that is equal exactly where they are.
    [[nodiscard]] std::string key(unsigned parts = kAll) const;
    [[nodiscard]] bool matches(const Measurement& other, unsigned parts) const { return key(parts) == other.key(parts); }
    // kHow in words: "length 1024, protocol paper, valid split".
    [[nodiscard]] std::string text() const;
};

}  // namespace longbow
