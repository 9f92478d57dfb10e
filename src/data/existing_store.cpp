#include "existing_store.h"

#include <signal.h>

#include <cerrno>
#include <cstdlib>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/data/token_store.h"
#include "longbow/telemetry/log.h"
#include "longbow/text/reader.h"

namespace longbow {

namespace {

std::string vocab_size_text(std::int64_t size) { return size == 0 ? "default" : std::to_string(size); }

void compare_tokenizer(const StoreManifest& store, const TokenizerConfig& config, std::vector<std::string>& differences) {
    if (store.tokenizer.kind != config.kind) {
        differences.push_back("tokenizer.kind: " + store.tokenizer.kind + " -> " + config.kind);
        return;
    }
    if (!config.file.empty()) {
        if (open_tokenizer(config)->fingerprint() != store.tokenizer.fingerprint) differences.push_back("the vocabulary: another than " + config.file);
        return;
    }
    const Json asked = training_settings(config);
    if (store.tokenizer.trained.is_null()) {
        differences.emplace_back("tokenizer.file: the store's vocabulary came from a file -> trained here");
    } else if (store.tokenizer.trained != asked) {
        for (const auto& [key, value] : asked.items()) {
            const Json before = store.tokenizer.trained.value(key, Json());
            if (before == value || (key == "vocab_size" && value == store.tokenizer.vocab_size)) continue;
            const auto text = [](const Json& v) { return v.is_number_integer() ? vocab_size_text(v.get<std::int64_t>()) : v.dump(); };
            differences.push_back("tokenizer." + key + ": " + text(before) + " -> " + text(value));
        }
    }
}

std::string text_fingerprint(const std::string& file) {
    TextReader reader(file);
    std::string text;
    while (reader.read(text, 1 << 20)) {
        text.clear();
        end_if_stop_requested("nothing was written");
    }
    return reader.fingerprint();
}

// nullopt-like empty: the split is of these files.
std::string compare_split(const SplitManifest& split, const std::vector<std::string>& files) {
    if (split.sources.size() != files.size()) {
        return strprintf("data.%s: %zu files -> %zu files", split.name.c_str(), split.sources.size(), files.size());
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& source = split.sources[i];
        if (fs::file_size(files[i]) != source.file_bytes) return "data." + split.name + ": " + files[i] + " has changed (its size differs)";
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (text_fingerprint(files[i]) != split.sources[i].fingerprint) return "data." + split.name + ": " + files[i] + " has changed";
    }
    return "";
}

}  // namespace

SplitFiles requested_splits(const DataConfig& data) {
    SplitFiles splits;
    if (!data.train.empty()) splits.emplace_back("train", &data.train);
    if (!data.valid.empty()) splits.emplace_back("valid", &data.valid);
    if (!data.test.empty()) splits.emplace_back("test", &data.test);
    return splits;
}

Json training_settings(const TokenizerConfig& config) {
    if (!config.file.empty()) return nullptr;
    Json json = {{"vocab_size", config.vocab_size}};
    if (config.kind == "sentencepiece") json["sentencepiece_model"] = config.sentencepiece_model;
    return json;
}

Existing existing_at(const fs::path& out) {
    if (!fs::exists(fs::symlink_status(out))) return Existing::nothing;
    if (!fs::is_directory(out)) return Existing::other;
    if (fs::is_empty(out)) return Existing::nothing;
    // Also a store too damaged to open: its first lines say what it was.
    const fs::path manifest = out / "manifest.json";
    if (!fs::is_regular_file(manifest)) return Existing::other;
    return read_file(manifest).find(kStoreFormat) != std::string::npos ? Existing::store : Existing::other;
}

std::vector<std::string> store_differences(const fs::path& path, const PrepareRequest& request) {
    const TokenStore opened(path);
    const StoreManifest store = parse_manifest(opened.manifest(), (path / "manifest.json").string());
    std::vector<std::string> differences;
    compare_tokenizer(store, request.tokenizer, differences);
    const auto documents = [](const std::string& rule, std::int64_t blank_lines) {
        return rule == "blank_line" ? strprintf("blank_line (%lld)", static_cast<long long>(blank_lines)) : rule;
    };
    const auto before = documents(store.documents, store.blank_lines);
    const auto after = documents(request.data.documents, request.data.blank_lines);
    if (before != after) differences.push_back("data.documents: " + before + " -> " + after);
    const auto splits = requested_splits(request.data);
    const auto find = [&](const std::string& name) -> const SplitManifest* {
        for (const auto& split : store.splits) {
            if (split.name == name) return &split;
        }
        return nullptr;
    };
    for (const auto& split : store.splits) {
        bool asked = false;
        for (const auto& [name, files] : splits) asked = asked || name == split.name;
        if (!asked) differences.push_back("data." + split.name + ": no files now, but the store has this split");
    }
    for (const auto& [name, files] : splits) {
        if (find(name) == nullptr) differences.push_back("data." + name + ": the store has no such split");
    }
    if (!differences.empty()) return differences;
    for (const auto& [name, files] : splits) {
        if (auto difference = compare_split(*find(name), *files); !difference.empty()) differences.push_back(std::move(difference));
    }
    return differences;
}

void remove_leftovers(const fs::path& out) {
    const fs::path target = fs::absolute(out).lexically_normal();
    const fs::path parent = (target.has_filename() ? target : target.parent_path()).parent_path();
    const std::string prefix = "." + (target.has_filename() ? target : target.parent_path()).filename().string() + ".tmp-";
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(parent, error)) {
        const std::string name = entry.path().filename().string();
        if (!starts_with(name, prefix) || !entry.is_directory(error)) continue;
        const std::string number = name.substr(prefix.size());
        if (number.empty() || number.size() > 9 || number.find_first_not_of("0123456789") != std::string::npos) continue;
        if (::kill(static_cast<pid_t>(std::atol(number.c_str())), 0) == 0 || errno != ESRCH) continue;
        fs::remove_all(entry.path(), error);
        log::info("removed " + entry.path().string() + ", left by an interrupted prepare");
    }
}

}  // namespace longbow
