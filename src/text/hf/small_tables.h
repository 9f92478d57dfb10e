// Tables that the encoding of each character asks: open addressing, whose keys are numbers.
#pragma once

#include <cstdint>
#include <vector>

namespace longbow::hf {

// From a number, which is not the highest one of its type, to another.
template <class Key, class Value>
class NumberTable {
public:
    static constexpr Key kFree = static_cast<Key>(-1);

    // The first value of a key counts.
    void insert(Key key, Value value) {
        if ((used_ + 1) * 2 > slots_.size()) grow();
        auto& slot = slots_[place(key)];
        if (slot.key == key) return;
        slot = {key, value};
        ++used_;
    }
    // Null where the key is not there.
    [[nodiscard]] const Value* find(Key key) const {
        const auto& slot = slots_[place(key)];
        return slot.key == key ? &slot.value : nullptr;
    }

private:
    struct Slot {
        Key key = kFree;
        Value value{};
    };
    [[nodiscard]] std::size_t place(Key key) const {
        auto i = static_cast<std::size_t>((std::uint64_t{key} * 0x9E3779B97F4A7C15ULL) >> 32) & (slots_.size() - 1);
        while (slots_[i].key != key && slots_[i].key != kFree) i = (i + 1) & (slots_.size() - 1);
        return i;
    }
    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const auto& slot : old) {
            if (slot.key != kFree) slots_[place(slot.key)] = slot;
        }
    }

    std::vector<Slot> slots_ = std::vector<Slot>(16);
    std::size_t used_ = 0;
};

}  // namespace longbow::hf
