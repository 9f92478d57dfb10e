#include "existing_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <regex>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/data/token_store.h"
#include "longbow/text/json_lines.h"
#include "longbow/text/tokenizer.h"
#include "longbow/text/tokenizer_kind.h"
#include "split_writer.h"
#include "work_folder.h"

namespace longbow {

namespace {

std::string vocab_size_text(std::int64_t size) { return size == 0 ? "default" : std::to_string(size); }

void compare_tokenizer(const StoreManifest& store, const TokenizerConfig& config,
                       std::vector<std::string>& differences) {
    if (store.tokenizer.kind != config.kind) {
        differences.push_back("tokenizer.kind: " + store.tokenizer.kind + " -> " + config.kind);
        return;
    }
    if (!config.file.empty()) {
        if (open_tokenizer(config)->fingerprint() != store.tokenizer.fingerprint)
            differences.push_back("the vocabulary: another than " + config.file);
        return;
    }
    const Json requested = training_settings(config);
    if (store.tokenizer.trained.is_null()) {
        differences.emplace_back("tokenizer.file: the store's vocabulary came from a file -> trained here");
    } else if (store.tokenizer.trained != requested) {
        for (const auto& [key, value] : requested.items()) {
            const Json before = store.tokenizer.trained.value(key, Json());
            if (before == value || (key == "vocab_size" && value == store.tokenizer.vocab_size)) continue;
            const auto text = [](const Json& v) {
                return v.is_number_integer() ? vocab_size_text(v.get<std::int64_t>()) : v.dump();
            };
            differences.push_back("tokenizer." + key + ": " + text(before) + " -> " + text(value));
        }
    }
}

// Returns how the split differs from one of these files; empty when it does not.
std::string compare_split(const SplitManifest& split, const std::vector<std::string>& files, bool read_text) {
    if (split.sources.size() != files.size()) {
        return fmt::format("data.{}: {} files -> {} files", split.name, split.sources.size(), files.size());
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& source = split.sources[i];
        if (fs::file_size(files[i]) != source.file_bytes)
            return "data." + split.name + ": " + files[i] + " has changed (its size differs)";
    }
    for (std::size_t i = 0; read_text && i < files.size(); ++i) {
        if (text_fingerprint(files[i]) != split.sources[i].fingerprint)
            return "data." + split.name + ": " + files[i] + " has changed";
    }
    return "";
}

// A store with a single shard may have been made with any shard size from its own up.
void compare_shards(const StoreManifest& store, std::int64_t configured, std::vector<std::string>& differences) {
    const auto requested = shard_tokens_for(configured, store.id_bytes);
    for (const auto& split : store.splits) {
        const auto first = split.shards.front().bytes / static_cast<std::uint64_t>(store.id_bytes);
        if (split.shards.size() > 1 ? first == requested : first <= requested) continue;
        differences.push_back(fmt::format("data.shard_tokens: shards of {} tokens -> {}", first, requested));
        return;
    }
}

bool is_store_file(const std::string& name) {
    const auto& tokenizer = tokenizer_file_names();
    if (name == kManifestFile || std::find(tokenizer.begin(), tokenizer.end(), name) != tokenizer.end()) return true;
    static const std::regex split_file("(train|valid|test)(-[0-9]{5,}|\\.documents|\\.cumulative)\\.bin");
    return std::regex_match(name, split_file);
}

std::vector<std::string> foreign_entries(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const auto name = entry.path().filename().string();
        const bool folder_itself = !entry.is_symlink() && !entry.is_regular_file();
        if (folder_itself || !is_store_file(name)) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

bool has_json_lines(const SplitFiles& splits) {
    return std::any_of(splits.begin(), splits.end(), [](const auto& split) {
        return std::any_of(split.second->begin(), split.second->end(), is_json_lines);
    });
}

}  // namespace

void check_nothing_foreign(const fs::path& folder) {
    const auto foreign = foreign_entries(folder);
    if (foreign.empty()) return;
    const std::size_t most = 5;
    const std::vector<std::string> some(foreign.begin(),
                                        foreign.begin() + static_cast<std::ptrdiff_t>(std::min(most, foreign.size())));
    throw Error(folder.string() + " contains files that do not belong to a token store (" + join(some, ", ") +
                (foreign.size() > most ? fmt::format(" and {} more", foreign.size() - most) : "") +
                "), which --overwrite would remove: move it away, or choose another place for the store");
}

Json training_settings(const TokenizerConfig& config) {
    if (!config.file.empty()) return nullptr;
    Json json = {{"vocab_size", config.vocab_size}};
    json.update(learning_options(config));
    return json;
}

Existing existing_at(const fs::path& out) {
    if (!fs::exists(fs::symlink_status(out))) return Existing::nothing;
    if (!fs::is_directory(out)) return Existing::other;
    if (fs::is_empty(out)) return Existing::nothing;
    // The manifest's first lines tell a store even when it is too damaged to be opened.
    const fs::path manifest = out / kManifestFile;
    if (!fs::is_regular_file(manifest)) {
        const bool half_moved =
            fs::exists(WorkFolder::path_for(out) / "store" / kManifestFile) && foreign_entries(out).empty();
        return half_moved ? Existing::nothing : Existing::other;
    }
    return read_file(manifest).find(kStoreFormat) != std::string::npos ? Existing::store : Existing::other;
}

std::vector<std::string> store_differences(const fs::path& path, const PrepareRequest& request, bool read_text) {
    const TokenStore opened(path);
    const StoreManifest store = parse_manifest(opened.manifest(), (path / "manifest.json").string());
    std::vector<std::string> differences;
    compare_tokenizer(store, request.tokenizer, differences);
    const auto documents = [](DocumentRule rule, std::int64_t blank_lines) {
        const std::string name(name_of(rule));
        return rule == DocumentRule::blank_line ? fmt::format("{} ({})", name, blank_lines) : name;
    };
    const auto before = documents(store.documents, store.blank_lines);
    const auto after = documents(request.data.documents, request.data.blank_lines);
    if (before != after) differences.push_back("data.documents: " + before + " -> " + after);
    const auto splits = requested_splits(request.data);
    compare_shards(store, request.data.shard_tokens, differences);
    if (has_json_lines(splits) && !store.jsonl_key.empty() && store.jsonl_key != request.data.jsonl_key) {
        differences.push_back("data.jsonl_key: " + store.jsonl_key + " -> " + request.data.jsonl_key);
    }
    const auto find = [&](const std::string& name) -> const SplitManifest* {
        for (const auto& split : store.splits) {
            if (split.name == name) return &split;
        }
        return nullptr;
    };
    for (const auto& split : store.splits) {
        bool requested = false;
        for (const auto& [name, files] : splits) requested = requested || name == split.name;
        if (!requested) differences.push_back("data." + split.name + ": no files now, but the store has this split");
    }
    for (const auto& [name, files] : splits) {
        if (find(name) == nullptr) differences.push_back("data." + name + ": the store has no such split");
    }
    if (!differences.empty()) return differences;
    for (const auto& [name, files] : splits) {
        if (auto difference = compare_split(*find(name), *files, read_text); !difference.empty())
            differences.push_back(std::move(difference));
    }
    return differences;
}

std::vector<std::string> settings_that_differ(const fs::path& store, const TokenizerConfig& tokenizer,
                                              const DataConfig& data) {
    PrepareRequest request{tokenizer, data, store, 1, false};
    try {
        request.data = expand_inputs(data);
        check_inputs(requested_splits(request.data));
        return store_differences(store, request, /*read_text=*/false);
    } catch (const Error&) {
        return {};  // missing text or vocabulary tells nothing about the store
    }
}

}  // namespace longbow
