// Modular arithmetic: a chain of numbers with +, - and * between them, computed from left to right without precedence,
// so that one running value suffices (after the task of Deletang et al. 2023, whose operators have precedence).
#include "longbow/task/task.h"

namespace longbow {

namespace {

class Modular final : public Task {
public:
    explicit Modular(std::int64_t modulus) : modulus_(modulus) {}

    [[nodiscard]] std::int64_t vocab_size() const override { return kFirstTaskId + modulus_ + kOperators; }
    [[nodiscard]] std::int64_t most_tokens(std::int64_t length) const override { return 2 * length + 2; }
    [[nodiscard]] TaskItem item(std::int64_t length, Random& random) const override {
        const auto number = [&] {
            return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(modulus_)));
        };
        TaskItem item;
        auto value = number();
        item.ask(kFirstTaskId + value);
        for (std::int64_t i = 1; i < length; ++i) {
            const auto op = static_cast<std::int64_t>(random.below(kOperators));
            const auto operand = number();
            item.ask(kFirstTaskId + modulus_ + op);
            item.ask(kFirstTaskId + operand);
            value = (op == 0 ? value + operand : op == 1 ? value - operand + modulus_ : value * operand) % modulus_;
        }
        item.ask(kTaskAsk);
        item.answer(kFirstTaskId + value);
        item.ask(kTaskEnd);
        return item;
    }

private:
    static constexpr std::int64_t kOperators = 3;  // ids after the numbers': + - *
    std::int64_t modulus_;
};

}  // namespace

LONGBOW_REGISTER_TASK(
    {.name = "modular",
     .help = "The value of numbers joined by +, - and * from left to right, without precedence, modulo a number (after "
             "Deletang et al., 2023)",
     .symbol = "numbers",
     .options =
         {{.key = "modulus", .default_value = std::int64_t{5}, .help = "The modulus", .minimum = 2, .maximum = 1024}},
     .make = [](const OptionMap& options) -> std::unique_ptr<Task> {
         return std::make_unique<Modular>(option_int(options, "modulus"));
     }});

}  // namespace longbow
