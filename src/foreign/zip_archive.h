// Reads the table of contents of a zip file, as far as torch.save uses the format: stored (uncompressed) records,
// zip64, a single disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace longbow {

struct ZipRecord {
    std::span<const std::byte> bytes;
    std::uint32_t crc = 0;  // CRC-32 of the bytes; 0: torch.save was told not to compute it
};

// Returns the records by name; their bytes are parts of `file`. Throws CheckpointError that begins with `name` for
// truncated or inconsistent tables, records that overlap or lie beyond the file, duplicate names, compression,
// encryption and several disks. Checksums are left to check_crc().
std::map<std::string, ZipRecord> read_zip_directory(std::span<const std::byte> file, const std::string& name);

// Throws CheckpointError if the bytes do not have this checksum; 0 is not checked. `what` names the record in the
// message.
void check_crc(std::span<const std::byte> bytes, std::uint32_t crc, const std::string& what);

}  // namespace longbow
