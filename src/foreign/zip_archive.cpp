// A zip file has records (each behind a local header), the central directory (one entry a record), optionally a zip64
// end record with its locator, and the end record. The central directory is authoritative; a local header is read only
// to find where its record's bytes begin.
#include "zip_archive.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "byte_reader.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

namespace {

constexpr std::uint64_t kLocalHeader = 0x04034b50, kCentralEntry = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kEnd64Locator = 0x07064b50;
constexpr std::size_t kEndSize = 22, kLocatorSize = 20;
constexpr std::uint64_t kSeeZip64 = 0xffffffff;  // means that the value is in the zip64 extra field
constexpr std::uint16_t kExtra64 = 1;

using Bytes = std::span<const std::byte>;

ByteReader reader_at(Bytes file, std::uint64_t offset, const std::string& name) {
    ByteReader reader(file, name);
    reader.take(offset);
    return reader;
}

struct Directory {
    std::uint64_t begin = 0, size = 0, entries = 0;
};

// The end record is the last of the file. Only a comment of up to 65,535 bytes may follow, whose length the record
// states.
std::size_t find_end(Bytes file, const std::string& name) {
    if (file.size() >= kEndSize) {
        const std::size_t lowest = file.size() - std::min<std::size_t>(file.size(), kEndSize + 0xffff);
        for (std::size_t at = file.size() - kEndSize + 1; at-- > lowest;) {
            if (file[at] != std::byte{'P'} || file[at + 1] != std::byte{'K'}) continue;
            auto reader = reader_at(file, at, name);
            if (reader.number(4) != kEnd) continue;
            reader.take(16);
            if (reader.number(2) == file.size() - at - kEndSize) return at;
        }
    }
    throw CheckpointError(name +
                          " is damaged: it begins as a zip file and has no table of contents at its end (cut short?)");
}

Directory find_directory(Bytes file, const std::string& name) {
    const std::size_t end = find_end(file, name);
    auto reader = reader_at(file, end + 4, name);
    const auto disk = reader.number(2), first_disk = reader.number(2), entries_here = reader.number(2);
    Directory directory;
    directory.entries = reader.number(2);
    directory.size = reader.number(4);
    directory.begin = reader.number(4);
    std::size_t limit = end;
    const bool see_zip64 = directory.entries == 0xffff || directory.size == kSeeZip64 || directory.begin == kSeeZip64;
    if (see_zip64 && end >= kLocatorSize) {
        auto locator = reader_at(file, end - kLocatorSize, name);
        if (locator.number(4) != kEnd64Locator) locator.fail("the zip64 locator is missing");
        locator.take(4);
        const std::uint64_t at = locator.number(8);
        auto record = reader_at(file, std::min<std::uint64_t>(at, file.size()), name);
        if (record.number(4) != kEnd64) record.fail("the zip64 end record is missing");
        record.take(20);  // its size, versions and disks
        const auto here = record.number(8);
        directory.entries = record.number(8);
        if (here != directory.entries) record.fail("the zip file is split over several disks");
        directory.size = record.number(8);
        directory.begin = record.number(8);
        limit = static_cast<std::size_t>(at);
    } else if (disk != 0 || first_disk != 0 || entries_here != directory.entries) {
        reader.fail("the zip file is split over several disks");
    }
    if (directory.begin > limit || directory.size > limit - directory.begin)
        reader.fail("the zip table of contents lies outside the file");
    return directory;
}

struct Entry {
    std::string name;
    std::uint64_t size = 0, compressed = 0, header = 0;
    std::uint32_t crc = 0;
    std::uint16_t method = 0, flags = 0;
};

// The zip64 extra field has values only for those that the entry itself leaves open, in this order.
void read_extra(ByteReader extra, Entry& entry) {
    while (extra.left() >= 4) {
        const auto id = extra.number(2), size = extra.number(2);
        ByteReader field(extra.take(size), extra.what());
        if (id != kExtra64) continue;
        if (entry.size == kSeeZip64) entry.size = field.number(8);
        if (entry.compressed == kSeeZip64) entry.compressed = field.number(8);
        if (entry.header == kSeeZip64) entry.header = field.number(8);
    }
}

Entry read_entry(ByteReader& reader) {
    if (reader.number(4) != kCentralEntry) reader.fail("an entry of the zip table of contents is broken");
    reader.take(4);  // versions
    Entry entry;
    entry.flags = static_cast<std::uint16_t>(reader.number(2));
    entry.method = static_cast<std::uint16_t>(reader.number(2));
    reader.take(4);  // time, date
    entry.crc = static_cast<std::uint32_t>(reader.number(4));
    entry.compressed = reader.number(4);
    entry.size = reader.number(4);
    const auto name_size = reader.number(2), extra_size = reader.number(2), comment_size = reader.number(2);
    reader.take(8);  // disk, attributes
    entry.header = reader.number(4);
    entry.name = reader.take_text(name_size);
    read_extra(ByteReader(reader.take(extra_size), reader.what()), entry);
    reader.take(comment_size);
    return entry;
}

Bytes find_record(Bytes file, std::uint64_t directory_begin, const Entry& entry, const std::string& name) {
    const std::string what = name + ": its record " + quote_foreign(entry.name);
    if ((entry.flags & 1) != 0) throw CheckpointError(what + " is encrypted");
    if (entry.method != 0) {
        throw CheckpointError(
            what +
            " is compressed, which torch.save never does: load the file in Python and save it again with torch.save");
    }
    if (entry.compressed != entry.size)
        throw CheckpointError(what + " is damaged: it is stored, yet its two sizes differ");
    ByteReader reader(file.first(static_cast<std::size_t>(directory_begin)), what);
    reader.take(entry.header);
    if (reader.number(4) != kLocalHeader) reader.fail("its header is missing");
    reader.take(22);
    const auto name_size = reader.number(2), extra_size = reader.number(2);
    if (reader.take_text(name_size) != entry.name) reader.fail("its header carries another name");
    reader.take(extra_size);
    return reader.take(entry.size);
}

}  // namespace

std::map<std::string, ZipRecord> read_zip_directory(Bytes file, const std::string& name) {
    const Directory directory = find_directory(file, name);
    ByteReader reader(file.first(static_cast<std::size_t>(directory.begin + directory.size)), name);
    reader.take(directory.begin);
    std::map<std::string, ZipRecord> records;
    std::vector<Bytes> places;
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
        const Entry entry = read_entry(reader);
        const Bytes bytes = find_record(file, directory.begin, entry, name);
        if (!records.emplace(entry.name, ZipRecord{bytes, entry.crc}).second)
            reader.fail("two records are named " + quote_foreign(entry.name));
        if (!bytes.empty()) places.push_back(bytes);
    }
    if (reader.left() != 0) reader.fail("the zip table of contents is longer than its entries");
    std::sort(places.begin(), places.end(), [](const Bytes& a, const Bytes& b) { return a.data() < b.data(); });
    for (std::size_t i = 1; i < places.size(); ++i) {
        if (places[i - 1].data() + places[i - 1].size() > places[i].data())
            throw CheckpointError(name + " is damaged: zip records overlap");
    }
    return records;
}

void check_crc(Bytes bytes, std::uint32_t crc, const std::string& what) {
    const auto actual = ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    if (crc != 0 && actual != crc)
        throw CheckpointError(fmt::format("{} is damaged: its checksum is {:08x}, not {:08x}", what, actual, crc));
}

}  // namespace longbow
