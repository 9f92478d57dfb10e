// Writes one split of a store as its chunks come: shards of a limited size, document ends, cumulative counts, and all checksums.
// Holds nothing that grows with the text but one manifest line a shard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "manifest.h"
#include "raw_offsets.h"

namespace longbow {

inline constexpr std::uint64_t kShardBytes = std::uint64_t{1} << 30;

class SplitWriter {
public:
    SplitWriter(fs::path folder, std::string split, const Tokenizer& tokenizer, std::uint64_t shard_bytes = kShardBytes);
    void add(const EncodedChunk& chunk);
    // Closes the files. Throws DataError when the split has no tokens.
    SplitManifest finish(std::vector<Source> sources);

    [[nodiscard]] std::uint64_t raw_bytes() const { return offsets_.total().bytes; }

private:
    // A file and the checksum of what was written to it.
    struct Hashed {
        explicit Hashed(const fs::path& path) : file(path) {}
        void write(const void* data, std::size_t size) {
            file.write(data, size);
            hasher.update(data, size);
        }
        StoredFile close(const std::string& name) {
            file.close();
            return {name, file.position(), hasher.digest()};
        }
        OutputFile file;
        Hasher hasher;
    };

    void write_ids(const std::vector<TokenId>& ids);
    void close_shard();
    void write_mark(const RawCount& counts);

    fs::path folder_;
    SplitManifest manifest_;
    std::int64_t id_bytes_;
    std::uint64_t shard_tokens_;
    RawOffsets offsets_;
    std::unique_ptr<Hashed> shard_;
    std::uint64_t tokens_in_shard_ = 0;
    Hashed documents_, cumulative_;
    std::int64_t last_document_end_ = 0;
    Hasher ids_hasher_;
    std::vector<std::uint16_t> narrow_;
};

}  // namespace longbow
