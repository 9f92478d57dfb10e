// Provides the tokens that a command scores: a store's split, opened once, text encoded with each checkpoint's
// tokenizer, or token ids as they are given.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/eval/measured_run.h"

namespace longbow {

// Says what is scored: exactly one of a store, files and ids.
struct TextSource {
    std::string store;               // a token store
    std::vector<std::string> files;  // text, encoded by each checkpoint's tokenizer
    std::string ids;                 // a file of token ids (data/npy_ids.h), which no tokenizer touches
    std::string split = "valid";     // of the store
    // Returns the files that are read as they are: those of text, or that of ids.
    [[nodiscard]] std::vector<std::string> read_files() const { return ids.empty() ? files : std::vector{ids}; }
};

class MeasuredText {
public:
    // If the store does not exist and `assumed` is above 0 (in a dry run), this number of arbitrary tokens replaces it.
    // Throws DataError if a text cannot be opened (a pipe is not tried), the ids are none, or the store has no such
    // split.
    MeasuredText(TextSource source, int threads, std::int64_t assumed = 0);
    // Returns the stream to score for this run. Throws DataError if the store has another tokenizer or no such split,
    // the text is empty, or an id is beyond the model's vocabulary.
    const TokenStream& stream(const MeasuredRun& run);
    // Returns the split's name, for rows.
    [[nodiscard]] std::string split() const;
    // Returns whether the tokens are given as ids, so that nobody's habit of adding tokens applies to them.
    [[nodiscard]] bool is_ids() const { return !source_.ids.empty(); }
    // Return the text's readable name, and the data set that its path names (data/store_name.h).
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::string data_set() const;
    // Returns whether the store does not exist and its tokens are assumed; assumed() is their number.
    [[nodiscard]] bool is_assumed() const { return assumed_ > 0; }
    [[nodiscard]] std::int64_t assumed() const { return assumed_; }

private:
    const TokenStream& encoded(const MeasuredRun& run);
    const TokenStream& given(const MeasuredRun& run);
    [[nodiscard]] std::unique_ptr<TokenStream> assumed_for(const MeasuredRun& run) const;

    TextSource source_;
    std::unique_ptr<TokenStore> store_;
    int threads_;
    std::vector<TokenId> ids_;      // those that are given, until a stream has them
    std::int64_t largest_at_ = -1;  // where the largest of the ids stands
    std::int64_t assumed_ = 0;
    struct Encoded {
        std::string tokenizer;
        DataConfig data;
        std::unique_ptr<TokenStream> stream;
    };
    std::vector<Encoded> encoded_;  // shared by all runs that cut text alike, or have one tokenizer's boundary
};

}  // namespace longbow
