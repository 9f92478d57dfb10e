// Opens, trains, saves and loads tokenizers of the kind that the configuration names.
#include "longbow/text/tokenizer.h"

#include <algorithm>

#include "bpe_tokenizer.h"
#include "bpe_trainer.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/telemetry/log.h"
#include "meta.h"
#include "pretokenize.h"
#include "sentencepiece_tokenizer.h"
#include "word_tokenizer.h"
#include "wordpiece_tokenizer.h"

namespace longbow {

namespace {

constexpr std::int64_t kDefaultVocabSize = 2048;

std::string read_data_file(const fs::path& path) {
    try {
        return read_file(path);
    } catch (const Error& error) {
        throw DataError(error.what());
    }
}

std::string require(const std::map<std::string, std::string>& files, const std::string& name, const std::string& place) {
    const auto found = files.find(name);
    if (found == files.end()) throw DataError(place + name + " is missing");
    return found->second;
}

std::map<std::string, std::string> read_folder(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& name : tokenizer_file_names()) {
        if (fs::is_regular_file(folder / name)) files[name] = read_data_file(folder / name);
    }
    return files;
}

// Opens GPT-2's two files. `file` is their folder, one of them, or what precedes "vocab.json" in their names.
std::unique_ptr<Tokenizer> open_bpe(const std::string& file) {
    std::string prefix = file;
    if (fs::is_directory(file)) {
        prefix += '/';
    } else {
        for (const std::string_view ending : {"vocab.json", "merges.txt"}) {
            if (file.ends_with(ending)) prefix = file.substr(0, file.size() - ending.size());
        }
    }
    const auto vocab = prefix + "vocab.json", merges = prefix + "merges.txt";
    return std::make_unique<BpeTokenizer>(parse_bpe(read_data_file(vocab), vocab, read_data_file(merges), merges));
}

}  // namespace

std::string_view vocabulary_text(std::string_view text, const std::string& name, bool nul) {
    if (const auto fault = not_utf8(text); !fault.empty()) throw DataError(name + ": " + fault + "; a vocabulary is UTF-8 text");
    if (const auto at = text.find('\0'); at != std::string_view::npos && !nul) {
        throw DataError(name + ": byte " + std::to_string(at) + " is NUL, which no token holds: the file is damaged or of another kind");
    }
    return without_byte_order_mark(text);
}

std::string vocabulary_file(std::string text) { return starts_with(text, kByteOrderMark) ? std::string(kByteOrderMark) + text : text; }

std::string meta_text(const std::string& kind, const Json& options) {
    Json meta{{"format", 1}, {"kind", kind}};
    meta.update(options);
    return meta.dump(2) + "\n";
}

std::string Tokenizer::fingerprint() const {
    Hasher hasher;
    for (const auto& [name, contents] : files()) {
        hasher.update(name + '\0' + std::to_string(contents.size()) + '\0');
        hasher.update(contents);
    }
    return hasher.digest();
}

std::unique_ptr<Tokenizer> tokenizer_from_files(const std::map<std::string, std::string>& files, const std::string& place) {
    const auto meta = parse_json(require(files, kMetaFile, place));
    const bool whole = meta.is_object() && meta.contains("kind") && meta["kind"].is_string();
    if (!whole) throw DataError(place + kMetaFile + " is damaged: no kind");
    if (meta.value("format", Json()) != 1) throw DataError(place + kMetaFile + " was written by another version of longbow");
    const auto kind = meta["kind"].get<std::string>();
    if (kind == "word") {
        return std::make_unique<WordTokenizer>(Dictionary::parse(require(files, "dict.txt", place), place + "dict.txt"));
    }
    if (kind == "bpe") {
        return std::make_unique<BpeTokenizer>(parse_bpe(require(files, "vocab.json", place), place + "vocab.json",
                                                        require(files, "merges.txt", place), place + "merges.txt"));
    }
    if (kind == "wordpiece") {
        const auto lowercase = meta.value("lowercase", Json());
        if (!lowercase.is_boolean()) throw DataError(place + kMetaFile + " is damaged: \"lowercase\" is missing");
        return std::make_unique<WordPieceTokenizer>(WordPieceVocab::parse(require(files, "vocab.txt", place), place + "vocab.txt"),
                                                    lowercase.get<bool>());
    }
    if (kind == "sentencepiece") {
        return std::make_unique<SentencePieceTokenizer>(require(files, "tokenizer.model", place), place + "tokenizer.model");
    }
    throw DataError(place + kMetaFile + ": unknown kind \"" + kind + "\"");
}

const std::vector<std::string>& tokenizer_file_names() {
    static const std::vector<std::string> names{kMetaFile, "dict.txt", "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model"};
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
        throw DataError(config.file + " holds a " + tokenizer->kind() + " tokenizer, but tokenizer.kind is " + config.kind);
    }
    if (config.kind == "word") return std::make_unique<WordTokenizer>(Dictionary::parse(read_data_file(config.file), config.file));
    if (config.kind == "bpe") return open_bpe(config.file);
    if (config.kind == "wordpiece") {
        return std::make_unique<WordPieceTokenizer>(WordPieceVocab::parse(read_data_file(config.file), config.file), config.lowercase);
    }
    if (config.kind == "sentencepiece") {
        auto tokenizer = std::make_unique<SentencePieceTokenizer>(read_data_file(config.file), config.file);
        if (tokenizer->newline_is_unknown()) {
            log::warn(config.file +
                      ": this model has no piece for a newline, so that each line's end is <unk>; train it with byte_fallback, "
                      "or with the newline among its user_defined_symbols, to tell lines apart");
        }
        return tokenizer;
    }
    throw ConfigError("tokenizer.kind: unknown kind \"" + config.kind + "\"");
}

std::unique_ptr<Tokenizer> train_tokenizer(const TokenizerConfig& config, const std::vector<std::string>& files, int threads,
                                           const std::string& jsonl_key) {
    const auto size = config.vocab_size != 0 ? config.vocab_size : kDefaultVocabSize;
    const auto not_empty = [](WordCounts counts) {
        if (counts.size() == 0) throw DataError("the training text holds no words: nothing to learn a vocabulary from");
        return counts;
    };
    if (config.kind == "word") {
        Dictionary::check_limit(config.vocab_size);
        const auto counts = not_empty(count_words(files, jsonl_key, threads, WordTokenizer::rule()));
        return std::make_unique<WordTokenizer>(Dictionary::from_counts(counts, config.vocab_size));
    }
    if (config.kind == "bpe") {
        check_bpe_size(size);
        const WordRule rule{last_word_boundary, [](std::string_view text, WordCounts& counts) {
                                for_each_word(text, [&](std::string_view word) { counts.add(word); });
                            }};
        return std::make_unique<BpeTokenizer>(train_bpe(not_empty(count_words(files, jsonl_key, threads, rule)), size));
    }
    if (config.kind == "sentencepiece") {
        return std::make_unique<SentencePieceTokenizer>(train_sentencepiece(files, jsonl_key, config.sentencepiece_model, size),
                                                        "the trained model");
    }
    if (config.kind == "wordpiece") {
        throw ConfigError("tokenizer.file is missing: wordpiece vocabularies are not learned here; name a BERT vocab.txt");
    }
    throw ConfigError("tokenizer.kind: unknown kind \"" + config.kind + "\"");
}

}  // namespace longbow
