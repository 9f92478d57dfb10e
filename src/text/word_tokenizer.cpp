// fairseq reads a text file with Python's universal newlines, turns runs of white space (\s+) into one space, strips,
// and splits. Together this is a split at every character for which str.isspace() holds.
#include "word_tokenizer.h"

#include <algorithm>

#include "longbow/core/utf8.h"
#include "longbow/text/tokenizer_kind.h"
#include "meta.h"
#include "unicode.h"

namespace longbow {

namespace {

// Calls on_word for each word and on_end for each line.
template <class OnWord, class OnEnd>
void scan_lines(std::string_view text, OnWord&& on_word, OnEnd&& on_end) {
    std::size_t word = 0;  // where the current word begins
    std::size_t at = 0;
    bool open = false;  // the line has a character
    const auto close_word = [&] {
        if (at > word) on_word(text.substr(word, at - word));
    };
    while (at < text.size()) {
        const auto byte = static_cast<unsigned char>(text[at]);
        open = true;
        if (byte > ' ' && byte < 0x80) {
            ++at;
            continue;
        }
        if (byte == '\n' || byte == '\r') {
            close_word();
            on_end();
            open = false;
            if (byte == '\r' && at + 1 < text.size() && text[at + 1] == '\n') ++at;
            word = ++at;
            continue;
        }
        const auto c = decode_utf8(text.substr(at, 4));
        if (is_python_space(c.value)) {
            close_word();
            word = at + c.length;
        }
        at += c.length;
    }
    close_word();
    if (open) on_end();
}

}  // namespace

void WordTokenizer::encode(std::string_view text, std::vector<TokenId>& ids) const {
    scan_lines(
        text, [&](std::string_view word) { ids.push_back(dictionary_.index(word)); },
        [&] { ids.push_back(Dictionary::kEnd); });
}

std::string WordTokenizer::decode(const std::vector<TokenId>& ids) const {
    std::string text;
    bool line_start = true;
    for (const auto id : ids) {
        if (checked_id(*this, id) == Dictionary::kEnd) {
            text += '\n';
            line_start = true;
            continue;
        }
        if (!line_start) text += ' ';
        text += dictionary_.symbol(id);
        line_start = false;
    }
    return text;
}

std::string WordTokenizer::token_text(TokenId id) const { return dictionary_.symbol(checked_id(*this, id)); }

std::map<std::string, std::string> WordTokenizer::files() const {
    return {{kMetaFile, meta_text(kKind)}, {"dict.txt", dictionary_.format()}};
}

std::size_t WordTokenizer::last_line_end(std::string_view text) {
    const auto newline = text.rfind('\n');
    const auto searched = text.empty() ? text : text.substr(0, text.size() - 1);
    const auto after_newline = newline == std::string_view::npos ? 0 : newline + 1;
    const auto carriage = searched.rfind('\r');
    if (carriage == std::string_view::npos || carriage + 1 <= after_newline) return after_newline;
    return carriage + 1;
}

WordRule WordTokenizer::rule() {
    return {last_line_end, [](std::string_view text, WordCounts& counts) {
                scan_lines(
                    text, [&](std::string_view word) { counts.add(word); }, [] {});
            }};
}

LONGBOW_REGISTER_TOKENIZER({.name = WordTokenizer::kKind,
                            .help = "fairseq dictionary",
                            .file_help = "dict.txt",
                            .files = {"dict.txt"},
                            .open =
                                [](const TokenizerConfig& config) {
                                    return std::make_unique<WordTokenizer>(
                                        Dictionary::parse(read_vocabulary(config.file), config.file));
                                },
                            .learn =
                                [](const TokenizerConfig& config, const TrainingText& text) {
                                    Dictionary::check_limit(config.vocab_size);
                                    return std::make_unique<WordTokenizer>(Dictionary::from_counts(
                                        count_words(text, WordTokenizer::rule()), config.vocab_size));
                                },
                            .load =
                                [](const StoredTokenizer& stored) {
                                    return std::make_unique<WordTokenizer>(
                                        Dictionary::parse(stored.file("dict.txt"), stored.place + "dict.txt"));
                                }});

}  // namespace longbow
