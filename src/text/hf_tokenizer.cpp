#include "hf_tokenizer.h"

#include <algorithm>
#include <charconv>

#include "longbow/core/files.h"
#include "longbow/core/utf8.h"
#include "longbow/telemetry/log.h"
#include "longbow/text/tokenizer_kind.h"
#include "meta.h"

namespace longbow {

namespace {

constexpr const char* kFile = "tokenizer.json";

std::optional<hf::Component> section(const hf::TokenizerJson& file, const std::string& name, const char* key) {
    return hf::Component(file.rest, name, "").object(key);
}

hf::Bpe read_model(const hf::TokenizerJson& file, const std::string& name, bool byte_level) {
    auto model = section(file, name, "model");
    if (!model) throw DataError(name + ": it has no model: this is no tokenizer.json");
    if (!model->type().empty() && model->type() != "BPE") {
        model->refuse(
            "the type \"" + model->type() +
            "\" is not known here; known is BPE. A model of sentencepiece (Unigram) is read from its .model, a "
            "WordPiece vocabulary from its vocab.txt");
    }
    if (!file.has_vocab || !file.has_merges) model->refuse("a BPE model has vocab and merges");
    const auto* dropout = model->find("dropout");
    if (dropout != nullptr && *dropout != 0) model->refuse("dropout: ids that depend on chance are not possible here");
    for (const auto* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (model->find(key) != nullptr && !model->text(key).empty())
            model->refuse(std::string(key) + " is not known here");
    }
    hf::BpeOptions options{.unknown = model->find("unk_token") != nullptr ? model->text("unk_token") : "",
                           .fuse_unknown = model->flag("fuse_unk", false),
                           .byte_fallback = model->flag("byte_fallback", false),
                           .ignore_merges = model->flag("ignore_merges", false),
                           .byte_level = byte_level};
    model->check_all_read();
    return {file.vocabulary, std::move(options), name};
}

}  // namespace

HfTokenizer::HfTokenizer(std::string json, const std::string& name, HfTokenizerOptions options)
    : HfTokenizer(hf::read_tokenizer_json(json, name), json, name, std::move(options)) {}

HfTokenizer::HfTokenizer(const hf::TokenizerJson& file, std::string json, const std::string& name,
                         HfTokenizerOptions options)
    : json_(std::move(json)),
      options_(std::move(options)),
      normalizer_(section(file, name, "normalizer")),
      pre_tokenizer_(section(file, name, "pre_tokenizer")),
      around_(hf::read_post_processor(section(file, name, "post_processor"))),
      decoder_(section(file, name, "decoder")),
      bpe_(read_model(file, name, pre_tokenizer_.byte_level())),
      cache_owner_(WordCache::new_owner()) {
    hf::Component root(file.rest, name, "");
    if (root.find("version") != nullptr && root.text("version") != "1.0")
        root.refuse("the version " + root.text("version") + " is not known here");
    for (const auto* key :
         {"normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "truncation", "padding"})
        root.ignore(key);
    if (pre_tokenizer_.asks_for_first() &&
        (normalizer_.moves_first() || (pre_tokenizer_.asks_for_first_later() && !normalizer_.empty())))
        root.refuse("pre_tokenizer: the prepend_scheme \"first\" behind this normalizer is not known here");
    vocab_size_ = static_cast<std::int64_t>(bpe_.end());
    add_tokens(root.objects("added_tokens"), name);
    root.check_all_read();
    boundary_ = find_boundary(name);
}

// As `tokenizers` does: an added token has the id of its text in the vocabulary, or else the next id behind it,
// whatever the file says.
void HfTokenizer::add_tokens(std::vector<hf::Component> entries, const std::string& name) {
    auto next = static_cast<TokenId>(bpe_.size());
    std::vector<hf::AddedToken> tokens[2];  // without and with normalization
    std::vector<std::string> texts[2];
    std::vector<bool> ignored[2];
    std::map<std::string, TokenId> patterns[2];
    for (auto& entry : entries) {
        hf::AddedToken token{.content = entry.text("content"),
                             .single_word = entry.flag("single_word"),
                             .lstrip = entry.flag("lstrip"),
                             .rstrip = entry.flag("rstrip"),
                             .normalized = entry.flag("normalized"),
                             .special = entry.flag("special")};
        const auto written = entry.number("id", 0xFFFFFFFE);
        entry.check_all_read();
        if (token.content.empty()) continue;
        if (added_ids_.contains(token.content)) entry.refuse("the token \"" + token.content + "\" is added twice");
        const auto known = bpe_.find(token.content);
        token.id = known ? *known : next++;
        if (!known && bpe_.text(token.id) != nullptr)
            entry.refuse("the id " + std::to_string(token.id) + ", which is next, is another token's");
        if (token.id != written) {
            log::warn(name + ": the added token \"" + token.content + "\" has the id " + std::to_string(written) +
                      " in the file, but " + std::to_string(token.id) + " by the rules of `tokenizers`");
        }
        auto text = token.content;
        if (token.normalized) {
            std::string buffers[2];
            text = normalizer_.apply(token.content, buffers);
            if (text.empty()) entry.refuse("the normalizer leaves nothing of it");
            if (text != token.content) normalized_[token.id] = text;
        }
        const auto list = static_cast<std::size_t>(token.normalized);
        if (!patterns[list].try_emplace(text, token.id).second)
            entry.refuse("the normalized text \"" + text + "\" is another added token's too");
        added_ids_[token.content] = token.id;
        vocab_size_ = std::max(vocab_size_, static_cast<std::int64_t>(token.id) + 1);
        tokens[list].push_back(token);
        texts[list].push_back(text);
        ignored[list].push_back(token.special && options_.specials == SpecialText::text);
        added_[token.id] = std::move(token);
    }
    raw_tokens_ = std::make_unique<hf::AddedTokens>(std::move(tokens[0]), std::move(texts[0]), std::move(ignored[0]));
    normalized_tokens_ =
        std::make_unique<hf::AddedTokens>(std::move(tokens[1]), std::move(texts[1]), std::move(ignored[1]));
}

TokenId HfTokenizer::find_boundary(const std::string& name) const {
    if (const auto& wanted = options_.boundary; !wanted.empty()) {
        // A number is an id, although vocabularies have tokens of digits, too.
        TokenId id = 0;
        const auto* end = wanted.data() + wanted.size();
        const auto [stop, error] = std::from_chars(wanted.data(), end, id);
        if (error == std::errc() && stop == end && static_cast<std::int64_t>(id) < vocab_size_) return id;
        if (const auto token = find_token(wanted)) return *token;
        throw DataError(name + ": tokenizer.boundary: it has no token \"" + wanted + "\"");
    }
    if (const auto id = find_token("<|endoftext|>")) return *id;
    if (!around_.prefix.empty() && static_cast<std::int64_t>(around_.prefix[0]) < vocab_size_) return around_.prefix[0];
    for (const auto* usual : {"</s>", "<|end_of_text|>", "<s>", "<eos>", "<bos>", "<|begin_of_text|>"}) {
        if (const auto id = find_token(usual)) return *id;
    }
    throw DataError(name +
                    ": no token is called as one that ends documents usually is; name one as tokenizer.boundary");
}

std::optional<TokenId> HfTokenizer::find_token(std::string_view text) const {
    const auto added = added_ids_.find(text);
    return added != added_ids_.end() ? std::optional(added->second) : bpe_.find(text);
}

void HfTokenizer::encode(std::string_view text, std::vector<TokenId>& ids) const {
    auto& cache = WordCache::of_thread(cache_owner_);
    std::deque<std::string> steps;
    std::string buffers[2];
    const hf::Next::Sink sink = [&](std::string_view piece) { bpe_.encode(piece, cache, ids); };
    const auto add = [&](TokenId id) { ids.push_back(id); };
    raw_tokens_->split(
        text,
        [&](std::string_view piece) {
            const bool first = piece.data() == text.data();
            const auto normal = normalizer_.apply(piece, buffers);
            normalized_tokens_->split(
                normal,
                [&](std::string_view part) {
                    pre_tokenizer_.run({part, first && part.data() == normal.data()}, steps, sink);
                },
                add);
        },
        add);
}

std::string HfTokenizer::decode(const std::vector<TokenId>& ids) const {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const auto id : ids) {
        const auto normalized = normalized_.find(checked_id(*this, id));
        if (normalized != normalized_.end())
            tokens.push_back(normalized->second);
        else if (auto text = token_text(id); !text.empty())
            tokens.push_back(std::move(text));
    }
    return decoder_.decode(std::move(tokens));
}

std::string HfTokenizer::token_text(TokenId id) const {
    const auto added = added_.find(checked_id(*this, id));
    if (added != added_.end()) return added->second.content;
    const auto* text = bpe_.text(id);
    return text != nullptr ? *text : std::string();
}

// A cut is safe where no added token reaches across it, the normalizer does not look across it, and a piece ends there
// in the whole text too, or at least no merge reaches across it.
std::size_t HfTokenizer::safe_split(std::string_view text) const {
    std::optional<char32_t> following, after;
    for (auto at = text.size(); at > 0;) {
        const auto c = decode_utf8_back(text.substr(0, at));
        if (following && !raw_tokens_->may_span(c.value, *after)) {
            char32_t one = c.value, other = *after;
            if (normalizer_.may_cut(one, other, *following) && !normalized_tokens_->may_span(one, other)) {
                const auto cut = pre_tokenizer_.cut(one, other);
                if (cut == hf::Cut::boundary || (cut == hf::Cut::through && bpe_.may_cut(one, other))) return at;
            }
        }
        following = after;
        after = c.value;
        at -= c.length;
    }
    return 0;
}

std::map<std::string, std::string> HfTokenizer::files() const {
    const auto boundary = options_.boundary.empty() ? token_text(boundary_) : options_.boundary;
    const Json options{{"boundary", boundary}, {"specials", std::string(name_of(options_.specials))}};
    return {{kMetaFile, meta_text(kKind, options)}, {kFile, json_}};
}

std::unique_ptr<Tokenizer> make_hf_tokenizer(std::string json, const std::string& name,
                                             const HfTokenizerOptions& options) {
    return std::make_unique<HfTokenizer>(std::move(json), name, options);
}

namespace {

std::unique_ptr<Tokenizer> open_hf(const TokenizerConfig& config) {
    const fs::path given = config.file;
    const auto file = (fs::is_directory(given) ? given / kFile : given).string();
    const HfTokenizerOptions options{.specials = option_choice<SpecialText>(config.options, "specials"),
                                     .boundary = option_string(config.options, "boundary")};
    return make_hf_tokenizer(read_vocabulary(file), file, options);
}

std::unique_ptr<Tokenizer> load_hf(const StoredTokenizer& stored) {
    const auto& meta = stored.meta;
    const auto text = [&](const char* key) {
        const auto value = meta.value(key, Json());
        if (!value.is_string()) throw DataError(stored.place + kMetaFile + " is damaged: \"" + key + "\" is missing");
        return value.get<std::string>();
    };
    const auto specials = choice_named<SpecialText>(text("specials"));
    if (!specials) throw DataError(stored.place + kMetaFile + " is damaged: \"specials\" is " + text("specials"));
    return make_hf_tokenizer(stored.file(kFile), stored.place + kFile, {*specials, text("boundary")});
}

std::unique_ptr<Tokenizer> refuse_to_learn(const TokenizerConfig& /*config*/, const TrainingText& /*text*/) {
    throw ConfigError("tokenizer.file is missing: a tokenizer.json is not learned here; name one");
}

std::optional<Objection> missing_file_objection(const Config& config) {
    if (!config.tokenizer.file.empty()) return std::nullopt;
    return Objection{{"tokenizer.kind", "tokenizer.file"},
                     "a tokenizer.json is not learned here: give one as tokenizer.file"};
}

std::vector<OptionSpec> options() {
    auto specials = choice_option("specials", SpecialText::token, "What the text of a special token becomes");
    specials.since = "0.3.0";
    return {
        specials,
        {.key = "boundary",
         .default_value = std::string(),
         .help = "The text or id of the token that ends documents. Empty: <|endoftext|>, else the first token of the "
                 "post-processor, else a usual name",
         .since = "0.3.0"}};
}

}  // namespace

LONGBOW_REGISTER_TOKENIZER({.name = HfTokenizer::kKind,
                            .help = "a Hugging Face tokenizer.json",
                            .file_help = "tokenizer.json or its folder",
                            .options = options(),
                            .files = {kFile},
                            .check = missing_file_objection,
                            .open = open_hf,
                            .learn = refuse_to_learn,
                            .load = load_hf});

}  // namespace longbow
