// Addition of two numbers of n digits each, leading zeros included; the sum has n + 1 digits. With the digits reversed,
// each digit of the sum depends on the two before it and a carry, which is far easier to learn and to continue beyond
// the trained length (Zhou et al. 2024, "Transformers Can Achieve Length Generalization But Not Robustly").
#include <algorithm>
#include <vector>

#include "longbow/task/task.h"

namespace longbow {

namespace {

class Addition final : public Task {
public:
    Addition(std::int64_t base, bool reversed) : base_(base), reversed_(reversed) {}

    [[nodiscard]] std::int64_t vocab_size() const override { return plus() + 1; }
    [[nodiscard]] std::int64_t most_tokens(std::int64_t length) const override { return 3 * length + 4; }
    [[nodiscard]] TaskItem item(std::int64_t length, Random& random) const override {
        const auto a = number(length, random), b = number(length, random);
        TaskItem item;
        for (const auto digit : written(a)) item.ask(kFirstTaskId + digit);
        item.ask(plus());
        for (const auto digit : written(b)) item.ask(kFirstTaskId + digit);
        item.ask(kTaskAsk);
        for (const auto digit : written(sum(a, b))) item.answer(kFirstTaskId + digit);
        item.answer(kTaskEnd);
        return item;
    }

private:
    using Digits = std::vector<std::int64_t>;  // the least significant first

    [[nodiscard]] std::int64_t plus() const { return kFirstTaskId + base_; }
    [[nodiscard]] Digits number(std::int64_t length, Random& random) const {
        Digits digits;
        for (std::int64_t i = 0; i < length; ++i)
            digits.push_back(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(base_))));
        return digits;
    }
    [[nodiscard]] Digits sum(const Digits& a, const Digits& b) const {
        Digits digits;
        std::int64_t carry = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            const auto column = a[i] + b[i] + carry;
            digits.push_back(column % base_);
            carry = column / base_;
        }
        digits.push_back(carry);
        return digits;
    }
    [[nodiscard]] Digits written(Digits digits) const {
        if (!reversed_) std::reverse(digits.begin(), digits.end());
        return digits;
    }

    std::int64_t base_;
    bool reversed_;
};

}  // namespace

LONGBOW_REGISTER_TASK(
    {.name = "addition",
     .help = "The sum of two numbers of equally many digits, with one digit more",
     .symbol = "digits of each number",
     .options =
         {{.key = "base", .default_value = std::int64_t{10}, .help = "Of the numbers", .minimum = 2, .maximum = 64},
          {.key = "reversed",
           .default_value = false,
           .help = "All three numbers begin with their least significant digit"}},
     .make = [](const OptionMap& options) -> std::unique_ptr<Task> {
         return std::make_unique<Addition>(option_int(options, "base"), option_bool(options, "reversed"));
     }});

}  // namespace longbow
