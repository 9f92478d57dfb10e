// Writes one split of a store chunk by chunk: shards of a set size, document ends, cumulative counts, and all
// checksums. Only one manifest line a shard grows with the text. The state after any chunk is a small piece of JSON,
// from which another process can resume and write the same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/data/manifest.h"
#include "raw_offsets.h"

namespace longbow {

// Returns the tokens of a shard: data.shard_tokens if set, otherwise as many as fit into 1 GiB.
std::uint64_t shard_tokens_for(std::int64_t configured, std::int64_t id_bytes);

class SplitWriter {
public:
    SplitWriter(fs::path folder, std::string split, const Tokenizer& tokenizer, std::uint64_t shard_tokens);
    // Goes on where another one saved `state`: what was written since is cut off, and what was written before is read
    // back and hashed anew. Throws Error when files are missing, too short, or hold other bytes than were written to
    // them; InterruptedError when a signal came.
    SplitWriter(fs::path folder, std::string split, const Tokenizer& tokenizer, std::uint64_t shard_tokens,
                const Json& state);
    void add(const EncodedChunk& chunk);
    // Brings everything added so far to the disk, and returns the state from which to resume.
    Json save();
    // Closes the files and returns the split's manifest entry. Throws DataError when the split has no tokens.
    SplitManifest finish(std::vector<Source> sources);

    [[nodiscard]] std::uint64_t raw_bytes() const { return offsets_.total().bytes; }

private:
    // A file with a running checksum of what is written to it.
    struct Hashed {
        explicit Hashed(const fs::path& path) : file(path) {}
        Hashed(const fs::path& path, const Json& state);
        Json save() {
            file.sync();
            return {{"bytes", file.position()}, {"checksum", hasher.digest()}};
        }
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

    void read_back();  // the shards, for the fingerprint of all ids
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
