#include "word_counts.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/progress.h"
#include "longbow/text/json_lines.h"
#include "longbow/text/reader.h"
#include "meta.h"

namespace longbow {

namespace {

constexpr std::size_t kPiece = 4 << 20;

struct Text {
    std::string text;
    const std::string* file = nullptr;  // set for JSON lines only
    std::int64_t first_line = 0;
};

// Passes pieces of text from one reader to several counters, with at most `capacity` waiting.
class PieceQueue {
public:
    explicit PieceQueue(std::size_t capacity) : capacity_(capacity) {}

    // Returns false once close() was called, because the piece would not be counted.
    bool push(Text piece) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return pieces_.size() < capacity_ || closed_; });
        if (closed_) return false;
        pieces_.push_back(std::move(piece));
        changed_.notify_all();
        return true;
    }
    bool pop(Text& piece) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !pieces_.empty() || closed_; });
        if (pieces_.empty()) return false;
        piece = std::move(pieces_.front());
        pieces_.pop_front();
        changed_.notify_all();
        return true;
    }
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Text> pieces_;
    std::size_t capacity_;
    bool closed_ = false;
};

std::uint64_t total_size(const std::vector<std::string>& files) {
    std::uint64_t total = 0;
    for (const auto& file : files) {
        std::error_code error;
        const auto size = std::filesystem::file_size(file, error);
        if (!error) total += size;
    }
    return total;
}

class CountingProgress {
public:
    explicit CountingProgress(const std::vector<std::string>& files) : total_(static_cast<double>(total_size(files))) {}
    void next_file(const TextReader& last) { before_ += static_cast<double>(last.compressed_position()); }
    void show(const TextReader& reader) {
        throw_if_stop_requested("nothing was written");
        const auto done = before_ + static_cast<double>(reader.compressed_position());
        line_.show({{eta_text(meter_.eta(done, total_))},
                    {"counting words"},
                    {human_bytes(done) + " of " + human_bytes(total_)},
                    {human_bytes(meter_.rate(done)) + "/s"}});
    }
    void finish() { line_.finish(); }

private:
    double total_, before_ = 0;
    RateMeter meter_;
    ProgressLine line_;
};

// Returns false when counting was given up.
bool read_json_lines(const std::string& file, PieceQueue& queue, CountingProgress& progress) {
    LineReader reader(file, kPiece);
    Text piece;
    while (reader.next(piece.text, piece.first_line)) {
        piece.file = &file;
        if (!queue.push(std::exchange(piece, {}))) return false;
        progress.show(reader.text());
    }
    progress.next_file(reader.text());
    return true;
}

bool read_plain(const std::string& file, const WordRule& rule, PieceQueue& queue, CountingProgress& progress) {
    TextReader reader(file);
    std::string text;
    // Doubling the size where no cut was found keeps the search for one linear in the text.
    while (reader.read(text, std::max(kPiece, text.size()))) {
        const auto cut = rule.safe_split(text);
        if (cut > 0) {
            if (!queue.push({text.substr(0, cut)})) return false;
            text.erase(0, cut);
        }
        progress.show(reader);
    }
    if (!text.empty() && !queue.push({std::move(text)})) return false;
    progress.next_file(reader);
    return true;
}

void read_pieces(const std::vector<std::string>& files, const WordRule& rule, PieceQueue& queue) {
    CountingProgress progress(files);
    for (const auto& file : files) {
        if (!(is_json_lines(file) ? read_json_lines(file, queue, progress) : read_plain(file, rule, queue, progress)))
            return;
    }
    progress.finish();
}

void count_piece(const Text& piece, const std::string& jsonl_key, const WordRule& rule, WordCounts& counts) {
    if (piece.file == nullptr) {
        rule.count(piece.text, counts);
    } else {
        for_each_json_text(piece.text, piece.first_line, *piece.file, jsonl_key,
                           [&](std::string_view text) { rule.count(text, counts); });
    }
}

}  // namespace

void WordCounts::merge(const WordCounts& other) {
    for (std::uint32_t i = 0; i < other.words_.size(); ++i) add(other.words_[i], other.counts_[i]);
}

std::vector<std::pair<std::string_view, std::int64_t>> WordCounts::sorted() const {
    std::vector<std::pair<std::string_view, std::int64_t>> words;
    words.reserve(size());
    for (std::uint32_t i = 0; i < words_.size(); ++i) words.emplace_back(words_[i], counts_[i]);
    std::sort(words.begin(), words.end());
    return words;
}

WordCounts count_words(const std::vector<std::string>& files, const std::string& jsonl_key, int threads,
                       const WordRule& rule) {
    const auto workers = static_cast<std::size_t>(std::max(threads, 1));
    PieceQueue queue(workers + 1);
    std::vector<WordCounts> counts(workers);
    std::exception_ptr failure;
    std::mutex failure_mutex;
    const auto guarded = [&](const auto& work) {
        try {
            work();
        } catch (...) {
            const std::lock_guard lock(failure_mutex);
            if (!failure) failure = std::current_exception();
        }
    };
    std::vector<std::thread> pool;
    for (auto& mine : counts) {
        pool.emplace_back([&] {
            guarded([&] {
                for (Text piece; queue.pop(piece);) count_piece(piece, jsonl_key, rule, mine);
            });
            queue.close();
        });
    }
    guarded([&] { read_pieces(files, rule, queue); });
    queue.close();
    for (auto& thread : pool) thread.join();
    if (failure) std::rethrow_exception(failure);
    for (std::size_t i = 1; i < counts.size(); ++i) {
        counts[0].merge(counts[i]);
        counts[i] = {};
    }
    return std::move(counts[0]);
}

WordCounts count_words(const TrainingText& text, const WordRule& rule) {
    auto counts = count_words(text.files, text.jsonl_key, text.threads, rule);
    if (counts.size() == 0) throw DataError(kNothingToLearn);
    return counts;
}

}  // namespace longbow
