// Caches the ids of words that a thread has encoded recently. Its size is bounded: at kEntries words or kIds ids it is
// emptied.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "longbow/text/tokenizer.h"

namespace longbow {

class WordCache {
public:
    static constexpr std::size_t kLongest = 32;  // bytes of the longest word that is cached

    // Stores a word in four 64-bit integers, so that comparing takes four instructions.
    struct Key {
        std::uint64_t part[4] = {0, 0, 0, 0};
        std::uint32_t length;
        explicit Key(std::string_view word) : length(static_cast<std::uint32_t>(word.size())) {
            std::memcpy(part, word.data(), word.size());
        }
        Key() : length(0) {}
        bool operator==(const Key& other) const {
            return ((part[0] ^ other.part[0]) | (part[1] ^ other.part[1]) | (part[2] ^ other.part[2]) |
                    (part[3] ^ other.part[3])) == 0 &&
                   length == other.length;
        }
    };

    // Returns the calling thread's cache, emptied if another tokenizer used it last.
    static WordCache& of_thread(std::uint64_t owner);
    // Returns a number that no other tokenizer of this process has.
    static std::uint64_t new_owner();

    bool append(const Key& key, std::vector<TokenId>& ids) const {
        for (std::size_t i = hash(key);; i = (i + 1) & (kSlots - 1)) {
            const auto& entry = entries_[i];
            if (entry.key.length == 0) return false;
            if (!(entry.key == key)) continue;
            const auto* first = ids_.data() + entry.begin;
            ids.insert(ids.end(), first, first + entry.count);
            return true;
        }
    }
    void put(const Key& key, const TokenId* ids, std::size_t count);

private:
    static constexpr std::size_t kEntries = 1 << 14, kSlots = kEntries * 2, kIds = 1 << 18;
    struct Entry {
        Key key;
        std::uint32_t begin = 0, count = 0;
    };
    static std::size_t hash(const Key& key) {
        const auto mixed = (key.part[0] * 0x9E3779B97F4A7C15ULL) ^ (key.part[1] * 0xC2B2AE3D27D4EB4FULL) ^
                           ((key.part[2] ^ key.part[3] << 1) * 0x165667B19E3779F9ULL) ^ key.length;
        return (mixed ^ (mixed >> 29) ^ (mixed >> 47)) & (kSlots - 1);
    }
    void clear();

    std::uint64_t owner_ = 0;
    std::size_t used_ = 0;
    std::vector<Entry> entries_ = std::vector<Entry>(kSlots);
    std::vector<TokenId> ids_;
};

}  // namespace longbow
