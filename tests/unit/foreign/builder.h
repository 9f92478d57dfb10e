// Puts pickles and zip files together by hand, so that tests can make every kind of broken one.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "foreign/unpickler.h"
#include "longbow/core/error.h"

namespace longbow::test {

inline std::string little(std::uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
    return text;
}

inline std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

// --- Fragments of pickles.
inline std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }
inline std::string number(std::int64_t value) { return "\x8a\x08" + little(static_cast<std::uint64_t>(value), 8); }
inline std::string global(const std::string& module, const std::string& name) {
    return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
    std::string all = "(";
    for (const auto& item : items) all += item;
    return all + "t";
}
inline std::string storage(const std::string& key, std::int64_t elements, const std::string& type = "FloatStorage") {
    return tuple({text("storage"), global("torch", type), text(key), text("cpu"), number(elements)}) + "Q";
}
inline std::string tensor(const std::string& storage, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                          const std::vector<std::int64_t>& strides) {
    const auto numbers = [](const std::vector<std::int64_t>& values) {
        std::vector<std::string> items;
        for (const auto value : values) items.push_back(number(value));
        return tuple(items);
    };
    return global("torch._utils", "_rebuild_tensor_v2") +
           tuple({storage, number(offset), numbers(sizes), numbers(strides), "\x89",
                  global("collections", "OrderedDict") + ")R"}) +
           "R";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& entries) {
    std::string all = "}(";
    for (const auto& [key, value] : entries) all += text(key) + value;
    return all + "u";
}
inline std::string pickle(const std::string& body) { return "\x80\x02" + body + "."; }

inline PickleTree read_pickle(const std::string& bytes, const PickleLimits& limits = {}) {
    ByteReader reader(bytes_of(bytes), "a.pkl");
    return unpickle(reader, limits);
}

// Returns the message of the CheckpointError that `action` throws.
template <class Action>
std::string error_of(Action&& action) {
    try {
        action();
    } catch (const CheckpointError& error) {
        return error.what();
    }
    return "accepted";
}

// --- Zip files.
struct ZipEntry {
    std::string name, contents;
    std::uint16_t method = 0, flags = 0;
    bool zip64 = false;                         // puts the sizes and the position into the extra field
    std::uint64_t claimed = ~std::uint64_t{0};  // the size that the tables state, if not the true one
    bool no_crc = false;
};

inline std::string zip(const std::vector<ZipEntry>& entries, bool zip64_end = false) {
    std::string file, directory;
    for (const auto& entry : entries) {
        const auto crc = entry.no_crc ? 0
                                      : ::crc32_z(0, reinterpret_cast<const unsigned char*>(entry.contents.data()),
                                                  entry.contents.size());
        const std::uint64_t size = entry.claimed == ~std::uint64_t{0} ? entry.contents.size() : entry.claimed,
                            at = file.size();
        const auto sizes =
            entry.zip64 ? little(0xffffffff, 4) + little(0xffffffff, 4) : little(size, 4) + little(size, 4);
        const auto extra = entry.zip64
                               ? little(1, 2) + little(24, 2) + little(size, 8) + little(size, 8) + little(at, 8)
                               : std::string();
        const auto common = little(entry.flags, 2) + little(entry.method, 2) + little(0, 4) + little(crc, 4) + sizes +
                            little(entry.name.size(), 2);
        file += little(0x04034b50, 4) + little(20, 2) + common + little(0, 2) + entry.name + entry.contents;
        directory += little(0x02014b50, 4) + little(20, 2) + little(20, 2) + common + little(extra.size(), 2) +
                     little(0, 2) + little(0, 8) + little(entry.zip64 ? 0xffffffff : at, 4) + entry.name + extra;
    }
    const std::uint64_t begin = file.size();
    file += directory;
    if (zip64_end) {
        const std::uint64_t at = file.size();
        file += little(0x06064b50, 4) + little(44, 8) + little(0, 4) + little(0, 8) + little(entries.size(), 8) +
                little(entries.size(), 8) + little(directory.size(), 8) + little(begin, 8);
        file += little(0x07064b50, 4) + little(0, 4) + little(at, 8) + little(1, 4);
        return file + little(0x06054b50, 4) + little(0, 4) + little(0xffff, 2) + little(0xffff, 2) +
               little(0xffffffff, 4) + little(0xffffffff, 4) + little(0, 2);
    }
    return file + little(0x06054b50, 4) + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
           little(directory.size(), 4) + little(begin, 4) + little(0, 2);
}

}  // namespace longbow::test
