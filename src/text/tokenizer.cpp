// The registered kinds, and the way in: opening, training, saving and loading whichever kind the configuration or a
// folder names.
#include "longbow/text/tokenizer.h"

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/text/tokenizer_kind.h"
#include "meta.h"

namespace longbow {

namespace {

Registry<TokenizerKind>& registry() {
    static Registry<TokenizerKind> kinds("tokenizer");
    return kinds;
}

const ContextSource context_source([](ConfigContext& context) {
    for (const auto& kind : tokenizer_kinds()) {
        context.tokenizers.push_back({kind.name, kind.help, kind.file_help, kind.options, kind.check});
    }
});

const TokenizerKind& kind_of(const TokenizerConfig& config) {
    if (const auto* kind = registry().find(config.kind)) return *kind;
    throw ConfigError("tokenizer.kind: unknown kind \"" + config.kind + "\"");
}

TokenizerConfig complete(const TokenizerConfig& config, const TokenizerKind& kind) {
    auto whole = config;
    fill_defaults(whole.options, kind.options);
    return whole;
}

std::map<std::string, std::string> read_folder(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& name : tokenizer_file_names()) {
        if (fs::is_regular_file(folder / name)) files[name] = read_vocabulary(folder / name);
    }
    return files;
}

// Files as files() gave them, `place` in front of their names in messages.
std::unique_ptr<Tokenizer> tokenizer_from_files(const std::map<std::string, std::string>& files,
                                                const std::string& place) {
    StoredTokenizer stored{files, place, {}};
    stored.meta = parse_json(stored.file(kMetaFile));
    const auto& meta = stored.meta;
    const bool whole = meta.is_object() && meta.contains("kind") && meta["kind"].is_string();
    if (!whole) throw DataError(place + kMetaFile + " is damaged: no kind");
    if (meta.value("format", Json()) != 1)
        throw DataError(place + kMetaFile + " was written by another version of longbow");
    const auto name = meta["kind"].get<std::string>();
    if (const auto* kind = registry().find(name)) return kind->load(stored);
    throw DataError(place + kMetaFile + ": unknown kind \"" + name + "\"");
}

}  // namespace

const std::vector<TokenizerKind>& tokenizer_kinds() { return registry().entries(); }

bool register_tokenizer(TokenizerKind kind) {
    for (const auto& other : tokenizer_kinds()) {
        for (const auto& option : other.options) {
            const auto same = [&](const OptionSpec& one) { return one.key == option.key; };
            if (std::none_of(kind.options.begin(), kind.options.end(), same)) continue;
            throw ConfigError("tokenizer." + option.key + " is an option of both " + other.name + " and " + kind.name +
                              "; give one another key");
        }
    }
    return registry().add(std::move(kind));
}

const std::string& StoredTokenizer::file(const std::string& name) const {
    const auto found = files.find(name);
    if (found == files.end()) throw DataError(place + name + " is missing");
    return found->second;
}

std::string read_vocabulary(const fs::path& path) {
    try {
        return read_file(path);
    } catch (const Error& error) {
        throw DataError(error.what());
    }
}

std::string_view vocabulary_text(std::string_view text, const std::string& name, bool nul) {
    if (const auto fault = utf8_problem(text); !fault.empty())
        throw DataError(name + ": " + fault + "; a vocabulary is UTF-8 text");
    if (const auto at = text.find('\0'); at != std::string_view::npos && !nul) {
        throw DataError(name + ": byte " + std::to_string(at) +
                        " is NUL, which no token holds: the file is damaged or of another kind");
    }
    return without_byte_order_mark(text);
}

std::string vocabulary_file(std::string text) {
    return starts_with(text, kByteOrderMark) ? std::string(kByteOrderMark) + text : text;
}

std::string meta_text(const std::string& kind, const Json& options) {
    Json meta{{"format", 1}, {"kind", kind}};
    meta.update(options);
    return meta.dump(2) + "\n";
}

std::int64_t learnt_size(const TokenizerConfig& config) { return config.vocab_size != 0 ? config.vocab_size : 2048; }

std::string Tokenizer::fingerprint() const {
    Hasher hasher;
    for (const auto& [name, contents] : files()) {
        hasher.update(name + '\0' + std::to_string(contents.size()) + '\0');
        hasher.update(contents);
    }
    return hasher.digest();
}

const std::vector<std::string>& tokenizer_file_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all{kMetaFile};
        for (const auto& kind : tokenizer_kinds()) all.insert(all.end(), kind.files.begin(), kind.files.end());
        return all;
    }();
    return names;
}

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& folder) {
    if (!fs::is_directory(folder)) throw DataError("no tokenizer in " + folder.string() + ": there is no such folder");
    return tokenizer_from_files(read_folder(folder), folder.string() + "/");
}

void save_tokenizer(const Tokenizer& tokenizer, const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw Error("cannot create " + folder.string() + ": " + error.message());
    for (const auto& [name, contents] : tokenizer.files()) write_file_atomic(folder / name, contents);
}

std::unique_ptr<Tokenizer> open_tokenizer(const TokenizerConfig& config) {
    if (fs::exists(fs::path(config.file) / kMetaFile)) {
        auto tokenizer = load_tokenizer(config.file);
        if (tokenizer->kind() == config.kind) return tokenizer;
        throw DataError(config.file + " holds a " + tokenizer->kind() + " tokenizer, but tokenizer.kind is " +
                        config.kind);
    }
    const auto& kind = kind_of(config);
    return kind.open(complete(config, kind));
}

std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerConfig& config, const std::vector<std::string>& files,
                                           int threads, const std::string& jsonl_key) {
    const auto& kind = kind_of(config);
    return kind.learn(complete(config, kind), {files, jsonl_key, threads});
}

Json learning_options(const TokenizerConfig& config) {
    const auto& kind = kind_of(config);
    Json options = Json::object();
    const auto whole = complete(config, kind);
    for (const auto& option : kind.options) {
        options[option.key] = std::visit([](const auto& value) { return Json(value); }, whole.options.at(option.key));
    }
    return options;
}

}  // namespace longbow
