// What copy, reverse and sort share: n symbols are given, kTaskAsk follows, and the answer has the same n symbols in
// another order and ends with kTaskEnd.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "longbow/task/task.h"

namespace longbow {

class SequenceTask final : public Task {
public:
    // Brings the symbols into the order of the answer.
    using Reorder = void (*)(std::vector<std::int64_t>& symbols);

    SequenceTask(std::int64_t symbols, Reorder reorder) : symbols_(symbols), reorder_(reorder) {}

    [[nodiscard]] std::int64_t vocab_size() const override { return kFirstTaskId + symbols_; }
    [[nodiscard]] std::int64_t most_tokens(std::int64_t length) const override { return 2 * length + 2; }
    [[nodiscard]] TaskItem item(std::int64_t length, Random& random) const override {
        std::vector<std::int64_t> symbols;
        for (std::int64_t i = 0; i < length; ++i) {
            symbols.push_back(kFirstTaskId +
                              static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(symbols_))));
        }
        TaskItem item;
        for (const auto id : symbols) item.ask(id);
        item.ask(kTaskAsk);
        reorder_(symbols);
        for (const auto id : symbols) item.answer(id);
        item.answer(kTaskEnd);
        return item;
    }

private:
    std::int64_t symbols_;
    Reorder reorder_;
};

inline OptionSpec symbols_option() {
    return {.key = "symbols",
            .default_value = std::int64_t{26},
            .help = "Number of different symbols",
            .minimum = 2,
            .maximum = 65536};
}

}  // namespace longbow
