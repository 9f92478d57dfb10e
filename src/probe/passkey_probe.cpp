#include "longbow/probe/passkey_probe.h"

#include <fmt/core.h>
#include <torch/types.h>

#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/core/signals.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/autocast.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

namespace {

constexpr std::uint64_t kPasskey = 0x706b6579;
constexpr std::uint64_t kLeastKey = 10'000, kMostKey = 50'000;  // of five digits each
constexpr int kMostTries = 100'000;
// The texts are the authors', in one line a sentence group.
constexpr const char* kTask =
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize it. I will quiz you about "
    "the important information there.\n";
constexpr const char* kFiller =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n";
constexpr const char* kQuestion = "What is the pass key? The pass key is";

std::string key_line(std::uint64_t key) {
    return fmt::format("The pass key is {0}. Remember it. {0} is the pass key.\n", key);
}

std::string text_of(std::uint64_t key, std::int64_t before, std::int64_t after) {
    std::string text = kTask;
    for (std::int64_t i = 0; i < before; ++i) text += kFiller;
    text += key_line(key);
    for (std::int64_t i = 0; i < after; ++i) text += kFiller;
    return text + kQuestion;
}

// Returns the ids of text whose last line goes on: a tokenizer that ends each line by itself ends this one too early.
std::vector<TokenId> open_ids(const Tokenizer& tokenizer, const std::string& text) {
    std::vector<TokenId> ids;
    tokenizer.encode(text, ids);
    if (tokenizer.boundary_per_line() && !ids.empty() && ids.back() == tokenizer.boundary()) ids.pop_back();
    return ids;
}

std::vector<TokenId> key_ids(const Tokenizer& tokenizer, std::uint64_t key) {
    return open_ids(tokenizer, " " + std::to_string(key));
}

std::vector<std::vector<TokenId>> draw_keys(const Tokenizer& tokenizer, std::uint64_t key, Random& random) {
    std::vector<std::vector<TokenId>> keys = {key_ids(tokenizer, key)};
    std::set<std::vector<TokenId>> seen = {keys.front()};
    for (int tries = 0; keys.size() <= kFalseKeys; ++tries) {
        if (tries == kMostTries) {
            throw DataError(
                "the tokenizer writes different numbers alike (it may have no digits), so that no key can be "
                "told from another");
        }
        auto other = key_ids(tokenizer, kLeastKey + random.below(kMostKey - kLeastKey));
        if (other.size() == keys.front().size() && seen.insert(other).second) keys.push_back(std::move(other));
    }
    return keys;
}

}  // namespace

PasskeyItem passkey_item(const Tokenizer& tokenizer, std::int64_t length, std::uint64_t item_seed) {
    Random random(item_seed);
    const auto key = kLeastKey + random.below(kMostKey - kLeastKey);
    PasskeyItem item;
    item.keys = draw_keys(tokenizer, key, random);
    const auto room = length - std::ssize(item.keys.front()) - 1;  // 1: the boundary
    const auto tokens = [&](std::int64_t lines) { return std::ssize(open_ids(tokenizer, text_of(key, lines, 0))); };
    const auto bare = tokens(0);
    if (bare > room) {
        throw UsageError(fmt::format("a passkey's text takes at least {} tokens: no item has {}",
                                     bare + std::ssize(item.keys.front()) + 1, length));
    }
    // Lines take the same tokens wherever they stand, or nearly so; what does not fit after all is taken back.
    auto lines = (room - bare) / std::max<std::int64_t>(1, tokens(1) - bare);
    const auto share = random.uniform();
    for (;; --lines) {
        const auto before = static_cast<std::int64_t>(share * static_cast<double>(lines + 1));
        item.text = text_of(key, before, lines - before);
        item.prompt = open_ids(tokenizer, item.text);
        item.depth = lines > 0 ? static_cast<double>(before) / static_cast<double>(lines) : 0;
        if (std::ssize(item.prompt) <= room || lines == 0) break;
    }
    item.prompt.insert(item.prompt.begin(), tokenizer.boundary());
    return item;
}

