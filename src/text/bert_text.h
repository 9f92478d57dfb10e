// Cuts text into words as BERT does: it cleans the text, puts spaces around CJK characters, strips accents and
// lower-cases if uncased, and cuts at white space and around punctuation (google-research/bert, tokenization.py,
// BasicTokenizer). The character tables are those of `tokenizers`.
#pragma once

#include <functional>
#include <string_view>

namespace longbow {

// Calls `visit` with each word, in UTF-8.
void for_each_bert_word(std::string_view text, bool uncased, const std::function<void(std::string_view)>& visit);

}  // namespace longbow
