#include "longbow/data/manifest.h"

#include <fmt/core.h>

#include <limits>

#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"

namespace longbow {

namespace {

// This is far above any corpus, and far below where sums of counts could overflow.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 56;

// One JSON object with its path in the file, for messages.
class Reader {
public:
    Reader(const Json& json, std::string name, std::string path)
        : json_(json), name_(std::move(name)), path_(std::move(path)) {
        if (!json.is_object()) fail("must be an object");
    }

    [[noreturn]] void fail(const std::string& what) const {
        throw DataError(name_ + ": " + (path_.empty() ? "" : path_ + ": ") + what);
    }

    [[nodiscard]] const Json& at(const char* key) const {
        const auto found = json_.find(key);
        if (found == json_.end()) fail(std::string("the key ") + key + " is missing");
        return *found;
    }
    [[nodiscard]] std::string text(const char* key) const {
        const auto& value = at(key);
        if (!value.is_string()) fail(std::string(key) + " must be a string");
        return value.get<std::string>();
    }
    [[nodiscard]] std::int64_t count(const char* key, std::int64_t maximum = kMaxCount) const {
        const auto& value = at(key);
        if (!value.is_number_integer()) fail(std::string(key) + " must be a whole number");
        const bool negative = !value.is_number_unsigned() && value.get<std::int64_t>() < 0;
        if (negative || value.get<std::uint64_t>() > static_cast<std::uint64_t>(maximum))
            fail(std::string(key) + " is out of range");
        return value.get<std::int64_t>();
    }
    [[nodiscard]] Reader object(const char* key) const {
        return {at(key), name_, path_.empty() ? key : path_ + "." + key};
    }
    [[nodiscard]] std::vector<Reader> list(const char* key) const {
        const auto& value = at(key);
        if (!value.is_array()) fail(std::string(key) + " must be a list");
        std::vector<Reader> items;
        for (std::size_t i = 0; i < value.size(); ++i)
            items.emplace_back(value[i], name_, path_ + "." + key + "[" + std::to_string(i) + "]");
        return items;
    }

private:
    const Json& json_;
    std::string name_, path_;
};

StoredFile read_file_entry(const Reader& reader, const std::string& expected) {
    StoredFile file{reader.text("file"), static_cast<std::uint64_t>(reader.count("bytes")), reader.text("checksum")};
    if (file.file != expected) reader.fail("the file must be called " + expected);
    return file;
}

SplitManifest read_split(const Reader& reader, const std::string& name, std::int64_t id_bytes) {
    SplitManifest split;
    split.name = name;
    split.tokens = reader.count("tokens");
    split.documents = reader.count("documents");
    split.raw_bytes = static_cast<std::uint64_t>(reader.count("raw_bytes"));
    split.words = static_cast<std::uint64_t>(reader.count("words"));
    split.fingerprint = reader.text("fingerprint");
    std::uint64_t bytes = 0;
    for (const auto& shard : reader.list("shards")) {
        split.shards.push_back(read_file_entry(shard, shard_name(name, split.shards.size())));
        const auto size = split.shards.back().bytes;
        if (size == 0 || size % static_cast<std::uint64_t>(id_bytes) != 0)
            shard.fail("bytes is not a multiple of the id's width");
        // All shards but the last have the same size, so that the shard of a position is found by division.
        if (size > split.shards.front().bytes) shard.fail("is larger than the first shard");
        if (split.shards.size() > 2 && split.shards[split.shards.size() - 2].bytes != split.shards.front().bytes) {
            shard.fail("follows a shard smaller than the first");
        }
        bytes += size;
        if (bytes > static_cast<std::uint64_t>(kMaxCount)) reader.fail("the shards are too large");
    }
    if (split.tokens < 1 || bytes != static_cast<std::uint64_t>(split.tokens) * static_cast<std::uint64_t>(id_bytes)) {
        reader.fail("tokens does not fit the shards");
    }
    if (split.documents < 1 || split.documents > split.tokens) reader.fail("documents does not fit tokens");
    split.document_ends = read_file_entry(reader.object("document_ends"), name + ".documents.bin");
    if (split.document_ends.bytes != 8 * static_cast<std::uint64_t>(split.documents))
        reader.fail("document_ends.bytes does not fit documents");
    split.cumulative = read_file_entry(reader.object("cumulative"), name + ".cumulative.bin");
    if (split.cumulative.bytes != 16 * cumulative_entries(split.tokens))
        reader.fail("cumulative.bytes does not fit tokens");
    for (const auto& source : reader.list("sources")) {
        split.sources.push_back({unescape_name(source.text("name")),
                                 static_cast<std::uint64_t>(source.count("file_bytes")),
                                 static_cast<std::uint64_t>(source.count("text_bytes")), source.text("fingerprint")});
    }
    return split;
}

Json file_json(const StoredFile& file) {
    return {{"file", file.file}, {"bytes", file.bytes}, {"checksum", file.checksum}};
}

// All strings here are UTF-8, so that Json::dump() does not throw: names of files are escaped by escape_name(), and in
// older stores their invalid bytes were replaced by U+FFFD.
std::string dump(const Json& json) { return json.dump(2); }

bool is_split_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

}  // namespace

std::int64_t id_bytes_for(std::int64_t vocab_size) { return vocab_size <= 65536 ? 2 : 4; }

std::string shard_name(const std::string& split, std::size_t index) {
    return fmt::format("{}-{:05}.bin", split, index);
}

std::uint64_t cumulative_entries(std::int64_t tokens) {
    return static_cast<std::uint64_t>((tokens + kMarkTokens - 1) / kMarkTokens) + 1;
}

Json split_json(const SplitManifest& split) {
    Json json;
    json["tokens"] = split.tokens;
    json["documents"] = split.documents;
    json["raw_bytes"] = split.raw_bytes;
    json["words"] = split.words;
    json["fingerprint"] = split.fingerprint;
    json["shards"] = Json::array();
    for (const auto& shard : split.shards) json["shards"].push_back(file_json(shard));
    json["document_ends"] = file_json(split.document_ends);
    json["cumulative"] = file_json(split.cumulative);
    json["sources"] = Json::array();
    for (const auto& source : split.sources) {
        json["sources"].push_back({{"name", escape_name(source.name)},
                                   {"file_bytes", source.file_bytes},
                                   {"text_bytes", source.text_bytes},
                                   {"fingerprint", source.fingerprint}});
    }
    return json;
}

SplitManifest parse_split(const Json& json, const std::string& split, std::int64_t id_bytes, const std::string& name) {
    return read_split(Reader(json, name, split), split, id_bytes);
}

Json manifest_json(const StoreManifest& manifest) {
    Json json;
    json["format"] = kStoreFormat;
    json["version"] = kStoreVersion;
    json["tokenizer"] = {{"kind", manifest.tokenizer.kind},
                         {"vocab_size", manifest.tokenizer.vocab_size},
                         {"boundary", manifest.tokenizer.boundary},
                         {"fingerprint", manifest.tokenizer.fingerprint},
                         {"trained", manifest.tokenizer.trained}};
    json["documents"] = name_of(manifest.documents);
    if (manifest.blank_lines > 0) json["blank_lines"] = manifest.blank_lines;
    if (!manifest.jsonl_key.empty()) json["jsonl_key"] = manifest.jsonl_key;
    json["id_bytes"] = manifest.id_bytes;
    json["splits"] = Json::object();
    for (const auto& split : manifest.splits) json["splits"][split.name] = split_json(split);
    return json;
}

std::string manifest_text(const StoreManifest& manifest) {
    Json json = manifest_json(manifest);
    json["checksum"] = fingerprint(dump(json));
    return dump(json) + "\n";
}

Json read_manifest_json(std::string_view text, const std::string& name) {
    Json json = parse_json(text);
    if (json.is_discarded())
        throw DataError(name + ": not JSON: the store is damaged, or this is not a token store; prepare it again");
    return json;
}

void check_manifest_checksum(const Json& json, const std::string& name) {
    Json rest = json;
    rest.erase("checksum");
    const auto found = json.find("checksum");
    if (found == json.end() || *found != fingerprint(dump(rest))) {
        throw DataError(
            name + ": its checksum does not fit its contents: the store is damaged or was edited; prepare it again");
    }
}

StoreManifest parse_manifest(const Json& json, const std::string& name) {
    const Reader reader(json, name, "");
    if (reader.text("format") != kStoreFormat) reader.fail("not the manifest of a token store");
    if (const auto version = reader.count("version"); version != kStoreVersion) {
        reader.fail(fmt::format("format version {}; this program reads version {}: prepare the store again", version,
                                kStoreVersion));
    }
    StoreManifest manifest;
    const auto tokenizer = reader.object("tokenizer");
    manifest.tokenizer.kind = tokenizer.text("kind");
    manifest.tokenizer.fingerprint = tokenizer.text("fingerprint");
    manifest.tokenizer.vocab_size = tokenizer.count("vocab_size", std::int64_t{1} << 31);
    if (manifest.tokenizer.vocab_size < 1) tokenizer.fail("vocab_size is out of range");
    manifest.tokenizer.boundary = static_cast<TokenId>(tokenizer.count("boundary", manifest.tokenizer.vocab_size - 1));
    manifest.tokenizer.trained = tokenizer.at("trained");
    const auto rule = choice_named<DocumentRule>(reader.text("documents"));
    if (!rule) reader.fail("documents must be one of " + join(choice_names<DocumentRule>(), ", "));
    manifest.documents = *rule;
    if (manifest.documents == DocumentRule::blank_line) manifest.blank_lines = reader.count("blank_lines");
    if (json.contains("jsonl_key")) {
        manifest.jsonl_key = reader.text("jsonl_key");
        if (manifest.jsonl_key.empty()) reader.fail("jsonl_key is empty");
    }
    manifest.id_bytes = reader.count("id_bytes");
    if (manifest.id_bytes != id_bytes_for(manifest.tokenizer.vocab_size))
        reader.fail("id_bytes does not fit vocab_size");
    const auto splits = reader.object("splits");
    for (const auto& [split, unused] : reader.at("splits").items()) {
        if (!is_split_name(split)) splits.fail("a split has a name other than lower-case letters, digits and _");
        manifest.splits.push_back(read_split(splits.object(split.c_str()), split, manifest.id_bytes));
    }
    if (manifest.splits.empty()) splits.fail("the store has no split");
    return manifest;
}

}  // namespace longbow
