// The header is the text of a Python dictionary, so a few lines read it: three known keys, in any order.
#include "longbow/core/npy.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

class HeaderParser {
public:
    HeaderParser(std::string_view text, const std::filesystem::path& path) : rest_(text), path_(path) {}

    void parse(NpyHeader& header) {
        std::set<std::string> seen;
        expect('{');
        while (!take('}')) {
            const auto key = quoted();
            expect(':');
            if (!seen.insert(key).second) fail();
            if (key == "descr")
                read_type(header);
            else if (key == "fortran_order")
                header.fortran_order = truth();
            else if (key == "shape")
                header.shape = numbers();
            else
                fail();
            if (!take(',')) {
                expect('}');
                break;
            }
        }
        skip_space();
        if (!rest_.empty() || seen.size() != 3) fail();
    }

private:
    [[noreturn]] void fail() const {
        throw DataError(path_.string() + ": its header is not one that NumPy writes: save the array with numpy.save");
    }

    void skip_space() {
        const auto begin = rest_.find_first_not_of(" \t\n");
        rest_.remove_prefix(std::min(begin, rest_.size()));
    }

    bool take(char wanted) {
        skip_space();
        if (rest_.empty() || rest_.front() != wanted) return false;
        rest_.remove_prefix(1);
        return true;
    }

    void expect(char wanted) {
        if (!take(wanted)) fail();
    }

    std::string quoted() {
        skip_space();
        if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) fail();
        const auto end = rest_.find(rest_.front(), 1);
        if (end == std::string_view::npos) fail();
        std::string text(rest_.substr(1, end - 1));
        rest_.remove_prefix(end + 1);
        return text;
    }

    bool truth() {
        skip_space();
        for (const bool value : {true, false}) {
            const std::string_view word = value ? "True" : "False";
            if (!starts_with(rest_, word)) continue;
            rest_.remove_prefix(word.size());
            return value;
        }
        fail();
    }

    // A tuple "(300,)". Python 2 wrote 300L.
    std::vector<std::int64_t> numbers() {
        std::vector<std::int64_t> values;
        expect('(');
        while (!take(')')) {
            skip_space();
            std::int64_t value = 0;
            std::size_t digits = 0;
            for (; digits < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[digits])) != 0; ++digits) {
                if (value > (std::numeric_limits<std::int64_t>::max() - 9) / 10) fail();
                value = value * 10 + (rest_[digits] - '0');
            }
            if (digits == 0) fail();
            rest_.remove_prefix(digits);
            values.push_back(value);
            take('L');
            if (!take(',')) {
                expect(')');
                break;
            }
        }
        return values;
    }

    // "<i8": byte order, kind, bytes. A list describes the fields of a structure.
    void read_type(NpyHeader& header) {
        skip_space();
        if (!rest_.empty() && rest_.front() == '[')
            throw DataError(path_.string() + ": its elements are structures: save one of their fields");
        const auto text = quoted();
        const bool ordered = !text.empty() && std::string_view("<>|=").find(text[0]) != std::string_view::npos;
        const auto kind = text.substr(ordered ? 1 : 0, 1);
        const auto size = text.substr(std::min<std::size_t>(text.size(), ordered ? 2 : 1));
        if (kind.empty() || std::isalpha(static_cast<unsigned char>(kind[0])) == 0 || size.empty() || size.size() > 3 ||
            size.find_first_not_of("0123456789") != std::string::npos)
            throw DataError(path_.string() + ": its elements are not numbers: save an array of integers");
        header.byte_order = ordered && text[0] != '=' ? text[0] : '<';
        header.kind = kind[0];
        header.item_size = std::stoul(size);
    }

    std::string_view rest_;
    const std::filesystem::path& path_;
};

// Reads `bytes` bytes at `begin` as a little-endian number.
std::size_t little(std::string_view text, std::size_t begin, std::size_t bytes) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        value |= static_cast<std::size_t>(static_cast<unsigned char>(text[begin + i])) << (8 * i);
    return value;
}

}  // namespace

std::string NpyHeader::type() const { return std::string{byte_order, kind} + std::to_string(item_size); }

NpyHeader read_npy_header(std::string_view bytes, const std::filesystem::path& path) {
    if (!starts_with(bytes, kMagic))
        throw DataError(path.string() + " is not a NumPy file (.npy): save the array with numpy.save");
    const auto cut = [&] { return DataError(path.string() + ": its header is cut off: save the array again"); };
    if (bytes.size() < 12) throw cut();
    const int version = static_cast<unsigned char>(bytes[6]);
    if (version < 1 || version > 3) {
        throw DataError(
            fmt::format("{}: version {} of NumPy's format is not known (1 to 3 are)", path.string(), version));
    }
    const std::size_t length_bytes = version == 1 ? 2 : 4;
    const auto begin = 8 + length_bytes;
    const auto length = little(bytes, 8, length_bytes);
    if (length > bytes.size() - begin) throw cut();
    NpyHeader header;
    header.data_begin = begin + length;
    HeaderParser(bytes.substr(begin, length), path).parse(header);
    return header;
}

std::string npy_header(const std::string& type, std::size_t count) {
    std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({},), }}", type, count);
    // Magic, version and length take 10 bytes; data start at a multiple of 64.
    header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' ');
    header += '\n';
    std::string bytes = std::string(kMagic) + std::string("\x01\x00", 2);
    bytes += static_cast<char>(header.size() & 0xff);
    bytes += static_cast<char>(header.size() >> 8);
    return bytes + header;
}

}  // namespace longbow
