#include "encode_pipeline.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/text/reader.h"

namespace longbow {

namespace {

constexpr std::size_t kChunkBytes = 512 << 10;
constexpr std::size_t kReadBytes = 256 << 10;
// Text between the reader and the consumer: two chunks a thread, and no less than this. A chunk larger than all of it (a document that its
// tokenizer cannot cut) passes alone.
constexpr std::size_t kLeastInFlight = 8 << 20;

struct Stopped {};

class Pipeline {
public:
    explicit Pipeline(const EncodeRequest& request, std::atomic<std::uint64_t>* position)
        : request_(request), position_(position), most_in_flight_(std::max(kLeastInFlight, 2 * kChunkBytes * static_cast<std::size_t>(std::max(1, request.threads)))) {}

    ~Pipeline() {
        {
            const std::lock_guard lock(mutex_);
            cancelled_ = true;
        }
        changed_.notify_all();
    }

    std::vector<Source> run(const std::function<void(const EncodedChunk&)>& consume) {
        const int threads = std::max(1, request_.threads);
        threads_.emplace_back([this] { guard([this] { read(); }); });
        for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { guard([this] { encode(); }); });
        for (std::uint64_t index = 0;; ++index) {
            const auto chunk = take(index);
            if (!chunk) break;
            end_if_stop_requested("nothing was written");
            consume(*chunk);
            release(chunk->text.size());
        }
        return std::move(sources_);
    }

private:
    using Item = std::pair<std::uint64_t, std::unique_ptr<EncodedChunk>>;

    template <class Work>
    void guard(Work work) {
        try {
            work();
        } catch (const Stopped&) {
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!error_) error_ = std::current_exception();
        }
        changed_.notify_all();
    }

    void read() {
        Segmenter segmenter(request_.tokenizer, request_.documents, kChunkBytes);
        auto chunk = std::make_unique<EncodedChunk>();
        const auto pass_on = [&](bool end_of_file) {
            while (segmenter.take(*chunk, end_of_file)) {
                push(std::move(chunk));
                chunk = std::make_unique<EncodedChunk>();
            }
        };
        std::uint64_t done = 0;
        for (const auto& file : request_.files) {
            TextReader reader(file);
            bool more = true;
            while (more) {
                more = reader.read(segmenter.buffer(), kReadBytes);
                if (position_ != nullptr) position_->store(done + reader.compressed_position());
                pass_on(false);
            }
            pass_on(true);
            const auto size = static_cast<std::uint64_t>(fs::file_size(file));
            done += size;
            sources_.push_back({fs::path(file).filename().string(), size, reader.text_position(), reader.fingerprint()});
        }
        const std::lock_guard lock(mutex_);
        finished_ = true;
    }

    void push(std::unique_ptr<EncodedChunk> chunk) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping() || in_flight_ == 0 || in_flight_ + chunk->text.size() <= most_in_flight_; });
        if (stopping()) throw Stopped{};
        in_flight_ += chunk->text.size();
        todo_.emplace_back(pushed_++, std::move(chunk));
        changed_.notify_all();
    }

    void encode() {
        while (true) {
            Item item;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [&] { return stopping() || finished_ || !todo_.empty(); });
                if (stopping() || todo_.empty()) return;
                item = std::move(todo_.front());
                todo_.pop_front();
            }
            encode_chunk(*item.second);
            {
                const std::lock_guard lock(mutex_);
                done_.insert(std::move(item));
            }
            changed_.notify_all();
        }
    }

    void encode_chunk(EncodedChunk& chunk) const {
        const Tokenizer& tokenizer = request_.tokenizer;
        chunk.ids.reserve(chunk.text.size() / 3);
        for (const auto& piece : chunk.pieces) {
            if (piece.end > piece.begin) tokenizer.encode(std::string_view(chunk.text).substr(piece.begin, piece.end - piece.begin), chunk.ids);
            if (piece.ends_document && !tokenizer.boundary_per_line()) chunk.ids.push_back(tokenizer.boundary());
            chunk.piece_ends.push_back(chunk.ids.size());
        }
        const auto largest = std::max_element(chunk.ids.begin(), chunk.ids.end());
        if (largest != chunk.ids.end() && static_cast<std::int64_t>(*largest) >= tokenizer.vocab_size()) {
            throw DataError(strprintf("the %s tokenizer gave id %u, outside its vocabulary of %lld: its files do not fit together",
                                      tokenizer.kind().c_str(), *largest, static_cast<long long>(tokenizer.vocab_size())));
        }
    }

    // The index-th chunk once it is encoded; null after the last.
    std::unique_ptr<EncodedChunk> take(std::uint64_t index) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return error_ || done_.contains(index) || (finished_ && index == pushed_); });
        if (error_) std::rethrow_exception(error_);
        const auto found = done_.find(index);
        if (found == done_.end()) return nullptr;
        auto chunk = std::move(found->second);
        done_.erase(found);
        return chunk;
    }

    void release(std::size_t bytes) {
        {
            const std::lock_guard lock(mutex_);
            in_flight_ -= bytes;
        }
        changed_.notify_all();
    }

    [[nodiscard]] bool stopping() const { return cancelled_ || error_; }

    const EncodeRequest& request_;
    std::atomic<std::uint64_t>* position_;
    const std::size_t most_in_flight_;  // bytes
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> todo_;
    std::map<std::uint64_t, std::unique_ptr<EncodedChunk>> done_;
    std::size_t in_flight_ = 0;
    std::uint64_t pushed_ = 0;
    bool finished_ = false;
    bool cancelled_ = false;
    std::exception_ptr error_;
    std::vector<Source> sources_;
    std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

}  // namespace

std::vector<Source> encode_files(const EncodeRequest& request, const std::function<void(const EncodedChunk&)>& consume,
                                 std::atomic<std::uint64_t>* position) {
    return Pipeline(request, position).run(consume);
}

}  // namespace longbow
