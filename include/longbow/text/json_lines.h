// Reads JSON lines: each line holds an object, and the string under one of its keys is a document. Other keys are
// ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "longbow/text/reader.h"

namespace longbow {

// Decides by the file's name: .jsonl, .ndjson or .json, also before .gz, .xz or .zst.
bool is_json_lines(const std::filesystem::path& path);

// Reads a text file in blocks of whole lines. Blocks depend only on the text and `block_bytes`. A line longer than that
// is a block of its own.
class LineReader {
public:
    LineReader(const std::filesystem::path& path, std::size_t block_bytes);
    // Reads the next block into `lines` and the number of its first line (from 1) into `first_line`. Returns false at
    // the end. Throws what TextReader throws, and DataError for a line of more than 1 GiB.
    bool next(std::string& lines, std::int64_t& first_line);
    [[nodiscard]] const TextReader& text() const { return reader_; }

private:
    std::filesystem::path path_;
    TextReader reader_;
    std::size_t block_bytes_;
    std::string buffer_;
    std::int64_t line_ = 1;
    bool ended_ = false;
};

// Calls on_text with the document of each line, in order, and skips blank lines. Throws DataError ("FILE: line N: ...")
// for a line that is no JSON object, has no string under `key`, or has the key twice.
void for_each_json_text(std::string_view lines, std::int64_t first_line, const std::string& file,
                        const std::string& key, const std::function<void(std::string_view)>& on_text);

}  // namespace longbow
