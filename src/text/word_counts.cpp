#include "word_counts.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>

#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/progress.h"
#include "longbow/text/reader.h"

namespace longbow {

namespace {

constexpr std::size_t kPiece = 4 << 20;

// Pieces of text from one reader to several counters, with at most `capacity` waiting.
class PieceQueue {
public:
    explicit PieceQueue(std::size_t capacity) : capacity_(capacity) {}

    // False once close() was called: nobody would count it.
    bool push(std::string piece) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return pieces_.size() < capacity_ || closed_; });
        if (closed_) return false;
        pieces_.push_back(std::move(piece));
        changed_.notify_all();
        return true;
    }
    bool pop(std::string& piece) {
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
    std::deque<std::string> pieces_;
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

void read_pieces(const std::vector<std::string>& files, const WordRule& rule, PieceQueue& queue) {
    const auto total = static_cast<double>(total_size(files));
    const RateMeter meter;
    ProgressLine progress;
    double before = 0;
    for (const auto& file : files) {
        TextReader reader(file);
        std::string text;
        // Doubling where no cut was found keeps the search for one linear in the text.
        while (reader.read(text, std::max(kPiece, text.size()))) {
            end_if_stop_requested("nothing was written");
            const auto cut = rule.safe_split(text);
            if (cut > 0) {
                if (!queue.push(text.substr(0, cut))) return;
                text.erase(0, cut);
            }
            const auto done = before + static_cast<double>(reader.compressed_position());
            progress.show(strprintf("counting words: %s of %s, %s/s, ETA %s", human_bytes(done).c_str(), human_bytes(total).c_str(),
                                    human_bytes(meter.rate(done)).c_str(), human_seconds(std::max(0.0, meter.eta(done, total))).c_str()));
        }
        if (!text.empty() && !queue.push(std::move(text))) return;
        before += static_cast<double>(reader.compressed_position());
    }
    progress.finish();
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

WordCounts count_words(const std::vector<std::string>& files, int threads, const WordRule& rule) {
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
                for (std::string piece; queue.pop(piece);) rule.count(piece, mine);
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

}  // namespace longbow
