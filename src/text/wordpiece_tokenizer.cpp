#include "wordpiece_tokenizer.h"

#include <fmt/core.h>

#include <algorithm>

#include "bert_text.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/text/reader.h"
#include "longbow/text/tokenizer_kind.h"
#include "meta.h"
#include "unicode.h"
#include "word_cache.h"

namespace longbow {

namespace {

constexpr std::size_t kMaxChars = 100;

std::size_t count_chars(std::string_view word) {
    return static_cast<std::size_t>(std::count_if(word.begin(), word.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

WordPieceVocab WordPieceVocab::parse(std::string_view text, const std::string& name) {
    text = vocabulary_text(text, name, /*nul=*/false);
    WordPieceVocab vocab;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto token = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!token.empty()) {
            const auto last = decode_utf8_back(token);
            if (char_class(last.value) != CharClass::space) break;
            token.remove_suffix(last.length);
        }
        const auto entry = vocab.table.insert(token);
        // Published vocabularies have several lines of exotic white space alone. No word is spelled with them, but they
        // count as ids.
        if (entry < vocab.ids.size() && !token.empty()) {
            throw DataError(fmt::format("{}:{}: token \"{}\" is already in line {}", name, vocab.tokens.size() + 1,
                                        token, vocab.ids[entry] + 1));
        }
        if (entry == vocab.ids.size()) vocab.ids.push_back(static_cast<TokenId>(vocab.tokens.size()));
        vocab.tokens.emplace_back(token);
        vocab.longest = std::max(vocab.longest, token.size());
    }
    const auto special = [&](std::string_view token) {
        const auto entry = vocab.table.find(token);
        if (entry == StringTable::kNone)
            throw DataError(name + ": it has no " + std::string(token) + ": this is not a BERT vocabulary");
        return vocab.ids[entry];
    };
    vocab.unknown = special("[UNK]");
    vocab.separator = special("[SEP]");
    return vocab;
}

WordPieceTokenizer::WordPieceTokenizer(WordPieceVocab vocab, bool uncased)
    : vocab_(std::move(vocab)), uncased_(uncased), cache_owner_(WordCache::new_owner()) {}

void WordPieceTokenizer::encode(std::string_view text, std::vector<TokenId>& ids) const {
    auto& cache = WordCache::of_thread(cache_owner_);
    for_each_bert_word(text, uncased_, [&](std::string_view word) {
        if (word.size() > WordCache::kLongest) {
            encode_word(word, ids);
            return;
        }
        const WordCache::Key key(word);
        if (cache.append(key, ids)) return;
        const auto begin = ids.size();
        encode_word(word, ids);
        cache.put(key, ids.data() + begin, ids.size() - begin);
    });
}

void WordPieceTokenizer::encode_word(std::string_view word, std::vector<TokenId>& ids) const {
    const auto first_id = ids.size();
    bool spelled = word.size() <= kMaxChars || count_chars(word) <= kMaxChars;
    std::string piece;
    for (std::size_t begin = 0; begin < word.size() && spelled;) {
        piece = begin > 0 ? "##" : "";
        const auto prefix = piece.size();
        piece += word.substr(begin, vocab_.longest);
        // A piece must not end inside a character.
        piece.resize(piece.size() - incomplete_utf8_tail(piece));
        spelled = false;
        while (piece.size() > prefix) {
            const auto entry = vocab_.table.find(piece);
            if (entry != StringTable::kNone) {
                ids.push_back(vocab_.ids[entry]);
                begin += piece.size() - prefix;
                spelled = true;
                break;
            }
            piece.resize(piece.size() - decode_utf8_back(piece).length);
        }
    }
    if (spelled) return;
    ids.resize(first_id);
    ids.push_back(vocab_.unknown);
}

std::string WordPieceTokenizer::decode(const std::vector<TokenId>& ids) const {
    std::string text;
    for (const auto id : ids) {
        const auto& token = vocab_.tokens[checked_id(*this, id)];
        if (text.empty())
            text = token;
        else if (starts_with(token, "##"))
            text += token.substr(2);
        else
            text += ' ' + token;
    }
    return text;
}

std::string WordPieceTokenizer::token_text(TokenId id) const { return vocab_.tokens[checked_id(*this, id)]; }

std::size_t WordPieceTokenizer::safe_split(std::string_view text) const {
    const auto blank = text.find_last_of(" \n\t\r");
    return blank == std::string_view::npos ? 0 : blank + 1;
}

std::map<std::string, std::string> WordPieceTokenizer::files() const {
    std::string text;
    for (const auto& token : vocab_.tokens) text += token + '\n';
    return {{kMetaFile, meta_text(kKind, {{"lowercase", uncased_}})}, {"vocab.txt", vocabulary_file(std::move(text))}};
}

namespace {

std::unique_ptr<Tokenizer> open_wordpiece(const TokenizerConfig& config) {
    return std::make_unique<WordPieceTokenizer>(WordPieceVocab::parse(read_vocabulary(config.file), config.file),
                                                option_bool(config.options, "lowercase"));
}

std::unique_ptr<Tokenizer> load_wordpiece(const StoredTokenizer& stored) {
    const auto lowercase = stored.meta.value("lowercase", Json());
    if (!lowercase.is_boolean()) throw DataError(stored.place + kMetaFile + " is damaged: \"lowercase\" is missing");
    return std::make_unique<WordPieceTokenizer>(
        WordPieceVocab::parse(stored.file("vocab.txt"), stored.place + "vocab.txt"), lowercase.get<bool>());
}

HfTokenizerFiles wordpiece_to_hf(const StoredTokenizer& stored) {
    const auto& text = stored.file("vocab.txt");
    const auto vocab = WordPieceVocab::parse(text, stored.place + "vocab.txt");
    const bool lowercase = stored.meta.value("lowercase", false);
    HfPipeline pipeline;
    Json ids = Json::object();
    std::string specials;
    for (std::size_t id = 0; id < vocab.tokens.size(); ++id) {
        const auto& token = vocab.tokens[id];
        if (ids.contains(token)) continue;  // of lines of white space alone
        ids[token] = id;
        for (const char* special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
            if (token != std::string_view(special)) continue;
            pipeline.added_tokens.push_back(hf_added_token(static_cast<TokenId>(id), token));
            specials += (specials.empty() ? "" : ", ") + token;
        }
    }
    pipeline.normalizer = {{"type", "BertNormalizer"},
                           {"clean_text", true},
                           {"handle_chinese_chars", true},
                           {"strip_accents", nullptr},
                           {"lowercase", lowercase}};
    pipeline.pre_tokenizer = {{"type", "BertPreTokenizer"}};
    pipeline.decoder = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", false}};
    pipeline.model = {{"type", "WordPiece"},
                      {"unk_token", "[UNK]"},
                      {"continuing_subword_prefix", "##"},
                      {"max_input_chars_per_word", kMaxChars},
                      {"vocab", std::move(ids)}};
    HfTokenizerFiles result;
    result.files = {{"tokenizer.json", hf_tokenizer_json(pipeline)}, {"vocab.txt", text}};
    result.notes = {"the texts " + specials + " in a document are tokens there, and text in longbow"};
    return result;
}

std::unique_ptr<Tokenizer> refuse_to_learn(const TokenizerConfig& /*config*/, const TrainingText& /*text*/) {
    throw ConfigError("tokenizer.file is missing: wordpiece vocabularies are not learned here; name a BERT vocab.txt");
}

std::optional<Objection> missing_file_objection(const Config& config) {
    if (!config.tokenizer.file.empty()) return std::nullopt;
    return Objection{{"tokenizer.kind", "tokenizer.file"},
                     "wordpiece vocabularies are not learned here: give its vocab.txt as tokenizer.file"};
}

}  // namespace

LONGBOW_REGISTER_TOKENIZER(
    {.name = WordPieceTokenizer::kKind,
     .help = "BERT vocabulary",
     .file_help = "vocab.txt",
     .options = {{.key = "lowercase",
                  .default_value = false,
                  .help = "Lower-case and strip accents first, as uncased BERT vocabularies expect"}},
     .files = {"vocab.txt"},
     .check = missing_file_objection,
     .open = open_wordpiece,
     .learn = refuse_to_learn,
     .load = load_wordpiece,
     .to_hf = wordpiece_to_hf});

}  // namespace longbow
