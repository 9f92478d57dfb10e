// Counts what is seldom intended in a text, and warns of it once: NUL characters, and the name of the token that ends
// documents (in a text it is read as text and ends no document).
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
    // Continues from the counts of earlier chunks.
    explicit TextNotes(const Tokenizer& tokenizer, TextCounts counts = {});
    // Counts in the next chunk of the text.
    void add(const EncodedChunk& chunk);
    [[nodiscard]] const TextCounts& counts() const { return counts_; }
    // Logs the warnings, which begin with `where`, the split's name.
    void warn(const std::string& where) const;

private:
    void count_names(std::string_view text);

    std::string nuls_, name_;  // what becomes of NULs, in words; the boundary's name
    bool whole_words_;         // the name counts where it is a word of its own alone
    std::string tail_;         // end of the last chunk, shorter than the name
    TextCounts counts_;
};

}  // namespace longbow
