#include "longbow/task/task_stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/config/fields.h"
#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/task/task.h"
#include "longbow/text/ids_tokenizer.h"

namespace longbow {

namespace {

class TaskStream final : public TokenStream {
public:
    TaskStream(const TaskConfig& config, std::int64_t row_length)
        : config_(config), row_length_(row_length), task_(make_task(config)), ends_{size()} {
        if (task_->most_tokens(config.length) > row_length) {
            throw ConfigError(fmt::format("train.length: rows of {} tokens do not hold items of up to {}", row_length,
                                          task_->most_tokens(config.length)));
        }
    }

    [[nodiscard]] std::int64_t size() const override { return kTaskRows * row_length_; }
    [[nodiscard]] TokenId boundary() const override { return static_cast<TokenId>(kTaskEnd); }
    [[nodiscard]] bool masks() const override { return true; }
    // An item has no text.
    [[nodiscard]] double bytes_before(std::int64_t /*end*/) const override { return 0; }
    [[nodiscard]] double words_before(std::int64_t /*end*/) const override { return 0; }
    // The ends of all items would not fit into memory.
    [[nodiscard]] const std::vector<std::int64_t>& document_ends() const override { return ends_; }

    [[nodiscard]] std::string fingerprint() const override {
        const auto& entry = task_entry(config_.name);
        auto text =
            fmt::format("task {} version {} length {} row {}", entry.name, entry.version, config_.length, row_length_);
        auto options = config_.options;
        fill_defaults(options, entry.options);
        for (const auto& [key, value] : options) {
            text +=
                fmt::format(" {}={}", key, std::visit([](const auto& v) { return value_text(FieldValue(v)); }, value));
        }
        return longbow::fingerprint(text);
    }

    void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const override {
        each_row(begin, count, [&](const TaskItem& item, std::int64_t from, std::int64_t here) {
            for (auto at = from; at < from + here; ++at)
                *out++ = at < std::ssize(item.tokens) ? item.tokens[static_cast<std::size_t>(at)] : kTaskEnd;
        });
    }

    std::int64_t mask(std::int64_t begin, std::int64_t count, std::int64_t* targets) const override {
        std::int64_t masked = 0;
        each_row(begin, count, [&](const TaskItem& item, std::int64_t from, std::int64_t here) {
            for (auto at = from; at < from + here; ++at, ++targets) {
                if (at < std::ssize(item.scored) && item.scored[static_cast<std::size_t>(at)]) continue;
                *targets = kNoTarget;
                ++masked;
            }
        });
        return masked;
    }

private:
    template <class Action>
    void each_row(std::int64_t begin, std::int64_t count, Action action) const {
        if (begin < 0 || count < 0 || begin > size() - count)
            throw DataError(fmt::format("{} tokens from position {} reach outside the task's items", count, begin));
        while (count > 0) {
            const auto row = begin / row_length_, from = begin % row_length_;
            const auto here = std::min(count, row_length_ - from);
            action(make_item(*task_, task_->least_length(), config_.length,
                             training_item_seed(static_cast<std::uint64_t>(row))),
                   from, here);
            begin += here;
            count -= here;
        }
    }

    TaskConfig config_;
    std::int64_t row_length_;
    std::unique_ptr<Task> task_;
    std::vector<std::int64_t> ends_;
};

}  // namespace

std::unique_ptr<TokenStream> task_stream(const TaskConfig& config, std::int64_t row_length) {
    return std::make_unique<TaskStream>(config, row_length);
}

std::unique_ptr<Tokenizer> task_tokenizer(const TaskConfig& config) {
    return make_ids_tokenizer(make_task(config)->vocab_size(), static_cast<TokenId>(kTaskEnd));
}

}  // namespace longbow
