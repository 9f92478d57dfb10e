// JSON lines: a document a line, the string under one key of the object that the line holds. Other keys are left aside.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "longbow/text/reader.h"

namespace longbow {

// By the file's name: .jsonl, .ndjson or .json, also before .gz, .xz or .zst.
bool is_json_lines(const std::filesystem::path& path);

// A text file in blocks of whole lines. Blocks depend on the text and `block_bytes` alone; a line longer than that is a block of its own.
class LineReader {
public:
    LineReader(const std::filesystem::path& path, std::size_t block_bytes);
    // The next lines into `lines`, the number of the first (from 1) into `first_line`; false at the end. Throws what TextReader throws, and
    // DataError for a line of more than 1 GiB.
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

// Calls on_text for the document of each line, in order; blank lines have none. Throws DataError ("FILE: line N: ...") for a line that is
// no JSON object, or has no string under `key`, or has it twice.
void for_each_json_text(std::string_view lines, std::int64_t first_line, const std::string& file, const std::string& key,
                        const std::function<void(std::string_view)>& on_text);

}  // namespace longbow
