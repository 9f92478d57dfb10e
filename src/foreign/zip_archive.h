// The table of contents of a zip file, as far as torch.save uses the format: stored (uncompressed) records, zip64, one disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace longbow {

struct ZipRecord {
    std::span<const std::byte> bytes;
    std::uint32_t crc = 0;  // CRC-32 of the bytes; torch.save writes 0 where it was told not to compute it
};

// Name -> record; records are parts of `file`. Throws CheckpointError that begins with `name`: truncated or inconsistent tables, records
// beyond the file or overlapping, duplicate names, compression, encryption, several disks. Checksums are left to check_crc().
std::map<std::string, ZipRecord> read_zip_directory(std::span<const std::byte> file, const std::string& name);

// Throws CheckpointError where the record's bytes do not have its checksum. `what` names the record in the message.
void check_crc(std::span<const std::byte> bytes, std::uint32_t crc, const std::string& what);

}  // namespace longbow
