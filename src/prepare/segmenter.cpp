#include "segmenter.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "longbow/core/error.h"
#include "words.h"

namespace longbow {

Segmenter::Segmenter(const Tokenizer& tokenizer, const DataConfig& documents, std::size_t chunk_bytes)
    : tokenizer_(tokenizer),
      rule_(documents.documents),
      blank_lines_(documents.blank_lines),
      chunk_bytes_(chunk_bytes),
      keep_separators_(tokenizer.boundary_per_line()),
      next_try_(chunk_bytes) {
    if (rule_ == DocumentRule::blank_line && blank_lines_ < 1) throw ConfigError("data.blank_lines must be at least 1");
}

void Segmenter::close_document(std::size_t position) {
    pieces_.push_back({open_, position, true});
    has_content_ = false;
    open_ = position;
}

// A line with content starts at `position`. This may end the document before it.
void Segmenter::begin_content(std::size_t position) {
    if (has_content_ && (rule_ == DocumentRule::line || empty_lines_ >= blank_lines_))
        close_document(keep_separators_ ? position : content_end_);
    if (!has_content_ && !keep_separators_) open_ = position;
    has_content_ = true;
    empty_lines_ = 0;
}

bool Segmenter::is_empty(std::size_t begin, std::size_t end) const {
    return std::string_view(text_).substr(begin, end - begin).find_first_not_of(" \t\v\f\r") == std::string_view::npos;
}

// Scans a whole line, whose content is [begin, content_end) and whose successor starts at `next`.
void Segmenter::scan_line(std::size_t begin, std::size_t content_end, std::size_t next) {
    if (!in_line_ && is_empty(begin, content_end)) {
        ++empty_lines_;
        return;
    }
    if (!in_line_) begin_content(begin);
    in_line_ = false;
    content_end_ = rule_ == DocumentRule::line ? content_end : next;
}

void Segmenter::scan() {
    if (rule_ == DocumentRule::file) {
        has_content_ = has_content_ || !text_.empty();
        return;
    }
    while (scanned_ < text_.size()) {
        const char* start = text_.data() + scanned_;
        const auto left = text_.size() - scanned_;
        const void* newline = std::memchr(start, '\n', left);
        const bool whole = newline != nullptr;
        const std::size_t line_end =
            whole ? static_cast<std::size_t>(static_cast<const char*>(newline) - text_.data()) : text_.size();
        const std::size_t content_end = line_end > scanned_ && text_[line_end - 1] == '\r' ? line_end - 1 : line_end;
        if (!whole) {
            if (!in_line_ && !is_empty(scanned_, content_end)) {
                begin_content(scanned_);
                in_line_ = true;
            }
            return;
        }
        scan_line(scanned_, content_end, line_end + 1);
        scanned_ = line_end + 1;
    }
}

// Returns where the open document may be cut, or 0 if nowhere. Text that may still turn out to be a separator is not
// considered.
std::size_t Segmenter::cut_inside() {
    std::size_t decided = text_.size();
    if (rule_ != DocumentRule::file && !keep_separators_) {
        if (has_content_ && !in_line_ && (rule_ == DocumentRule::line || empty_lines_ >= blank_lines_))
            close_document(content_end_);
        if (!has_content_) return scanned_;  // all of it is separators
        decided = in_line_ ? text_.size() : content_end_;
        if (in_line_ && text_.back() == '\r') --decided;
    }
    if (decided <= open_) return 0;
    const std::size_t safe = tokenizer_.safe_split(std::string_view(text_).substr(open_, decided - open_));
    if (safe == 0) return 0;
    pieces_.push_back({open_, open_ + safe, false});
    return open_ + safe;
}

void Segmenter::emit(Chunk& chunk, std::size_t size) {
    chunk.after_space = after_space_;
    chunk.pieces = std::exchange(pieces_, {});
    chunk.text.assign(text_, 0, size);
    after_space_ = ends_in_space(chunk.text, after_space_);
    text_.erase(0, size);
    const auto shift = [size](std::size_t position) { return position > size ? position - size : 0; };
    scanned_ = shift(scanned_);
    open_ = shift(open_);
    content_end_ = shift(content_end_);
    next_try_ = chunk_bytes_;
}

bool Segmenter::take(Chunk& chunk, bool end_of_file) {
    if (text_.size() < next_try_ && !end_of_file) return false;
    scan();
    if (end_of_file && text_.size() <= next_try_) {
        if (text_.empty() && !has_content_) return false;
        if (!has_content_) {
            if (keep_separators_) pieces_.push_back({open_, text_.size(), false});
        } else if (rule_ == DocumentRule::file || keep_separators_ || in_line_) {
            close_document(text_.size());
        } else {
            close_document(content_end_);
        }
        emit(chunk, text_.size());
        scanned_ = open_ = content_end_ = 0;
        in_line_ = false;
        empty_lines_ = 0;
        after_space_ = true;
        return true;
    }
    // Cuts at the last document end, unless that gives a small chunk; then inside the open document.
    std::size_t size = pieces_.empty() ? 0 : pieces_.back().end;
    if (size < chunk_bytes_ / 2) {
        if (const auto inside = cut_inside(); inside > 0) size = inside;
    }
    if (size == 0) {
        next_try_ = text_.size() * 2;
        return end_of_file ? take(chunk, true) : false;
    }
    emit(chunk, size);
    return true;
}

}  // namespace longbow
