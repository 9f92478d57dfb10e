// Defines what a measurement is, for all of Longbow: two rows of results.jsonl measure the same thing when their
// Measurements are equal. `eval` uses it to skip what is measured already, `compare` to pair rows, tables to group
// them, and grids to find what is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "longbow/text/bos.h"

namespace longbow {

// Says how a stream is scored. To add a setting, add a member here, a part to the list in measurement.cpp, and a key in
// eval_result.cpp.
struct EvalSettings {
    std::string protocol = "paper";
    std::int64_t length = 0;
    // 0 in an EvalRequest means the protocol's default; a Measurement has the resolved stride in targets.
    std::int64_t stride = 0;
    bool within_documents = false;
    std::int64_t max_stream_tokens = 0;  // score only the first N targets of the split; 0: all
    // In an EvalRequest, absent means the default of the protocol or of the model's family; a Measurement has the rule
    // that was applied. It is absent for protocols that keep their own, and in rows of earlier versions.
    std::optional<Bos> bos{};
    bool truncate = false;                 // one window a document
    std::int64_t min_document_tokens = 0;  // documents with fewer are left out
    bool operator==(const EvalSettings&) const = default;
};

// Holds the settings, and fingerprints of the model and data that they were applied to. The configuration's fingerprint
// includes the attention back-end and every other override of the checkpoint's settings.
struct Measurement : EvalSettings {
    std::string split;
    // The computation's type, as text so that rows of later versions with new types can be read.
    std::string dtype = "fp32";
    std::string checkpoint, data, tokenizer, config;
    std::string data_set;  // name of the data set, "wikitext103"; empty: not given, as in rows of earlier versions
    bool operator==(const Measurement& other) const { return key() == other.key(); }

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
        kDataSet = 1 << 11,
        kBos = 1 << 12,
        kTruncate = 1 << 13,
        kLeastDocument = 1 << 14,  // min_document_tokens
    };
    // kConditions says how something was measured, but not which model and text. kGridConditions is what a grid of
    // models compares.
    static constexpr unsigned kRules = kBos | kTruncate | kLeastDocument;
    static constexpr unsigned kConditions =
        kProtocol | kLength | kStride | kDocuments | kLimit | kDtype | kSplit | kRules;
    static constexpr unsigned kGridConditions = kProtocol | kLength | kStride | kLimit | kSplit | kDataSet | kRules;
    static constexpr unsigned kAll = kConditions | kCheckpoint | kData | kTokenizer | kConfig | kDataSet;

    // Returns these parts as one string. Two keys are equal if and only if the parts are.
    [[nodiscard]] std::string key(unsigned parts = kAll) const;
    // Returns whether these parts are equal. A data set without a name matches any, since rows of earlier versions name
    // none.
    [[nodiscard]] bool matches(const Measurement& other, unsigned parts) const;
    // Returns the parts of kConditions in words: "length 1024, protocol paper, valid split".
    [[nodiscard]] std::string text() const;
    // Returns those of kRules that differ from the protocol's defaults, each after a comma: ", BOS first, one window a
    // document".
    [[nodiscard]] std::string rules_text() const;
};

}  // namespace longbow
