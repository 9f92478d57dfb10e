// Provides the tokens that a command scores: a store's split, opened once, or text encoded with each checkpoint's
// tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/eval/measured_run.h"

namespace longbow {

class MeasuredText {
public:
    // Takes either a store or text files. If the store does not exist and `assumed` is above 0 (in a dry run), this
    // number of arbitrary tokens replaces it.
    MeasuredText(const std::string& store, std::vector<std::string> files, std::string split, int threads,
                 std::int64_t assumed = 0);
    // Returns the stream to score for this run. Throws DataError if the store has another tokenizer or no such split,
    // or the text is empty.
    const TokenStream& stream(const MeasuredRun& run);
    // Returns the split's name, for rows.
    [[nodiscard]] std::string split() const { return files_.empty() ? split_ : "text"; }
    // Return the text's readable name, and the data set that its path names (data/store_name.h).
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::string data_set() const;
    // Returns whether the store does not exist and its tokens are assumed; assumed() is their number.
    [[nodiscard]] bool is_assumed() const { return assumed_ > 0; }
    [[nodiscard]] std::int64_t assumed() const { return assumed_; }

private:
    const TokenStream& encoded(const MeasuredRun& run);
    [[nodiscard]] std::unique_ptr<TokenStream> assumed_for(const MeasuredRun& run) const;

    std::string path_;
    std::unique_ptr<TokenStore> store_;
    std::vector<std::string> files_;
    std::string split_;
    int threads_;
    std::int64_t assumed_ = 0;
    struct Encoded {
        std::string tokenizer;
        DataConfig data;
        std::unique_ptr<TokenStream> stream;
    };
    std::vector<Encoded> encoded_;  // shared by all runs that cut text alike
};

}  // namespace longbow
