// STORE/manifest.json as a struct, and its strict reading: a store is foreign bytes, so that every count is checked against the
// others before anything is mapped or allocated by it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/core/json.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

inline constexpr const char* kStoreFormat = "longbow.tokens";
inline constexpr std::int64_t kStoreVersion = 1;
inline constexpr const char* kManifestFile = "manifest.json";
// STORE/<split>.cumulative.bin has an entry before each token whose place is a multiple of this.
inline constexpr std::int64_t kMarkTokens = 4096;

struct StoredFile {
    std::string file;
    std::uint64_t bytes = 0;
    std::string checksum;
};

// One text file as it was read.
struct Source {
    std::string name;          // without its folder: a store stays the same when its text moves
    std::uint64_t file_bytes;  // on disk
    std::uint64_t text_bytes;  // decompressed; of JSON lines, their texts
    std::string fingerprint;   // of the decompressed file
};

struct SplitManifest {
    std::string name;
    std::int64_t tokens = 0, documents = 0;
    std::uint64_t raw_bytes = 0, words = 0;
    std::string fingerprint;  // of the ids as little-endian u32, whatever their width on disk
    std::vector<StoredFile> shards;
    StoredFile document_ends, cumulative;
    std::vector<Source> sources;
};

struct TokenizerManifest {
    std::string kind, fingerprint;
    std::int64_t vocab_size = 0;
    TokenId boundary = 0;
    Json trained;  // settings of its training here; null when it came from a file
};

struct StoreManifest {
    TokenizerManifest tokenizer;
    DocumentRule documents = DocumentRule::file;
    std::int64_t blank_lines = 0;  // 0 unless documents is blank_line
    std::string jsonl_key;         // empty unless some of the text was JSON lines
    std::int64_t id_bytes = 2;
    std::vector<SplitManifest> splits;
};

// u16 where every id fits.
std::int64_t id_bytes_for(std::int64_t vocab_size);
std::string shard_name(const std::string& split, std::size_t index);
// Entries of STORE/<split>.cumulative.bin: one each 4,096 tokens and one at the end.
std::uint64_t cumulative_entries(std::int64_t tokens);

Json manifest_json(const StoreManifest& manifest);
// One split as it stands under "splits", and its strict reading.
Json split_json(const SplitManifest& split);
SplitManifest parse_split(const Json& json, const std::string& split, std::int64_t id_bytes, const std::string& name);
// The text of manifest.json, which ends with a checksum of the rest.
std::string manifest_text(const StoreManifest& manifest);

// `name` stands for the file in messages. Throws DataError: not JSON, another format or version, a key that is missing or of the wrong
// type, counts that contradict each other. parse_manifest leaves the checksum aside (so that a fuzzer gets past it).
StoreManifest parse_manifest(const Json& json, const std::string& name);
Json read_manifest_json(std::string_view text, const std::string& name);
void check_manifest_checksum(const Json& json, const std::string& name);

}  // namespace longbow
