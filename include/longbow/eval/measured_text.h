// The tokens that a command scores: a store's split, opened once, or text encoded with each checkpoint's tokenizer.
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
    // Either a store or text files. With `assumed` tokens (of a dry run; 0: none) a store need not be there: as many of
    // any kind take its place.
    MeasuredText(const std::string& store, std::vector<std::string> files, std::string split, int threads,
                 std::int64_t assumed = 0);
    // Throws DataError: another tokenizer than the store's, no such split, no text.
    const TokenStream& stream(const MeasuredRun& run);
    // The split's name, for rows.
    [[nodiscard]] std::string split() const { return files_.empty() ? split_ : "text"; }
    // What people call it, and the data set that its path names (data/store_name.h).
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::string data_set() const;
    // There is no store: so many tokens are assumed.
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
    std::vector<Encoded> encoded_;  // once for all runs that cut text alike
};

}  // namespace longbow
