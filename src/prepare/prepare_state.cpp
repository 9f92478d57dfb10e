#include "prepare_state.h"

#include <fmt/core.h>

#include <algorithm>

#include "existing_store.h"
#include "longbow/core/build_info.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/utf8.h"

namespace longbow {

namespace {

// Version 2 held XXH3's private states where 3 has the checksums of what was written. Both say enough to go on: files
// are hashed anew.
constexpr int kStateVersion = 3, kOldestStateVersion = 2;

Json source_json(const Source& source) {
    return {{"name", escape_name(source.name)},
            {"file_bytes", source.file_bytes},
            {"text_bytes", source.text_bytes},
            {"fingerprint", source.fingerprint}};
}

Source parse_source(const Json& json) {
    return {unescape_name(json.at("name").get<std::string>()), json.at("file_bytes").get<std::uint64_t>(),
            json.at("text_bytes").get<std::uint64_t>(), json.at("fingerprint").get<std::string>()};
}

// Returns whether the file is still the one that was read. `fingerprint` is that of its text, or empty when it is not
// known.
bool same_file(const InputStamp& before, const std::string& file, const std::string& fingerprint) {
    const InputStamp now = stamp_of(file);
    if (now == before) return true;
    return now.path == before.path && now.bytes == before.bytes && !fingerprint.empty() &&
           text_fingerprint(file) == fingerprint;
}

void compare_files(const std::string& split, const std::vector<InputStamp>& before,
                   const std::vector<std::string>& files, const std::vector<Source>& through, std::size_t count,
                   std::vector<std::string>& differences) {
    if (files.size() < count) {
        differences.push_back(fmt::format("data.{}: {} files -> {} files", split, before.size(), files.size()));
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (files[i] != before[i].path) {
            differences.push_back("data." + split + ": " + before[i].path + " -> " + files[i]);
            return;
        }
        if (!same_file(before[i], files[i], i < through.size() ? through[i].fingerprint : "")) {
            differences.push_back("data." + split + ": " + files[i] + " has changed");
            return;
        }
    }
}

}  // namespace

Json settings_json(const PrepareRequest& request) {
    return {{"longbow", build_info().version},
            {"tokenizer.kind", request.tokenizer.kind},
            {"tokenizer.file", request.tokenizer.file.empty() ? "learnt" : "given"},
            {"tokenizer.trained", training_settings(request.tokenizer)},
            {"data.documents", name_of(request.data.documents)},
            {"data.blank_lines", request.data.documents == DocumentRule::blank_line ? request.data.blank_lines : 0},
            {"data.jsonl_key", request.data.jsonl_key},
            {"data.shard_tokens", request.data.shard_tokens}};
}

Json state_json(const PrepareState& state) {
    Json json = {{"format", "longbow.preparing"},
                 {"version", kStateVersion},
                 {"settings", state.settings},
                 {"tokenizer", state.tokenizer},
                 {"learnt", state.learnt},
                 {"id_bytes", state.id_bytes},
                 {"inputs", Json::object()},
                 {"done", Json::array()},
                 {"split", state.split},
                 {"file", state.cursor.file},
                 {"chunk", state.cursor.chunk},
                 {"text_bytes", state.cursor.text_bytes},
                 {"sources", Json::array()},
                 {"empty_documents", state.empty_documents},
                 {"boundary_names", state.noted.boundary_names},
                 {"nuls", state.noted.nuls},
                 {"writer", state.writer},
                 {"manifest", state.manifest}};
    for (const auto& [split, stamps] : state.inputs) {
        auto& list = json["inputs"][split] = Json::array();
        for (const auto& stamp : stamps) list.push_back({escape_name(stamp.path), stamp.bytes, stamp.modified});
    }
    for (const auto& split : state.done) {
        Json done = split_json(split);
        done["name"] = split.name;
        json["done"].push_back(std::move(done));
    }
    for (const auto& source : state.sources) json["sources"].push_back(source_json(source));
    return json;
}

PrepareState parse_state(const Json& json) {
    const Json& version = json.at("version");
    if (json.at("format") != "longbow.preparing" || version < kOldestStateVersion || version > kStateVersion)
        throw DataError("of another version of longbow");
    PrepareState state;
    state.settings = json.at("settings");
    state.tokenizer = json.at("tokenizer").get<std::string>();
    state.learnt = json.at("learnt").get<bool>();
    state.id_bytes = json.at("id_bytes").get<std::int64_t>();
    for (const auto& [split, list] : json.at("inputs").items()) {
        for (const auto& stamp : list) {
            state.inputs[split].push_back({unescape_name(stamp.at(0).get<std::string>()),
                                           stamp.at(1).get<std::uint64_t>(), stamp.at(2).get<std::int64_t>()});
        }
    }
    for (const auto& done : json.at("done")) {
        state.done.push_back(parse_split(done, done.at("name").get<std::string>(), state.id_bytes, "state.json"));
    }
    state.split = json.at("split").get<std::string>();
    state.cursor = {json.at("file").get<std::size_t>(), json.at("chunk").get<std::uint64_t>(),
                    json.at("text_bytes").get<std::uint64_t>()};
    for (const auto& source : json.at("sources")) state.sources.push_back(parse_source(source));
    state.empty_documents = json.at("empty_documents").get<std::int64_t>();
    state.noted = {json.at("boundary_names").get<std::int64_t>(), json.at("nuls").get<std::int64_t>()};
    state.writer = json.at("writer");
    state.manifest = json.at("manifest").get<std::string>();
    return state;
}

std::vector<std::string> state_differences(const PrepareState& state, const PrepareRequest& request,
                                           const SplitFiles& splits) {
    std::vector<std::string> differences;
    const Json requested = settings_json(request);
    for (const auto& [key, value] : requested.items()) {
        const Json before = state.settings.value(key, Json());
        if (before != value) differences.push_back(key + ": " + json_text(before) + " -> " + json_text(value));
    }
    if (!differences.empty()) return differences;
    const std::size_t begun = state.done.size() + (state.split.empty() ? 0 : 1);
    for (std::size_t i = 0; i < begun; ++i) {
        const bool whole = i < state.done.size();
        const std::string& name = whole ? state.done[i].name : state.split;
        if (i >= splits.size() || splits[i].first != name) {
            differences.push_back("data." + name + ": no files now");
            continue;
        }
        const auto& before = state.inputs.at(name);
        const auto& files = *splits[i].second;
        const auto& through = whole ? state.done[i].sources : state.sources;
        if (whole && files.size() != through.size()) {
            differences.push_back(fmt::format("data.{}: {} files -> {} files", name, through.size(), files.size()));
            continue;
        }
        compare_files(name, before, files, through,
                      whole ? through.size() : state.cursor.file + (state.cursor.chunk > 0 ? 1 : 0), differences);
    }
    if (state.learnt && differences.empty()) {
        const auto before = state.inputs.find("train");
        const auto& files = request.data.train;
        if (before == state.inputs.end() || files.size() != before->second.size()) {
            differences.emplace_back("data.train: other files than those that the vocabulary was learned from");
        } else {
            const bool whole = !state.done.empty();
            compare_files("train", before->second, files, whole ? state.done.front().sources : state.sources,
                          files.size(), differences);
        }
    }
    return differences;
}

}  // namespace longbow
