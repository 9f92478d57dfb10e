// Lines are parsed event by event (nlohmann's SAX interface), so that no other part of an object is built, and deeply
// nested values use no stack.
#include "longbow/text/json_lines.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kLongestLine = std::size_t{1} << 30;

// Python writes the numbers NaN, Infinity and -Infinity, which are not JSON. Returns the line with 0 in their places
// and everything else at its old position, or an empty text if it has none of them.
std::string without_named_numbers(std::string_view line) {
    std::string plain;
    bool in_string = false;
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (in_string && line[at] == '\\') {
            ++at;
            continue;
        }
        if (line[at] == '"') in_string = !in_string;
        const bool begins = at == 0 || std::string_view(" \t\r:,[").find(line[at - 1]) != std::string_view::npos;
        if (in_string || !begins) continue;
        for (const std::string_view name : {"NaN", "Infinity", "-Infinity"}) {
            if (!starts_with(line.substr(at), name)) continue;
            if (plain.empty()) plain = line;
            plain.replace(at, name.size(), "0" + std::string(name.size() - 1, ' '));
            at += name.size() - 1;
            break;
        }
    }
    return plain;
}

class LineParser : public nlohmann::json_sax<Json> {
public:
    explicit LineParser(const std::string& key) : key_(key) {}

    // Returns whether the line has a document, which is then in text(). Otherwise problem() says what is wrong.
    bool parse(std::string_view line) {
        // The library takes a NUL for the end, and would ignore what follows it.
        if (const auto nul = line.find('\0'); nul != std::string_view::npos) {
            return refuse(
                fmt::format("not JSON: byte {} is NUL, which a text holds as \\u0000 (is the file damaged?)", nul + 1));
        }
        bool whole = parse_strictly(line);
        if (!whole && syntax_) {
            if (const auto plain = without_named_numbers(line); !plain.empty()) whole = parse_strictly(plain);
        }
        if (!whole) return false;
        if (!found_) problem_ = "the object has no key \"" + key_ + "\" (data.jsonl_key names the text's key)";
        return found_;
    }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }

    bool null() override { return other("null"); }
    bool boolean(bool) override { return other("true or false"); }
    bool number_integer(number_integer_t) override { return other("a number"); }
    bool number_unsigned(number_unsigned_t) override { return other("a number"); }
    bool number_float(number_float_t, const string_t&) override { return other("a number"); }
    bool binary(binary_t&) override { return other("binary data"); }
    bool string(string_t& value) override {
        if (depth_ == 0) return other("a string");
        if (!wanted_) return true;
        text_.swap(value);
        found_ = true;
        wanted_ = false;
        return true;
    }
    bool start_object(std::size_t) override {
        if (depth_ > 0 && !other("an object")) return false;
        ++depth_;
        return true;
    }
    bool start_array(std::size_t) override {
        if (!other("a list")) return false;
        ++depth_;
        return true;
    }
    bool end_object() override { return end(); }
    bool end_array() override { return end(); }
    bool key(string_t& name) override {
        wanted_ = depth_ == 1 && name == key_;
        if (wanted_ && found_) return refuse("the key \"" + key_ + "\" is written twice");
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        // The library says "[json.exception...] parse error at line 1, column 9: syntax error ...; last read: '...'".
        // Only the middle is kept: the line number is not the file's, and what was last read may be the whole document.
        std::string what = error.what();
        if (const auto colon = what.find(": "); colon != std::string::npos) what.erase(0, colon + 2);
        if (const auto rest = what.find("; last read"); rest != std::string::npos) what.resize(rest);
        if (what.size() > 120) what.resize(120);
        syntax_ = true;
        return refuse(fmt::format("not JSON: byte {}: ", position) + what);
    }

private:
    bool parse_strictly(std::string_view line) {
        depth_ = 0;
        wanted_ = found_ = syntax_ = false;
        problem_.clear();
        return Json::sax_parse(line.begin(), line.end(), this);
    }
    bool refuse(std::string problem) {
        problem_ = std::move(problem);
        return false;
    }
    bool other(const char* what) {
        if (depth_ == 0) return refuse(std::string("holds ") + what + " where an object should be");
        if (wanted_) return refuse("the key \"" + key_ + "\" holds " + what + " where a string should be");
        return true;
    }
    bool end() {
        --depth_;
        return true;
    }

    const std::string& key_;
    std::string text_, problem_;
    int depth_ = 0;
    bool wanted_ = false, found_ = false, syntax_ = false;
};

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

bool is_json_lines(const std::filesystem::path& path) {
    auto name = path.filename();
    const auto is_one_of = [](const std::string& extension, std::initializer_list<const char*> list) {
        return std::find(list.begin(), list.end(), extension) != list.end();
    };
    if (is_one_of(name.extension().string(), {".gz", ".xz", ".zst"})) name = name.stem();
    return is_one_of(name.extension().string(), {".jsonl", ".ndjson", ".json"});
}

LineReader::LineReader(const std::filesystem::path& path, std::size_t block_bytes)
    : path_(path), reader_(path), block_bytes_(block_bytes) {}

bool LineReader::next(std::string& lines, std::int64_t& first_line) {
    std::size_t wanted = block_bytes_;
    std::size_t cut = 0;
    while (cut == 0) {
        while (buffer_.size() < wanted && !ended_) {
            // A small file needs no reserve.
            if (reader_.text_position() >= kReadBytes) buffer_.reserve(block_bytes_ + kReadBytes);
            ended_ = !reader_.read(buffer_, kReadBytes);
        }
        if (ended_ && buffer_.size() <= wanted) {
            cut = buffer_.size();
            if (cut == 0) return false;
            break;
        }
        if (const auto newline = buffer_.rfind('\n', wanted - 1); newline != std::string::npos) {
            cut = newline + 1;
        } else if (wanted >= kLongestLine) {
            throw DataError(
                fmt::format("{}: line {} is longer than 1 GiB: is this a file of JSON lines?", path_.string(), line_));
        } else {
            wanted *= 2;  // keeps the search for a long line's end linear
        }
    }
    first_line = line_;
    lines.assign(buffer_, 0, cut);
    buffer_.erase(0, cut);
    line_ += std::count(lines.begin(), lines.end(), '\n');
    return true;
}

void for_each_json_text(std::string_view lines, std::int64_t first_line, const std::string& file,
                        const std::string& key, const std::function<void(std::string_view)>& on_text) {
    LineParser parser(key);
    for (auto number = first_line; !lines.empty(); ++number) {
        const auto end = std::min(lines.find('\n'), lines.size());
        const auto line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 1, lines.size()));
        if (is_blank(line)) continue;
        if (!parser.parse(line)) {
            throw DataError(fmt::format("{}: line {}: ", file, number) + parser.problem());
        }
        on_text(parser.text());
    }
}

}  // namespace longbow
