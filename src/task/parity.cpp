// Parity of n bits, one token. Transformers do not learn it at lengths beyond the trained ones (Deletang et al. 2023,
// "Neural Networks and the Chomsky Hierarchy"), so a method that solves it deserves suspicion first.
#include "longbow/task/task.h"

namespace longbow {

namespace {

class Parity final : public Task {
public:
    [[nodiscard]] std::int64_t vocab_size() const override { return kFirstTaskId + 2; }
    [[nodiscard]] std::int64_t most_tokens(std::int64_t length) const override { return length + 3; }
    [[nodiscard]] TaskItem item(std::int64_t length, Random& random) const override {
        TaskItem item;
        std::int64_t ones = 0;
        for (std::int64_t i = 0; i < length; ++i) {
            const auto bit = static_cast<std::int64_t>(random.below(2));
            ones += bit;
            item.ask(kFirstTaskId + bit);
        }
        item.ask(kTaskAsk);
        item.answer(kFirstTaskId + ones % 2);
        item.ask(kTaskEnd);
        return item;
    }
};

}  // namespace

LONGBOW_REGISTER_TASK({.name = "parity",
                       .help = "Whether the number of ones among the input's bits is odd (Deletang et al., 2023)",
                       .symbol = "bits",
                       .make = [](const OptionMap&) -> std::unique_ptr<Task> { return std::make_unique<Parity>(); }});

}  // namespace longbow
