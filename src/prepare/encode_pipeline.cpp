#include "encode_pipeline.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "input_file.h"
#include "longbow/core/error.h"
#include "longbow/text/json_lines.h"

namespace longbow {

namespace {

// A chunk that grew beyond this (its document could not be cut) is freed instead of reused.
constexpr std::size_t kKeptBytes = 8 * kChunkBytes;

void take_texts(const std::string& jsonl_key, EncodedChunk& chunk) {
    chunk.separate_documents = true;
    for_each_json_text(chunk.lines, chunk.first_line, *chunk.file, jsonl_key, [&](std::string_view text) {
        if (text.empty()) {
            ++chunk.empty_documents;
            return;
        }
        const auto begin = chunk.text.size();
        chunk.text += text;
        chunk.pieces.push_back({begin, chunk.text.size(), true});
    });
    chunk.lines = {};  // free the memory, which the chunk would keep beside the text's
    chunk.lines.shrink_to_fit();
}

// Fills ids and piece_ends, after parsing the text and pieces of JSON lines. Throws DataError for a bad line and for an
// id outside the vocabulary.
void encode_chunk(const Tokenizer& tokenizer, const std::string& jsonl_key, EncodedChunk& chunk) {
    if (chunk.file != nullptr) take_texts(jsonl_key, chunk);
    chunk.ids.reserve(chunk.text.size() / 3);
    for (const auto& piece : chunk.pieces) {
        if (piece.end > piece.begin)
            tokenizer.encode(std::string_view(chunk.text).substr(piece.begin, piece.end - piece.begin), chunk.ids);
        if (piece.ends_document && !tokenizer.boundary_per_line()) chunk.ids.push_back(tokenizer.boundary());
        chunk.piece_ends.push_back(chunk.ids.size());
    }
    const auto largest = std::max_element(chunk.ids.begin(), chunk.ids.end());
    if (largest != chunk.ids.end() && static_cast<std::int64_t>(*largest) >= tokenizer.vocab_size()) {
        throw DataError(
            fmt::format("the {} tokenizer gave id {}, outside its vocabulary of {}: its files do not fit together",
                        tokenizer.kind(), *largest, tokenizer.vocab_size()));
    }
}

class Pipeline {
public:
    Pipeline(const EncodeRequest& request, const EncodeSink& sink, std::atomic<std::uint64_t>* position)
        : request_(request),
          sink_(sink),
          position_(position),
          threads_(static_cast<std::size_t>(std::max(1, request.threads))),
          most_chunks_(4 * threads_),
          head_{request.begin.file, request.begin.chunk},
          text_bytes_(request.begin.text_bytes),
          next_file_(request.begin.file),
          end_file_(request.files.size()) {}

    void run() {
        finished_ = head_.file >= request_.files.size();
        {
            std::vector<std::jthread> others;
            for (std::size_t i = 1; i < threads_; ++i) others.emplace_back([this] { work(); });
            work();
        }
        if (error_) std::rethrow_exception(error_);
    }

private:
    struct Place {
        std::size_t file;
        std::uint64_t chunk;
        auto operator<=>(const Place&) const = default;
    };
    struct OpenFile {
        std::unique_ptr<InputFile> input;
        std::uint64_t chunks = 0;    // read so far
        std::uint64_t position = 0;  // reported so far
        bool busy = false, ended = false;
        Source source;
    };
    struct Result {
        std::unique_ptr<EncodedChunk> chunk;
        std::exception_ptr error;
    };
    using Lock = std::unique_lock<std::mutex>;

    void work() {
        Lock lock(mutex_);
        while (!finished_ && !error_) {
            if (deliver_next(lock)) continue;
            if (todo_.size() < threads_ && read(lock)) continue;
            if (encode(lock) || read(lock)) continue;
            changed_.wait(lock);
        }
    }

