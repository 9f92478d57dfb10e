// The text is processed in the parts between its ASCII blanks. These separate words under every rule, and reordering
// marks never crosses them.
#include "bert_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bert_characters.h"
#include "longbow/core/utf8.h"

namespace longbow {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Appends the canonical decomposition (NFD). U+11938 decomposes only since Unicode 13.0 and stays whole in
// `tokenizers`.
void append_decomposed(std::vector<char32_t>& out, char32_t c) {
    utf8proc_int32_t parts[32];
    int last_boundary = 0;
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE);
    const auto count =
        c == 0x11938 ? -1
                     : utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 32, options, &last_boundary);
    if (count <= 0 || count > 32) {
        out.push_back(c);
        return;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) out.push_back(static_cast<char32_t>(parts[i]));
}

int combining_class(char32_t c) { return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class; }

// Sorts the marks between two starters by their combining classes.
void order_marks(std::vector<char32_t>& text) {
    for (std::size_t begin = 0; begin < text.size();) {
        std::size_t end = begin;
        while (end < text.size() && combining_class(text[end]) != 0) ++end;
        if (end > begin + 1) {
            std::stable_sort(text.begin() + static_cast<std::ptrdiff_t>(begin),
                             text.begin() + static_cast<std::ptrdiff_t>(end),
                             [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
        }
        begin = end + 1;
    }
}

class Scanner {
public:
    Scanner(bool uncased, const std::function<void(std::string_view)>& visit) : uncased_(uncased), visit_(visit) {}

    // Visits the words of `part`, which must contain no blank.
    void scan(std::string_view part) {
        clean_.clear();
        for (std::size_t at = 0; at < part.size();) {
            const auto c = decode_utf8(part.substr(at, 4));
            at += c.length;
            if (is_bert_dropped(c.value)) continue;
            if (is_bert_space(c.value)) {
                clean_.push_back(' ');
            } else if (is_bert_cjk(c.value)) {
                clean_.insert(clean_.end(), {U' ', c.value, U' '});
            } else {
                clean_.push_back(c.value);
            }
        }
        if (uncased_) fold();
        for (const auto c : clean_) {
            if (is_bert_space(c)) {
                flush();
            } else if (is_bert_punctuation(c)) {
                flush();
                append_utf8(word_, c);
                flush();
            } else {
                append_utf8(word_, c);
            }
        }
        flush();
    }

private:
    void fold() {
        folded_.clear();
        for (const auto c : clean_) append_decomposed(folded_, c);
        order_marks(folded_);
        clean_.clear();
        for (const auto c : folded_) {
            if (!is_bert_mark(c)) clean_.push_back(bert_lower(c));
        }
    }
    void flush() {
        if (!word_.empty()) visit_(word_);
        word_.clear();
    }

    bool uncased_;
    const std::function<void(std::string_view)>& visit_;
    std::vector<char32_t> clean_, folded_;
    std::string word_;
};

}  // namespace

void for_each_bert_word(std::string_view text, bool uncased, const std::function<void(std::string_view)>& visit) {
    Scanner scanner(uncased, visit);
    for (std::size_t at = 0; at < text.size();) {
        if (is_blank(text[at])) {
            ++at;
            continue;
        }
        std::size_t end = at;
        while (end < text.size() && !is_blank(text[end])) ++end;
        scanner.scan(text.substr(at, end - at));
        at = end;
    }
}

}  // namespace longbow
