// Multi-query associative recall (Arora et al. 2023, "Zoology"): pairs of a key and a value, then some of the keys
// again, each of which is answered by its value.
#include <algorithm>
#include <utility>
#include <vector>

#include "longbow/task/task.h"

namespace longbow {

namespace {

class Recall final : public Task {
public:
    Recall(std::int64_t keys, std::int64_t values, std::int64_t queries)
        : keys_(keys), values_(values), queries_(queries) {}

    [[nodiscard]] std::int64_t vocab_size() const override { return kFirstTaskId + keys_ + values_; }
    [[nodiscard]] std::int64_t max_length() const override { return keys_; }
    [[nodiscard]] std::int64_t most_tokens(std::int64_t length) const override {
        return 2 * length + 2 * asked(length) + 2;
    }
    [[nodiscard]] TaskItem item(std::int64_t length, Random& random) const override {
        const auto keys = shuffled(keys_, length, random);
        std::vector<std::int64_t> values;
        TaskItem item;
        for (const auto key : keys) {
            values.push_back(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(values_))));
            item.ask(kFirstTaskId + key);
            item.ask(kFirstTaskId + keys_ + values.back());
        }
        item.ask(kTaskAsk);
        for (const auto pair : shuffled(length, asked(length), random)) {
            item.ask(kFirstTaskId + keys[static_cast<std::size_t>(pair)]);
            item.answer(kFirstTaskId + keys_ + values[static_cast<std::size_t>(pair)]);
        }
        item.ask(kTaskEnd);
        return item;
    }

private:
    [[nodiscard]] std::int64_t asked(std::int64_t length) const { return std::min(length, queries_); }
    // Returns `count` different numbers below `size` in a random order.
    static std::vector<std::int64_t> shuffled(std::int64_t size, std::int64_t count, Random& random) {
        std::vector<std::int64_t> all;
        for (std::int64_t i = 0; i < size; ++i) all.push_back(i);
        for (std::int64_t i = 0; i < count; ++i) {
            const auto other = i + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(size - i)));
            std::swap(all[static_cast<std::size_t>(i)], all[static_cast<std::size_t>(other)]);
        }
        all.resize(static_cast<std::size_t>(count));
        return all;
    }

    std::int64_t keys_, values_, queries_;
};

}  // namespace

LONGBOW_REGISTER_TASK(
    {.name = "mqar",
     .help = "Multi-query associative recall: pairs of a key and a value, then keys to answer (Arora et al., 2023)",
     .symbol = "pairs",
     .options = {{.key = "keys",
                  .default_value = std::int64_t{256},
                  .help = "Number of different keys, which is also the most pairs of an item",
                  .minimum = 1,
                  .maximum = 65536},
                 {.key = "values",
                  .default_value = std::int64_t{64},
                  .help = "Number of different values",
                  .minimum = 2,
                  .maximum = 65536},
                 {.key = "queries",
                  .default_value = std::int64_t{4},
                  .help = "Keys that an item asks for, at most as many as it has pairs",
                  .minimum = 1,
                  .maximum = 65536}},
     .make = [](const OptionMap& options) -> std::unique_ptr<Task> {
         return std::make_unique<Recall>(option_int(options, "keys"), option_int(options, "values"),
                                         option_int(options, "queries"));
     }});

}  // namespace longbow