    // Runs `action` without the lock. Returns the exception that it threw, or null.
    template <class Action>
    std::exception_ptr run_unlocked(Lock& lock, Action action) {
        lock.unlock();
        std::exception_ptr error;
        try {
            action();
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        changed_.notify_all();
        return error;
    }

    // Passes the next chunk or end of file to the sink, if it is ready and no other thread is doing so.
    bool deliver_next(Lock& lock) {
        if (delivering_) return false;
        if (const auto found = done_.find(head_); found != done_.end()) {
            Result result = std::move(found->second);
            done_.erase(found);
            if (result.error) {
                error_ = result.error;
                changed_.notify_all();
                return true;
            }
            delivering_ = true;
            text_bytes_ += result.chunk->text.size();
            const EncodeCursor after{head_.file, head_.chunk + 1, text_bytes_};
            const auto error = run_unlocked(lock, [&] { sink_.chunk(*result.chunk, after); });
            delivering_ = false;
            if (error) error_ = error;
            ++head_.chunk;
            recycle(std::move(result.chunk));
            return true;
        }
        const auto file = files_.find(head_.file);
        if (file == files_.end() || !file->second.ended || file->second.chunks != head_.chunk) return false;
        delivering_ = true;
        Source source = std::move(file->second.source);
        source.text_bytes = text_bytes_;
        files_.erase(file);
        const auto error = run_unlocked(lock, [&] { sink_.file_done(head_.file, source); });
        delivering_ = false;
        if (error) error_ = error;
        head_ = {head_.file + 1, 0};
        text_bytes_ = 0;
        finished_ = head_.file == request_.files.size();
        return true;
    }

    bool encode(Lock& lock) {
        if (todo_.empty()) return false;
        auto item = todo_.extract(todo_.begin());
        auto& chunk = item.mapped();
        const auto error =
            run_unlocked(lock, [&] { encode_chunk(request_.tokenizer, request_.documents.jsonl_key, *chunk); });
        done_.emplace(item.key(), Result{std::move(chunk), error});
        return true;
    }

    // Returns the first file that no thread is reading, after opening one if necessary, as long as the number of chunks
    // is within its limit. Half of the limit is kept for the file that the sink is at, and the chunk that the sink
    // waits for is always read.
    std::optional<std::size_t> file_to_read() {
        const auto allowed = [&](std::size_t index, std::uint64_t chunks) {
            return held_ < (index == head_.file ? most_chunks_ : most_chunks_ / 2) ||
                   (index == head_.file && chunks <= head_.chunk);
        };
        for (auto& [index, file] : files_) {
            if (file.busy || file.ended) continue;
            return allowed(index, file.chunks) ? std::optional(index) : std::nullopt;
        }
        if (next_file_ >= end_file_ || !allowed(next_file_, 0)) return std::nullopt;
        files_.try_emplace(next_file_);
        return next_file_++;
    }

    bool read(Lock& lock) {
        const auto index = file_to_read();
        if (!index) return false;
        auto& file = files_[*index];  // the reference stays valid: no other thread erases a busy file
        file.busy = true;
        ++held_;
        std::unique_ptr<EncodedChunk> chunk;
        if (!spare_.empty()) {
            chunk = std::move(spare_.back());
            spare_.pop_back();
        }
        bool more = false;
        const auto error = run_unlocked(lock, [&] {
            if (!chunk) chunk = std::make_unique<EncodedChunk>();
            if (!file.input)
                file.input =
                    std::make_unique<InputFile>(request_.files[*index], request_.tokenizer, request_.documents);
            more = file.input->next(*chunk);
            if (!more) file.source = file.input->source();
            if (position_ != nullptr)
                *position_ += file.input->position() - std::exchange(file.position, file.input->position());
            if (!more) file.input.reset();
        });
        file.busy = false;
        const Place place{*index, file.chunks};
        if (error) {
            file.ended = true;
            end_file_ = std::min(end_file_, *index + 1);  // chunks after an error are never passed on
            done_.emplace(place, Result{nullptr, error});
            --held_;
        } else if (!more) {
            file.ended = true;
            recycle(std::move(chunk));
        } else {
            ++file.chunks;
            if (place < Place{request_.begin.file, request_.begin.chunk}) {
                recycle(std::move(chunk));
            } else {
                todo_.emplace(place, std::move(chunk));
            }
        }
        return true;
    }

    void recycle(std::unique_ptr<EncodedChunk> chunk) {
        --held_;
        if (chunk->bytes_held() <= kKeptBytes) spare_.push_back(std::move(chunk));
    }

    const EncodeRequest& request_;
    const EncodeSink& sink_;
    std::atomic<std::uint64_t>* position_;
    const std::size_t threads_;
    const std::size_t most_chunks_;  // at most this many are held between reading and the sink

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::size_t, OpenFile> files_;
    std::map<Place, std::unique_ptr<EncodedChunk>> todo_;
    std::map<Place, Result> done_;
    std::vector<std::unique_ptr<EncodedChunk>> spare_;
    std::size_t held_ = 0;
    Place head_;                // the chunk that the sink gets next
    std::uint64_t text_bytes_;  // of the head's file, passed on so far
    std::size_t next_file_, end_file_;
    bool delivering_ = false, finished_ = false;
    std::exception_ptr error_;
};

}  // namespace

void EncodedChunk::clear() {
    text.clear();
    pieces.clear();
    after_space = true;
    separate_documents = false;
    ids.clear();
    piece_ends.clear();
    empty_documents = 0;
    lines.clear();
    first_line = 0;
    file = nullptr;
}

void encode_files(const EncodeRequest& request, const EncodeSink& sink, std::atomic<std::uint64_t>* position) {
    Pipeline(request, sink, position).run();
}

}  // namespace longbow
