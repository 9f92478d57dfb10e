#include "string_table.h"

#include "longbow/core/error.h"
#include "longbow/core/hash.h"

namespace longbow {

std::uint32_t StringTable::find(std::string_view text) const {
    const auto hash = hash64(text.data(), text.size());
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
        const auto& slot = slots_[i];
        if (slot.index == kNone) return kNone;
        if (slot.tag == tag && (*this)[slot.index] == text) return slot.index;
    }
}

std::uint32_t StringTable::insert(std::string_view text) {
    const auto hash = hash64(text.data(), text.size());
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    std::size_t i = hash & (slots_.size() - 1);
    for (;; i = (i + 1) & (slots_.size() - 1)) {
        const auto& slot = slots_[i];
        if (slot.index == kNone) break;
        if (slot.tag == tag && (*this)[slot.index] == text) return slot.index;
    }
    const auto index = size();
    if (index == kNone - 1)
        throw DataError("the text has more than 4,294,967,294 distinct words: train the vocabulary on a part of it");
    slots_[i] = {index, tag};
    bytes_ += text;
    begins_.push_back(bytes_.size());
    if (std::size_t{size()} * 2 > slots_.size()) grow();
    return index;
}

void StringTable::grow() {
    std::vector<Slot> slots(slots_.size() * 2);
    for (std::uint32_t index = 0; index < size(); ++index) {
        const auto text = (*this)[index];
        const auto hash = hash64(text.data(), text.size());
        std::size_t i = hash & (slots.size() - 1);
        while (slots[i].index != kNone) i = (i + 1) & (slots.size() - 1);
        slots[i] = {index, static_cast<std::uint32_t>(hash >> 32)};
    }
    slots_ = std::move(slots);
}

}  // namespace longbow
