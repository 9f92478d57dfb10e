#include "bpe_tokenizer.h"

#include "meta.h"
#include "pretokenize.h"

namespace longbow {

BpeTokenizer::BpeTokenizer(BpeModel model) : model_(std::move(model)), encoder_(model_), cache_owner_(WordCache::new_owner()) {}

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
    return {{kMetaFile, meta_text("bpe")}, {"vocab.json", format_vocab_json(model_)}, {"merges.txt", format_merges(model_)}};
}

}  // namespace longbow