std::vector<double> key_logprobs(LanguageModel& model, const PasskeyItem& item, DType dtype) {
    const torch::NoGradGuard no_grad;
    const AutocastScope autocast(model.parameters().front().device().type(), scalar_type(dtype));
    const auto row = [](const std::vector<TokenId>& ids, std::size_t count) {
        const std::vector<std::int64_t> wide(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
        return torch::tensor(wide, torch::kLong).unsqueeze(0);
    };
    const auto logprobs_behind = [&](const at::Tensor& hidden) {  // [1, n, dim] -> [n, vocab]
        return model.head().logits(hidden.squeeze(0)).to(torch::kCPU, torch::kDouble).log_softmax(-1);
    };
    KvCache cache;
    const auto prompt = std::ssize(item.prompt);
    cache.evaluated_length = prompt + std::ssize(item.keys.front());
    const auto first = logprobs_behind(model.hidden(row(item.prompt, item.prompt.size()), &cache).slice(1, prompt - 1));
    std::vector<double> sums;
    for (const auto& key : item.keys) {
        auto sum = first[0][static_cast<std::int64_t>(key.front())].item<double>();
        if (key.size() > 1) {
            cache.length = prompt;  // this key's tokens take the place of the last one's
            const auto next = logprobs_behind(model.hidden(row(key, key.size() - 1), &cache));
            for (std::size_t i = 1; i < key.size(); ++i)
                sum += next[static_cast<std::int64_t>(i) - 1][static_cast<std::int64_t>(key[i])].item<double>();
        }
        sums.push_back(sum);
    }
    return sums;
}

std::vector<std::int64_t> passkey_lengths(const MeasuredRun& run, std::vector<std::int64_t> lengths) {
    const auto trained = run.checkpoint.config.train.length;
    if (lengths.empty()) {
        if (trained == 0) throw UsageError(run.name + ": its trained length is unknown: give --lengths");
        for (const auto times : {1, 2, 4, 8}) {
            if (run.max_length == 0 || times * trained <= run.max_length) lengths.push_back(times * trained);
        }
    }
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    check_length(run.checkpoint.config, run.max_length, lengths.back());
    (void)passkey_item(*run.checkpoint.tokenizer, lengths.front(), 0);
    return lengths;
}

std::vector<Json> probe_passkey(MeasuredRun& run, LanguageModel& model, std::vector<std::int64_t> lengths,
                                const ProbeOptions& options) {
    std::vector<Json> rows;
    for (const auto length : passkey_lengths(run, std::move(lengths))) {
        std::int64_t hits = 0;
        std::vector<double> ranks;
        for (std::int64_t i = 0; i < options.items; ++i) {
            if (stop_requested()) throw InterruptedError("stopped by " + std::string(stop_signal_name()));
            const auto item =
                passkey_item(*run.checkpoint.tokenizer, length, seed_of(kPasskey, options.seed, length, i));
            const auto logprobs = key_logprobs(model, item, run.dtype);
            // A false key that is as probable as the true one comes before it: a tie is no hit.
            const auto before = std::count_if(logprobs.begin() + 1, logprobs.end(),
                                              [&](double other) { return !(other < logprobs.front()); });
            hits += before == 0 ? 1 : 0;
            ranks.push_back(static_cast<double>(before + 1));
        }
        const auto rank = mean_estimate({ranks}, std::vector<double>(ranks.size(), 1.0));
        auto row = probe_row("passkey", run, options, kPasskeyGenerator);
        row["items"] = options.items;
        row["length"] = length;
        row["choices"] = kFalseKeys + 1;
        row["hits"] = static_cast<double>(hits) / static_cast<double>(options.items);
        row["hits_ci"] = interval_json(wilson_interval(hits, options.items));
        row["rank"] = rank.mean;
        row["rank_ci"] = interval_json(rank.interval);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string passkey_table(const std::vector<Json>& rows, int width) {
    const auto& first = rows.front();
    std::vector<TableColumn> table{
        {"length", 0, {}}, {"items", 2, {}}, {"hits", 0, {}}, {"95 % interval", 1, {}}, {"mean rank", 0, {}}};
    for (const auto& row : rows) {
        const std::vector<std::string> cells{
            std::to_string(row["length"].get<std::int64_t>()), std::to_string(row["items"].get<std::int64_t>()),
            fmt::format("{:.3f}", row["hits"].get<double>()),
            fmt::format("{:.3f} to {:.3f}", row["hits_ci"][0].get<double>(), row["hits_ci"][1].get<double>()),
            fmt::format("{:.1f}", row["rank"].get<double>())};
        for (std::size_t i = 0; i < cells.size(); ++i) table[i].cells.push_back(cells[i]);
    }
    return wrapped(
               fmt::format(
                   "{}: position {}, trained at length {}, update {}; the true key among {} (by chance: {:.2f}), seed "
                   "{}, generator version {}",
                   printable(first["name"].get<std::string>()), first["position"].get<std::string>(),
                   first["train_length"].get<std::int64_t>(), first["updates"].get<std::int64_t>(), kFalseKeys + 1,
                   1.0 / static_cast<double>(kFalseKeys + 1), first["seed"].get<std::uint64_t>(),
                   first["generator"].get<int>()),
               width) +
           "\n\n" + aligned_table(table, width);
}

}  // namespace longbow
