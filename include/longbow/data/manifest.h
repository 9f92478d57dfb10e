// The struct behind STORE/manifest.json, and its strict reader. A store may come from a stranger, so that every count
// is checked against the others before anything is mapped or allocated according to it.
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
// STORE/<split>.cumulative.bin has an entry for each token position that is a multiple of this.
inline constexpr std::int64_t kMarkTokens = 4096;

struct StoredFile {
    std::string file;
    std::uint64_t bytes = 0;
    std::string checksum;
};

// One text file as it was read for the store.
struct Source {
    std::string name;          // without its folder, so that moving the text leaves the store the same
    std::uint64_t file_bytes;  // on disk
    std::uint64_t text_bytes;  // after decompression; for JSON lines, only their texts
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
    Json trained;  // the settings it was trained with by prepare; null for one read from a file
};

struct StoreManifest {
    TokenizerManifest tokenizer;
    DocumentRule documents = DocumentRule::file;
    std::int64_t blank_lines = 0;  // 0 unless documents is blank_line
    std::string jsonl_key;         // empty unless some of the text came from JSON lines
    std::int64_t id_bytes = 2;
    std::vector<SplitManifest> splits;
};

// Returns the width of an id on disk: 2 bytes where every id of the vocabulary fits, otherwise 4.
std::int64_t id_bytes_for(std::int64_t vocab_size);
// Returns the file name of a shard: "train-00000.bin".
std::string shard_name(const std::string& split, std::size_t index);
// Returns the number of entries of STORE/<split>.cumulative.bin: one for each 4,096 tokens and one at the end.
std::uint64_t cumulative_entries(std::int64_t tokens);

Json manifest_json(const StoreManifest& manifest);
// These write and strictly read one split, as it stands under "splits". parse_split() throws as parse_manifest().
Json split_json(const SplitManifest& split);
SplitManifest parse_split(const Json& json, const std::string& split, std::int64_t id_bytes, const std::string& name);
// Returns the text of manifest.json, which ends with a checksum of the rest.
std::string manifest_text(const StoreManifest& manifest);

// These read and check a manifest; `name` stands for the file in messages. They throw DataError for text that is not
// JSON, another format or version, a key that is missing or has the wrong type, and counts that contradict each other.
// The checksum has a function of its own, so that a fuzzer of parse_manifest() is not stopped by it.
StoreManifest parse_manifest(const Json& json, const std::string& name);
Json read_manifest_json(std::string_view text, const std::string& name);
void check_manifest_checksum(const Json& json, const std::string& name);

}  // namespace longbow
