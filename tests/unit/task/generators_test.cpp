// Each item's answer is computed again in another way than its task does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "longbow/task/task.h"

namespace longbow {

namespace {

using Ids = std::vector<std::int64_t>;

struct Parts {
    Ids question, answer;  // without kTaskAsk and kTaskEnd; own ids from 0
};

Parts parts_of(const TaskItem& item) {
    Parts parts;
    EXPECT_EQ(item.tokens.size(), item.scored.size());
    EXPECT_EQ(item.tokens.back(), kTaskEnd);
    const auto asked = std::find(item.tokens.begin(), item.tokens.end(), kTaskAsk);
    for (auto id = item.tokens.begin(); id != item.tokens.end() - 1; ++id) {
        const auto at = static_cast<std::size_t>(id - item.tokens.begin());
        EXPECT_TRUE(!item.scored[at] || id > asked) << "a question gives no loss";
        if (id == asked) continue;
        (id < asked ? parts.question : parts.answer).push_back(*id - kFirstTaskId);
    }
    return parts;
}

std::unique_ptr<Task> task_named(const std::string& name, OptionMap options = {}) {
    return make_task({name, 20, std::move(options)});
}

// Calls `check` for items of many lengths, and checks what holds for all tasks.
template <class Check>
void each_item(const Task& task, std::int64_t most, Check check) {
    for (std::uint64_t index = 0; index < 300; ++index) {
        const auto item = make_item(task, task.least_length(), most, training_item_seed(index));
        for (const auto id : item.tokens) {
            ASSERT_GE(id, 0);
            ASSERT_LT(id, task.vocab_size());
        }
        ASSERT_LE(std::ssize(item.tokens), task.most_tokens(most));
        check(item, parts_of(item));
    }
}

void expect_all_scored_after_ask(const TaskItem& item) {
    const auto asked = std::find(item.tokens.begin(), item.tokens.end(), kTaskAsk) - item.tokens.begin();
    for (std::ptrdiff_t at = 0; at < std::ssize(item.tokens); ++at)
        EXPECT_EQ(item.scored[static_cast<std::size_t>(at)], at > asked);
}

TEST(Generators, Copy) {
    each_item(*task_named("copy"), 20, [](const TaskItem& item, const Parts& parts) {
        EXPECT_EQ(parts.answer, parts.question);
        expect_all_scored_after_ask(item);
    });
}

TEST(Generators, Reverse) {
    each_item(*task_named("reverse"), 20, [](const TaskItem& item, const Parts& parts) {
        ASSERT_EQ(parts.answer.size(), parts.question.size());
        for (std::size_t i = 0; i < parts.answer.size(); ++i)
            EXPECT_EQ(parts.answer[i], parts.question[parts.question.size() - 1 - i]);
        expect_all_scored_after_ask(item);
    });
}

TEST(Generators, Sort) {
    each_item(*task_named("sort", {{"symbols", std::int64_t{7}}}), 20, [](const TaskItem& item, const Parts& parts) {
        std::map<std::int64_t, int> counts;
        for (const auto id : parts.question) ++counts[id];
        for (const auto id : parts.answer) --counts[id];
        for (const auto& [id, count] : counts) EXPECT_EQ(count, 0) << id;
        for (std::size_t i = 1; i < parts.answer.size(); ++i) EXPECT_LE(parts.answer[i - 1], parts.answer[i]);
        expect_all_scored_after_ask(item);
    });
}

// Reads digits as a number. Of numbers of up to 18 digits the machine's own addition knows the sum.
std::int64_t number_of(Ids digits, std::int64_t base, bool reversed) {
    if (reversed) std::reverse(digits.begin(), digits.end());
    std::int64_t number = 0;
    for (const auto digit : digits) number = number * base + digit;
    return number;
}

void check_addition(std::int64_t base, bool reversed) {
    const auto task = task_named("addition", {{"base", base}, {"reversed", reversed}});
    each_item(*task, 17, [&](const TaskItem& item, const Parts& parts) {
        const auto plus = std::find(parts.question.begin(), parts.question.end(), base);
        ASSERT_NE(plus, parts.question.end());
        const Ids a(parts.question.begin(), plus), b(plus + 1, parts.question.end());
        ASSERT_EQ(a.size(), b.size());
        ASSERT_EQ(parts.answer.size(), a.size() + 1);
        EXPECT_EQ(number_of(a, base, reversed) + number_of(b, base, reversed), number_of(parts.answer, base, reversed));
        expect_all_scored_after_ask(item);
    });
}

TEST(Generators, Addition) { check_addition(10, false); }
TEST(Generators, AdditionReversed) { check_addition(10, true); }
TEST(Generators, AdditionInBase2) { check_addition(2, true); }

TEST(Generators, Parity) {
    each_item(*task_named("parity"), 20, [](const TaskItem& item, const Parts& parts) {
        std::int64_t parity = 0;
        for (const auto bit : parts.question) parity ^= bit;
        EXPECT_EQ(parts.answer, Ids{parity});
        EXPECT_FALSE(item.scored.back());
    });
}

// Without the modulus on the way, the values of short chains fit into an integer.
TEST(Generators, Modular) {
    constexpr std::int64_t kModulus = 7;
    std::set<std::int64_t> operators;
    each_item(*task_named("modular", {{"modulus", kModulus}}), 12, [&](const TaskItem& item, const Parts& parts) {
        auto value = parts.question[0];
        for (std::size_t i = 1; i < parts.question.size(); i += 2) {
            const auto op = parts.question[i] - kModulus, operand = parts.question[i + 1];
            operators.insert(op);
            if (op == 0) value += operand;
            if (op == 1) value -= operand;
            if (op == 2) value *= operand;
        }
        EXPECT_EQ(parts.answer, Ids{(value % kModulus + kModulus) % kModulus});
        EXPECT_FALSE(item.scored.back());
    });
    EXPECT_EQ(operators, (std::set<std::int64_t>{0, 1, 2}));
}

TEST(Generators, MultiQueryRecall) {
    constexpr std::int64_t kKeys = 30;
    const auto task = task_named("mqar", {{"keys", kKeys}, {"queries", std::int64_t{3}}});
    EXPECT_EQ(task->max_length(), kKeys);
    each_item(*task, 30, [&](const TaskItem& item, const Parts& parts) {
        std::map<std::int64_t, std::int64_t> value_of;
        for (std::size_t i = 0; i < parts.question.size(); i += 2) {
            EXPECT_LT(parts.question[i], kKeys);
            EXPECT_GE(parts.question[i + 1], kKeys);
            EXPECT_TRUE(value_of.emplace(parts.question[i], parts.question[i + 1]).second) << "a key comes once";
        }
        const auto asked = std::min<std::size_t>(3, value_of.size());
        ASSERT_EQ(parts.answer.size(), 2 * asked);
        std::set<std::int64_t> keys;
        for (std::size_t i = 0; i < parts.answer.size(); i += 2) {
            EXPECT_TRUE(keys.insert(parts.answer[i]).second);
            EXPECT_EQ(parts.answer[i + 1], value_of.at(parts.answer[i]));
        }
        const auto first = item.tokens.size() - 1 - 2 * asked;
        for (std::size_t at = 0; at < item.tokens.size(); ++at) {
            const bool is_value = at >= first && at + 1 < item.tokens.size() && (at - first) % 2 == 1;
            EXPECT_EQ(item.scored[at], is_value) << at;
        }
    });
}

TEST(Generators, Needle) {
    constexpr std::int64_t kKeys = 5, kValues = 9;
    const auto task = task_named("needle", {{"keys", kKeys}, {"values", kValues}, {"needles", std::int64_t{3}}});
    EXPECT_EQ(task->least_length(), 6);
    std::vector<int> bins(10);
    each_item(*task, 60, [&](const TaskItem& item, const Parts& parts) {
        std::map<std::int64_t, std::int64_t> value_of;
        std::map<std::int64_t, int> place_of;
        int place = 0;
        for (std::size_t i = 0; i < parts.question.size(); ++i, ++place) {
            if (parts.question[i] >= kKeys) continue;
            EXPECT_TRUE(value_of.emplace(parts.question[i], parts.question[i + 1]).second);
            place_of[parts.question[i]] = place;
            ++i;
        }
        ASSERT_EQ(value_of.size(), 3U);
        ASSERT_EQ(parts.answer.size(), 2U);
        EXPECT_EQ(parts.answer[1], value_of.at(parts.answer[0]));
        EXPECT_GE(parts.answer[1], kKeys);
        EXPECT_LT(parts.answer[1], kKeys + kValues);
        EXPECT_DOUBLE_EQ(item.depth, static_cast<double>(place_of.at(parts.answer[0])) / (place - 1));
        ++bins[std::min<std::size_t>(9, static_cast<std::size_t>(item.depth * 10))];
        EXPECT_EQ(std::count(item.scored.begin(), item.scored.end(), true), 1);
        EXPECT_TRUE(item.scored[item.tokens.size() - 2]);
    });
    for (const int items : bins) EXPECT_GT(items, 10) << "depths are uniform";
}

bool same(const TaskItem& a, const TaskItem& b) {
    return a.tokens == b.tokens && a.scored == b.scored && a.depth == b.depth;
}

TEST(Generators, ASeedGivesOneItem) {
    for (const auto& entry : tasks()) {
        const auto task = task_named(entry.name);
        int different = 0;
        for (std::uint64_t index = 0; index < 50; ++index) {
            const auto item = make_item(*task, 20, 20, training_item_seed(index));
            EXPECT_TRUE(same(item, make_item(*task, 20, 20, training_item_seed(index)))) << entry.name;
            different += same(item, make_item(*task, 20, 20, training_item_seed(index + 1))) ? 0 : 1;
        }
        EXPECT_GT(different, 45) << entry.name;
    }
}

TEST(Generators, LengthsAreUniform) {
    const auto task = task_named("copy");
    std::vector<int> counts(21);
    for (std::uint64_t index = 0; index < 20'000; ++index) {
        const auto item = make_item(*task, 1, 20, training_item_seed(index));
        ++counts[(item.tokens.size() - 2) / 2];
    }
    EXPECT_EQ(counts[0], 0);
    for (std::size_t length = 1; length <= 20; ++length) EXPECT_NEAR(counts[length], 1000, 150) << length;
}

TEST(Generators, ProbesDoNotScoreTrainingItems) {
    const auto task = task_named("copy");
    std::set<std::uint64_t> seeds;
    std::set<Ids> trained;
    for (std::uint64_t index = 0; index < 20'000; ++index) {
        seeds.insert(training_item_seed(index));
        trained.insert(make_item(*task, 10, 20, training_item_seed(index)).tokens);
    }
    for (const std::uint64_t seed : {0, 1, 2}) {
        for (const std::uint64_t group : {1, 2, 4, 8}) {
            for (std::uint64_t index = 0; index < 1000; ++index) {
                const auto item_seed = probe_item_seed(seed, group, index);
                EXPECT_TRUE(seeds.insert(item_seed).second);
                EXPECT_FALSE(trained.contains(make_item(*task, 10, 20, item_seed).tokens));
            }
        }
    }
}

}  // namespace

}  // namespace longbow
