// Classifies characters as BERT's normalizer in `tokenizers` does: by the categories of Unicode 8.0 and the lower case
// of 17.0.
#pragma once

namespace longbow {

bool is_bert_dropped(char32_t c);  // control, format, private use, NUL, U+FFFD; not \t \n \r
bool is_bert_space(char32_t c);
bool is_bert_punctuation(char32_t c);
bool is_bert_mark(char32_t c);  // non-spacing marks, which stripping accents removes
bool is_bert_cjk(char32_t c);
char32_t bert_lower(char32_t c);

}  // namespace longbow
