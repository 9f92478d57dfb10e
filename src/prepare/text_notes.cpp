#include "text_notes.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

bool is_blank(std::string_view text, std::size_t at) {
    return at >= text.size() || std::string_view(" \t\r\n").find(text[at]) != std::string_view::npos;
}

}  // namespace

TextNotes::TextNotes(const Tokenizer& tokenizer, TextCounts counts)
    : nuls_(tokenizer.keeps_nul() ? "are kept" : tokenizer.kind() + " omits"),
      name_(tokenizer.token_text(tokenizer.boundary())),
      whole_words_(tokenizer.boundary_per_line()),
      counts_(counts) {}

void TextNotes::count_names(std::string_view text) {
    for (auto at = text.find(name_); at != std::string_view::npos; at = text.find(name_, at + name_.size())) {
        const bool word = (at == 0 || is_blank(text, at - 1)) && is_blank(text, at + name_.size());
        counts_.boundary_names += static_cast<std::int64_t>(word || !whole_words_);
    }
}

void TextNotes::add(const EncodedChunk& chunk) {
    const std::string_view text = chunk.text;
    counts_.nuls += std::count(text.begin(), text.end(), '\0');
    if (name_.empty()) return;
    if (chunk.separate_documents) {
        for (const auto& piece : chunk.pieces) count_names(text.substr(piece.begin, piece.end - piece.begin));
        return;
    }
    // Counts names that span two chunks. The tail is too short to contain a whole name.
    const auto keep = name_.size() - 1;
    if (!tail_.empty()) count_names(tail_ + std::string(text.substr(0, keep)));
    count_names(text);
    tail_ += text.substr(text.size() - std::min(text.size(), keep));
    tail_.erase(0, tail_.size() - std::min(tail_.size(), keep));
}

void TextNotes::warn(const std::string& where) const {
    if (counts_.boundary_names > 0) {
        log::warn(fmt::format(
            "{}: the text holds \"{}\" {} times{}", where, name_, with_commas(counts_.boundary_names),
            whole_words_
                ? ", each of them read as the end of a line, as fairseq reads it"
                : ": there it is text, not the token that ends a document (data.documents and JSON lines say where documents end)"));
    }
    if (counts_.nuls > 0) {
        log::warn(fmt::format(
            "{}: the text holds {} NUL characters, which {}: are its files damaged, or UTF-16 without a byte order mark?",
            where, with_commas(counts_.nuls), nuls_));
    }
}

}  // namespace longbow
