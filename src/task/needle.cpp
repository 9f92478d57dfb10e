// A needle in a haystack: noise, in which pairs of a key and a value are hidden; one of the keys is asked for. The
// depth at which its pair stands is uniform.
#include <algorithm>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/task/task.h"

namespace longbow {

namespace {

struct NeedleSizes {
    std::int64_t needles, keys, values, noise;
};

class Needle final : public Task {
public:
    explicit Needle(const NeedleSizes& sizes) : sizes_(sizes) {
        if (sizes.needles > sizes.keys)
            throw ConfigError("task.needles: each of them has a key of its own, so there can be at most task.keys");
    }

    [[nodiscard]] std::int64_t vocab_size() const override {
        return kFirstTaskId + sizes_.keys + sizes_.values + sizes_.noise;
    }
    [[nodiscard]] std::int64_t least_length() const override { return 2 * sizes_.needles; }
    [[nodiscard]] std::int64_t most_tokens(std::int64_t length) const override { return length + 4; }
    [[nodiscard]] TaskItem item(std::int64_t length, Random& random) const override {
        const auto places = length - sizes_.needles;  // a needle takes one of them, and two tokens
        const auto at = different(places, random);
        const auto keys = different(sizes_.keys, random);
        const auto first_value = kFirstTaskId + sizes_.keys, first_noise = first_value + sizes_.values;
        std::int64_t asked_value = 0;
        TaskItem item;
        for (std::int64_t place = 0; place < places; ++place) {
            const auto needle = std::find(at.begin(), at.end(), place);
            if (needle == at.end()) {
                item.ask(first_noise + below(sizes_.noise, random));
                continue;
            }
            const auto value = first_value + below(sizes_.values, random);
            item.ask(kFirstTaskId + keys[static_cast<std::size_t>(needle - at.begin())]);
            item.ask(value);
            if (needle == at.begin()) asked_value = value;
        }
        item.depth = places > 1 ? static_cast<double>(at.front()) / static_cast<double>(places - 1) : 0;
        item.ask(kTaskAsk);
        item.ask(kFirstTaskId + keys.front());
        item.answer(asked_value);
        item.ask(kTaskEnd);
        return item;
    }

private:
    static std::int64_t below(std::int64_t bound, Random& random) {
        return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound)));
    }
    // Returns a number below `bound` for each needle, all different. They are few, so that drawing again is cheap; the
    // bound is at least their number.
    [[nodiscard]] std::vector<std::int64_t> different(std::int64_t bound, Random& random) const {
        std::vector<std::int64_t> numbers;
        while (static_cast<std::int64_t>(numbers.size()) < sizes_.needles) {
            const auto number = below(bound, random);
            if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
        }
        return numbers;
    }

    NeedleSizes sizes_;
};

OptionSpec number_of(const char* key, std::int64_t value, const char* help, double most) {
    return {.key = key, .default_value = value, .help = help, .minimum = 1, .maximum = most};
}

}  // namespace

LONGBOW_REGISTER_TASK(
    {.name = "needle",
     .help = "The value of a key, where the pair of both lies in noise at a uniform depth",
     .symbol = "tokens of the haystack",
     .options = {number_of("needles", 1, "Pairs in the noise, one of which is asked for; at most task.keys", 64),
                 number_of("keys", 16, "Number of different keys", 65536),
                 number_of("values", 16, "Number of different values", 65536),
                 number_of("noise", 16, "Number of different tokens of noise", 65536)},
     .make = [](const OptionMap& options) -> std::unique_ptr<Task> {
         return std::make_unique<Needle>(NeedleSizes{option_int(options, "needles"), option_int(options, "keys"),
                                                     option_int(options, "values"), option_int(options, "noise")});
     }});

}  // namespace longbow
