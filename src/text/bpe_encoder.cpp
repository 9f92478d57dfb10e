#include "bpe_encoder.h"

namespace longbow {

void BpeEncoder::encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const {
    if (word.size() == 1) {
        ids.push_back(byte_ids_[static_cast<unsigned char>(word[0])]);
        return;
    }
    if (word.size() > WordCache::kLongest) {
        merge(word, ids);
        return;
    }
    const WordCache::Key key(word);
    if (cache.append(key, ids)) return;
    const auto begin = ids.size();
    merge(word, ids);
    cache.put(key, ids.data() + begin, ids.size() - begin);
}

void BpeEncoder::merge(std::string_view word, std::vector<TokenId>& ids) const {
    const auto begin = ids.size();
    for (const char byte : word) ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    ids.resize(begin + merges_.merge(std::span(ids).subspan(begin)));
}

}  // namespace longbow
