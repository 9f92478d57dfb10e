#include "word_cache.h"

#include <atomic>

namespace longbow {

WordCache& WordCache::of_thread(std::uint64_t owner) {
    thread_local WordCache cache;
    if (cache.owner_ != owner) {
        cache.clear();
        cache.owner_ = owner;
    }
    return cache;
}

std::uint64_t WordCache::new_owner() {
    static std::atomic<std::uint64_t> next{1};
    return next++;
}

void WordCache::put(const Key& key, const TokenId* ids, std::size_t count) {
    if (used_ == kEntries || ids_.size() + count > kIds) clear();
    std::size_t i = hash(key);
    while (entries_[i].key.length != 0) i = (i + 1) & (kSlots - 1);
    entries_[i] = {key, static_cast<std::uint32_t>(ids_.size()), static_cast<std::uint32_t>(count)};
    ids_.insert(ids_.end(), ids, ids + count);
    ++used_;
}

void WordCache::clear() {
    if (used_ > 0) entries_.assign(kSlots, Entry());
    ids_.clear();
    used_ = 0;
}

}  // namespace longbow
