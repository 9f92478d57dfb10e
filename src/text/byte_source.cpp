// Concatenated gzip members, xz streams and zstd frames are read as one text (`cat a.gz b.gz`, pigz, pzstd and log
// rotation make such files). After the last member only zero padding may follow; anything else is an error.
#include "byte_source.h"

#include <fmt/core.h>
#include <lzma.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "longbow/core/error.h"
#include "longbow/core/input.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::size_t kBlock = 1 << 17, kLeastBlock = 1 << 12;
// This is zstd's largest window (zstd --long=31). To read xz at its largest preset takes 65 MiB.
constexpr int kZstdWindowLog = 31;
constexpr std::uint64_t kXzMemory = 1ULL << 30;

// Reads a file block by block.
class FileInput {
public:
    explicit FileInput(const std::filesystem::path& path) : path_(path) {
        fd_ = open_input(path);
        if (fd_ < 0) throw DataError("cannot open " + path.string() + ": " + std::strerror(errno));
        struct stat info {};
        if (::fstat(fd_, &info) == 0 && S_ISDIR(info.st_mode)) {
            ::close(fd_);
            throw DataError("cannot read " + path.string() + ": it is a folder; name the text files in it");
        }
        // A small file gets a small buffer, because stores are made from a hundred thousand of them.
        if (S_ISREG(info.st_mode)) size_ = std::clamp(static_cast<std::size_t>(info.st_size) + 1, kLeastBlock, kBlock);
        buffer_ = std::make_unique_for_overwrite<char[]>(size_);
    }
    ~FileInput() { ::close(fd_); }
    FileInput(const FileInput&) = delete;
    FileInput& operator=(const FileInput&) = delete;

    // Returns at least `count` unread bytes if the file has them; fewer at its end.
    std::string_view peek(std::size_t count) {
        while (end_ - begin_ < count && !at_end_) {
            if (begin_ > 0) {
                std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
                end_ -= begin_;
                begin_ = 0;
            }
            const auto got = read_input(fd_, buffer_.get() + end_, size_ - end_, path_);
            if (got < 0) throw DataError("cannot read " + path_.string() + ": " + std::strerror(errno));
            if (got == 0) at_end_ = true;
            end_ += static_cast<std::size_t>(got);
        }
        return {buffer_.get() + begin_, end_ - begin_};
    }
    void skip(std::size_t count) {
        begin_ += count;
        consumed_ += count;
    }
    [[nodiscard]] std::uint64_t consumed() const { return consumed_; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    [[noreturn]] void damaged(const char* format, const std::string& what) const {
        throw DataError(fmt::format("{}: damaged {} file at byte {}: {} (fetch or make the file again)", path_.string(),
                                    format, consumed_, what));
    }
    [[noreturn]] void truncated(const char* format) const {
        throw DataError(fmt::format("{}: the {} file ends too early, after {} bytes (fetch or make the file again)",
                                    path_.string(), format, consumed_));
    }

private:
    std::filesystem::path path_;
    int fd_ = -1;
    std::size_t size_ = kBlock;
    std::unique_ptr<char[]> buffer_;
    std::size_t begin_ = 0, end_ = 0;
    bool at_end_ = false;
    std::uint64_t consumed_ = 0;
};

class PlainSource : public ByteSource {
public:
    explicit PlainSource(std::unique_ptr<FileInput> input) : input_(std::move(input)) {}
    std::size_t read(char* data, std::size_t size) override {
        const auto bytes = input_->peek(1);
        const auto count = std::min(size, bytes.size());
        std::memcpy(data, bytes.data(), count);
        input_->skip(count);
        return count;
    }
    [[nodiscard]] std::uint64_t consumed() const override { return input_->consumed(); }

private:
    std::unique_ptr<FileInput> input_;
};

class GzipSource : public ByteSource {
public:
    explicit GzipSource(std::unique_ptr<FileInput> input) : input_(std::move(input)) {
        if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) throw Error("zlib could not start: out of memory");
    }
    ~GzipSource() override { inflateEnd(&stream_); }
    std::size_t read(char* data, std::size_t size) override {
        stream_.next_out = reinterpret_cast<Bytef*>(data);
        stream_.avail_out = static_cast<uInt>(size);
        while (stream_.avail_out == size) {
            const auto bytes = input_->peek(1);
            if (between_members_) {
                if (bytes.empty()) return 0;
                if (bytes[0] == '\0') {
                    input_->skip(1);
                    continue;
                }
                if (bytes[0] != '\x1f') input_->damaged("gzip", "data after the end that is not a gzip member");
                inflateReset(&stream_);
                between_members_ = false;
            }
            if (bytes.empty()) input_->truncated("gzip");
            stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
            stream_.avail_in = static_cast<uInt>(bytes.size());
            const int code = inflate(&stream_, Z_NO_FLUSH);
            input_->skip(bytes.size() - stream_.avail_in);
            if (code == Z_STREAM_END)
                between_members_ = true;
            else if (code != Z_OK && code != Z_BUF_ERROR)
                input_->damaged("gzip", stream_.msg ? stream_.msg : "unreadable data");
        }
        return size - stream_.avail_out;
    }
    [[nodiscard]] std::uint64_t consumed() const override { return input_->consumed(); }

private:
    std::unique_ptr<FileInput> input_;
    z_stream stream_{};
    bool between_members_ = false;
};

