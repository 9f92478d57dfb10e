#include "input_file.h"

#include "longbow/core/files.h"

namespace longbow {

namespace {
constexpr std::size_t kReadBytes = 256 << 10;
}

InputFile::InputFile(const std::string& path, const Tokenizer& tokenizer, const DataConfig& documents)
    : path_(path), segmenter_(tokenizer, documents, kChunkBytes) {
    if (is_json_lines(path)) {
        lines_ = std::make_unique<LineReader>(path, kChunkBytes);
    } else {
        text_ = std::make_unique<TextReader>(path);
    }
}

bool InputFile::next(EncodedChunk& chunk) {
    chunk.clear();
    if (lines_) {
        if (!lines_->next(chunk.lines, chunk.first_line)) return false;
        chunk.file = &path_;
        return true;
    }
    while (!segmenter_.take(chunk, ended_)) {
        if (ended_) return false;
        auto& buffer = segmenter_.buffer();
        // This is the most that the buffer holds, unless a document cannot be cut. A small file is read at once and
        // needs no reserve.
        if (text_->text_position() >= kReadBytes) buffer.reserve(2 * kChunkBytes);
        ended_ = !text_->read(buffer, kReadBytes);
    }
    return true;
}

Source InputFile::source() const {
    const auto bytes =
        // A pipe has no size, so that the bytes read of it count.
        fs::is_regular_file(path_) ? static_cast<std::uint64_t>(fs::file_size(path_)) : position();
    return {fs::path(path_).filename().string(), bytes, 0, reader().fingerprint()};
}

}  // namespace longbow
