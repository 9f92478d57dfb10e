// What in a text is seldom meant: the name of the token that ends documents, which in a text is text, and NULs. Counted while the text passes by, and
// said once.
#pragma once

#include <cstdint>
#include <string>

#include "encode_pipeline.h"

namespace longbow {

struct TextCounts {
    std::int64_t boundary_names = 0, nuls = 0;
};

class TextNotes {
public:
    // Goes on from `counts` of earlier chunks.
    explicit TextNotes(const Tokenizer& tokenizer, TextCounts counts = {});
    // The next chunk of the text.
    void add(const EncodedChunk& chunk);
    [[nodiscard]] const TextCounts& counts() const { return counts_; }
    // `where` stands in front of the warnings: the split.
    void warn(const std::string& where) const;

private:
    void count_names(std::string_view text);

    std::string kind_, name_;  // the tokenizer's kind; its boundary's name
    bool whole_words_;         // the name counts where it is a word of its own alone
    std::string tail_;         // end of the last chunk, shorter than the name
    TextCounts counts_;
};

}  // namespace longbow
