// BERT's way from text to words: clean, space out CJK, strip accents and lower-case when uncased, cut at white space and around
// punctuation (google-research/bert, tokenization.py, BasicTokenizer), with the character tables of `tokenizers`.
#pragma once

#include <functional>
#include <string_view>

namespace longbow {

// Calls `visit` with each word, in UTF-8.
void for_each_bert_word(std::string_view text, bool uncased, const std::function<void(std::string_view)>& visit);

}  // namespace longbow
