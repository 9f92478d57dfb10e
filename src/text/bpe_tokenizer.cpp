#include "bpe_tokenizer.h"

#include <filesystem>

#include "bpe_trainer.h"
#include "longbow/text/tokenizer_kind.h"
#include "meta.h"
#include "pretokenize.h"

namespace longbow {

BpeTokenizer::BpeTokenizer(BpeModel model)
    : model_(std::move(model)), encoder_(model_), cache_owner_(WordCache::new_owner()) {}

void BpeTokenizer::encode(std::string_view text, std::vector<TokenId>& ids) const {
    auto& cache = WordCache::of_thread(cache_owner_);
    for_each_word(text, [&](std::string_view word) { encoder_.encode(word, cache, ids); });
}

std::string BpeTokenizer::decode(const std::vector<TokenId>& ids) const {
    std::string text;
    for (const auto id : ids) text += model_.bytes[checked_id(*this, id)];
    return text;
}

std::string BpeTokenizer::token_text(TokenId id) const { return model_.names[checked_id(*this, id)]; }

std::size_t BpeTokenizer::safe_split(std::string_view text) const { return last_word_boundary(text); }

std::map<std::string, std::string> BpeTokenizer::files() const {
    return {{kMetaFile, meta_text(kKind)},
            {"vocab.json", format_vocab_json(model_)},
            {"merges.txt", format_merges(model_)}};
}

// GPT-2's pattern is the one that ByteLevel has built in.
HfPipeline bpe_pipeline(const BpeModel& model) {
    HfPipeline pipeline;
    const Json byte_level{
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
    pipeline.pre_tokenizer = byte_level;
    pipeline.post_processor = byte_level;
    pipeline.decoder = byte_level;
    Json lines = Json::array();
    for (const auto& merge : model.merges) lines.push_back(model.names[merge.left] + " " + model.names[merge.right]);
    Json::object_t ids;
    // Setting a key looks for it in all that are there, and names are known to differ.
    for (std::size_t id = 0; id < model.names.size(); ++id)
        static_cast<Json::object_t::Container&>(ids).emplace_back(model.names[id], id);
    pipeline.model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", false},
                      {"vocab", std::move(ids)},
                      {"merges", std::move(lines)}};
    return pipeline;
}

namespace {

// GPT-2's two files: a folder, one of the two, or what stands before "vocab.json" in their names.
std::unique_ptr<Tokenizer> open_bpe(const TokenizerConfig& config) {
    const auto& file = config.file;
    std::string prefix = file;
    if (std::filesystem::is_directory(file)) {
        prefix += '/';
    } else {
        for (const std::string_view ending : {"vocab.json", "merges.txt"}) {
            if (file.ends_with(ending)) prefix = file.substr(0, file.size() - ending.size());
        }
    }
    const auto vocab = prefix + "vocab.json", merges = prefix + "merges.txt";
    return std::make_unique<BpeTokenizer>(parse_bpe(read_vocabulary(vocab), vocab, read_vocabulary(merges), merges));
}

// What `tokenizers`' BpeTrainer learns from the same documents as whole strings; <|endoftext|> is the last id.
std::unique_ptr<Tokenizer> learn_bpe(const TokenizerConfig& config, const TrainingText& text) {
    const auto size = learnt_size(config);
    check_bpe_size(size);
    const WordRule rule{last_word_boundary, [](std::string_view piece, WordCounts& counts) {
                            for_each_word(piece, [&](std::string_view word) { counts.add(word); });
                        }};
    return std::make_unique<BpeTokenizer>(train_bpe(count_words(text, rule), size));
}

std::unique_ptr<Tokenizer> load_bpe(const StoredTokenizer& stored) {
    return std::make_unique<BpeTokenizer>(parse_bpe(stored.file("vocab.json"), stored.place + "vocab.json",
                                                    stored.file("merges.txt"), stored.place + "merges.txt"));
}

HfTokenizerFiles bpe_to_hf(const StoredTokenizer& stored) {
    const auto& vocab = stored.file("vocab.json");
    const auto& merges = stored.file("merges.txt");
    const auto model = parse_bpe(vocab, stored.place + "vocab.json", merges, stored.place + "merges.txt");
    auto pipeline = bpe_pipeline(model);
    const auto& boundary = model.names[model.boundary];
    pipeline.added_tokens.push_back(hf_added_token(model.boundary, boundary));
    HfTokenizerFiles result;
    result.files = {{"tokenizer.json", hf_tokenizer_json(pipeline)}, {"vocab.json", vocab}, {"merges.txt", merges}};
    result.notes = {"the text " + boundary + " in a document is the token there, and text in longbow"};
    return result;
}

std::optional<Objection> size_objection(const Config& config) {
    const auto size = config.tokenizer.vocab_size;
    if (!config.tokenizer.file.empty() || size == 0 || size >= 257) return std::nullopt;
    return Objection{{"tokenizer.vocab_size", "tokenizer.kind"},
                     "a byte-level vocabulary has at least 257 entries: 256 bytes and <|endoftext|>"};
}

}  // namespace

LONGBOW_REGISTER_TOKENIZER({.name = BpeTokenizer::kKind,
                            .help = "byte level",
                            .file_help = "a folder or prefix of vocab.json and merges.txt",
                            .files = {"vocab.json", "merges.txt"},
                            .check = size_objection,
                            .open = open_bpe,
                            .learn = learn_bpe,
                            .load = load_bpe,
                            .to_hf = bpe_to_hf});

}  // namespace longbow