class XzSource : public ByteSource {
public:
    explicit XzSource(std::unique_ptr<FileInput> input) : input_(std::move(input)) {
        if (lzma_stream_decoder(&stream_, kXzMemory, LZMA_CONCATENATED) != LZMA_OK)
            throw Error("liblzma could not start: out of memory");
    }
    ~XzSource() override { lzma_end(&stream_); }
    std::size_t read(char* data, std::size_t size) override {
        stream_.next_out = reinterpret_cast<std::uint8_t*>(data);
        stream_.avail_out = size;
        while (stream_.avail_out == size && !done_) {
            const auto bytes = input_->peek(1);
            stream_.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
            stream_.avail_in = bytes.size();
            const auto code = lzma_code(&stream_, bytes.empty() ? LZMA_FINISH : LZMA_RUN);
            input_->skip(bytes.size() - stream_.avail_in);
            if (code == LZMA_STREAM_END)
                done_ = true;
            else if (code == LZMA_BUF_ERROR && bytes.empty())
                input_->truncated("xz");
            else if (code == LZMA_MEMLIMIT_ERROR)
                input_->damaged("xz", "it asks for more than 1 GiB of memory");
            else if (code != LZMA_OK && code != LZMA_BUF_ERROR)
                input_->damaged("xz", "unreadable data");
        }
        return size - stream_.avail_out;
    }
    [[nodiscard]] std::uint64_t consumed() const override { return input_->consumed(); }

private:
    std::unique_ptr<FileInput> input_;
    lzma_stream stream_ = LZMA_STREAM_INIT;
    bool done_ = false;
};

class ZstdSource : public ByteSource {
public:
    explicit ZstdSource(std::unique_ptr<FileInput> input) : input_(std::move(input)), stream_(ZSTD_createDStream()) {
        if (stream_ == nullptr) throw Error("zstd could not start: out of memory");
        ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kZstdWindowLog);
    }
    ~ZstdSource() override { ZSTD_freeDStream(stream_); }
    std::size_t read(char* data, std::size_t size) override {
        ZSTD_outBuffer out{data, size, 0};
        while (out.pos == 0) {
            const auto bytes = input_->peek(1);
            if (bytes.empty() && between_frames_) return 0;
            ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
            const auto code = ZSTD_decompressStream(stream_, &out, &in);
            if (ZSTD_isError(code)) input_->damaged("zstd", ZSTD_getErrorName(code));
            input_->skip(in.pos);
            // Code 0 means that a frame has ended and was flushed. The next byte begins another.
            between_frames_ = code == 0;
            if (bytes.empty() && out.pos == 0 && !between_frames_) input_->truncated("zstd");
        }
        return out.pos;
    }
    [[nodiscard]] std::uint64_t consumed() const override { return input_->consumed(); }

private:
    std::unique_ptr<FileInput> input_;
    ZSTD_DStream* stream_;
    bool between_frames_ = true;
};

}  // namespace

std::unique_ptr<ByteSource> open_byte_source(const std::filesystem::path& path) {
    auto input = std::make_unique<FileInput>(path);
    const auto head = input->peek(6).substr(0, 6);
    if (starts_with(head, "\x1f\x8b")) return std::make_unique<GzipSource>(std::move(input));
    if (head == std::string_view("\xFD"
                                 "7zXZ\0",
                                 6))
        return std::make_unique<XzSource>(std::move(input));
    // pzstd writes a skippable frame before the first zstd frame.
    const bool skippable = head.size() >= 4 && (head[0] & 0xF0) == 0x50 && head.substr(1, 3) == "\x2A\x4D\x18";
    if (skippable || starts_with(head, "\x28\xB5\x2F\xFD")) return std::make_unique<ZstdSource>(std::move(input));
    return std::make_unique<PlainSource>(std::move(input));
}

}  // namespace longbow
