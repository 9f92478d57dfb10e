// The library's trainer holds its sentences in memory, logs at length, and sums in an order that depends on its number
// of threads. So it gets a bounded sample, no log, and always the same number of threads.
#include <fmt/core.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <limits>

#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/core/signals.h"
#include "longbow/core/utf8.h"
#include "longbow/text/json_lines.h"
#include "longbow/text/reader.h"
#include "meta.h"
#include "sentencepiece_tokenizer.h"

namespace longbow {

namespace {

constexpr std::size_t kSampleBytes = 256 << 20;
constexpr std::size_t kSentence = 4096;  // bytes; longer lines are cut, since the library would skip them
constexpr const char* kThreads = "8";

// Keeps the sentences whose number's hash is below a limit, which is halved whenever too many were kept. This takes one
// pass for an input of any size.
class Sample {
public:
    void add(std::string_view sentence) {
        const auto key = mix64(number_++);
        if (key > bar_ || sentence.empty()) return;
        kept_.push_back({key, std::string(sentence)});
        bytes_ += sentence.size();
        while (bytes_ > kSampleBytes) {
            bar_ /= 2;
            std::erase_if(kept_, [&](const Kept& kept) {
                if (kept.key <= bar_) return false;
                bytes_ -= kept.sentence.size();
                return true;
            });
        }
    }
    std::vector<std::string> take() {
        std::vector<std::string> sentences;
        for (auto& kept : kept_) sentences.push_back(std::move(kept.sentence));
        return sentences;
    }

private:
    struct Kept {
        std::uint64_t key;
        std::string sentence;
    };
    std::vector<Kept> kept_;
    std::uint64_t number_ = 0, bar_ = std::numeric_limits<std::uint64_t>::max();
    std::size_t bytes_ = 0;
};

void add_line(std::string_view line, Sample& sample) {
    while (line.size() > kSentence) {
        auto part = line.substr(0, kSentence);
        const auto space = part.rfind(' ');
        const bool words = space != std::string_view::npos && space > 0;
        part = part.substr(0, words ? space : part.size() - incomplete_utf8_tail(part));
        sample.add(part);
        line.remove_prefix(part.size());
    }
    sample.add(line);
}

void add_lines(std::string_view lines, Sample& sample) {
    while (true) {
        const auto end = std::min(lines.find('\n'), lines.size());
        add_line(lines.substr(0, end), sample);
        if (end == lines.size()) break;
        lines.remove_prefix(end + 1);
    }
}

void sample_json_lines(const std::string& file, const std::string& jsonl_key, Sample& sample) {
    LineReader reader(file, 1 << 20);
    std::string lines;
    for (std::int64_t first_line = 0; reader.next(lines, first_line);) {
        throw_if_stop_requested("nothing was written");
        for_each_json_text(lines, first_line, file, jsonl_key, [&](std::string_view text) { add_lines(text, sample); });
    }
}

void sample_plain(const std::string& file, Sample& sample) {
    TextReader reader(file);
    std::string text;
    while (reader.read(text, std::max<std::size_t>(1 << 20, text.size()))) {
        throw_if_stop_requested("nothing was written");
        const auto last = text.rfind('\n');
        if (last == std::string::npos) continue;
        add_lines(std::string_view(text).substr(0, last), sample);
        text.erase(0, last + 1);
    }
    add_line(text, sample);
}

Sample sample_lines(const std::vector<std::string>& files, const std::string& jsonl_key) {
    Sample sample;
    for (const auto& file : files) {
        if (is_json_lines(file)) {
            sample_json_lines(file, jsonl_key, sample);
        } else {
            sample_plain(file, sample);
        }
    }
    return sample;
}

class Sentences : public sentencepiece::SentenceIterator {
public:
    explicit Sentences(const std::vector<std::string>& sentences) : sentences_(sentences) {}
    [[nodiscard]] bool done() const override { return at_ == sentences_.size(); }
    void Next() override { ++at_; }
    [[nodiscard]] const std::string& value() const override { return sentences_[at_]; }
    [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

private:
    const std::vector<std::string>& sentences_;
    std::size_t at_ = 0;
};

}  // namespace

std::string train_sentencepiece(const std::vector<std::string>& files, const std::string& jsonl_key,
                                SentencePieceModel kind, std::int64_t vocab_size) {
    if (vocab_size < 260 || vocab_size > 0x7FFFFFFF) {
        throw DataError(fmt::format(
            "a sentencepiece vocabulary of {} tokens does not fit: 256 bytes, <unk>, <s>, </s> and one character "
            "need 260 (tokenizer.vocab_size)",
            vocab_size));
    }
    const auto sentences = sample_lines(files, jsonl_key).take();
    if (sentences.empty()) throw DataError(kNothingToLearn);
    Sentences iterator(sentences);
    std::string model;
    const auto status = sentencepiece::SentencePieceTrainer::Train(
        {
            {"model_type", std::string(name_of(kind))},
            {"vocab_size", std::to_string(vocab_size)},
            {"normalization_rule_name", "identity"},
            {"remove_extra_whitespaces", "false"},
            {"byte_fallback", "true"},
            {"num_threads", kThreads},
            {"max_sentence_length", std::to_string(kSentence)},
            {"minloglevel", "3"},
        },
        &iterator, &model);
    if (!status.ok()) {
        throw DataError(
            "sentencepiece could not learn " + std::to_string(vocab_size) +
            " tokens (tokenizer.vocab_size) from the training text: " + sentencepiece_reason(status.error_message()));
    }
    return model;
}

}  // namespace longbow
