#include "longbow/text/reader.h"

#include <fmt/core.h>

#include <algorithm>

#include "byte_source.h"
#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"

namespace longbow {

namespace {
// The first and the largest number of bytes that are requested at once: a small file needs little memory, a large one
// few calls.
constexpr std::size_t kFirstStep = 4 << 10, kLargestStep = 256 << 10;
}  // namespace

struct TextReader::Impl {
    std::filesystem::path path;
    std::unique_ptr<ByteSource> source;
    std::string tail;          // first bytes of a character that the last read cut
    std::uint64_t offset = 0;  // decompressed bytes before `tail`, including a byte order mark
    std::uint64_t produced = 0;
    std::uint64_t lines = 0;  // line ends before `tail`
    bool started = false;
    Hasher hasher;

    // Throws for the byte at `bad` of `text`, which begins at `offset` in the file.
    [[noreturn]] void invalid(std::size_t bad, std::string_view text) const {
        const auto at = offset + bad;
        const auto line =
            lines + 1 +
            static_cast<std::uint64_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n'));
        std::string message = fmt::format("{}: byte {} (line {}) is not valid UTF-8", path.string(), at, line);
        if (at == 0 && (starts_with(text, "BZh") || starts_with(text, "\x1f\x9d"))) {
            message += ": the file looks compressed (only gzip, xz and zstd are read)";
        }
        throw DataError(message + "; convert it, for example: iconv -f LATIN1 -t UTF-8 (with its real encoding)");
    }
};

TextReader::TextReader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()) {
    impl_->path = path;
    impl_->source = open_byte_source(path);
}

TextReader::~TextReader() = default;

bool TextReader::read(std::string& out, std::size_t limit) {
    auto& s = *impl_;
    const std::size_t start = out.size();
    // This is room for at least one character, and for a byte order mark to be seen whole.
    const std::size_t wanted = std::max<std::size_t>(limit, 16);
    bool at_end = false;
    while (out.size() == start && !at_end) {
        out += s.tail;
        s.tail.clear();
        for (auto step = kFirstStep; out.size() - start < wanted; step = std::min(4 * step, kLargestStep)) {
            const auto before = out.size();
            if (step == kLargestStep) out.reserve(start + wanted);
            out.resize(std::min(start + wanted, before + step));
            const auto count = s.source->read(out.data() + before, out.size() - before);
            out.resize(before + count);
            if (count == 0) {
                at_end = true;
                break;
            }
        }
        const auto text = std::string_view(out).substr(start);
        if (!s.started && encoding_of_bom(text) != nullptr)
            throw DataError(s.path.string() + ": the file " + utf8_problem(text));
        const auto cut = at_end ? 0 : incomplete_utf8_tail(text);
        const auto whole = text.substr(0, text.size() - cut);
        if (const auto bad = find_invalid_utf8(whole); bad != std::string_view::npos) s.invalid(bad, text);
        s.offset += whole.size();
        s.lines += static_cast<std::uint64_t>(std::count(whole.begin(), whole.end(), '\n'));
        s.tail = text.substr(whole.size());
        out.resize(start + whole.size());
        if (!s.started && starts_with(std::string_view(out).substr(start), kByteOrderMark)) out.erase(start, 3);
        s.started = true;
    }
    const auto added = std::string_view(out).substr(start);
    s.hasher.update(added);
    s.produced += added.size();
    return !added.empty();
}

std::uint64_t TextReader::compressed_position() const { return impl_->source->consumed(); }
std::uint64_t TextReader::text_position() const { return impl_->produced; }
std::string TextReader::fingerprint() const { return impl_->hasher.digest(); }

}  // namespace longbow
