// Token ids on disk. Each split is one stream, in memory-mapped shards of 16- or 32-bit ids, described by a manifest.
//
//   STORE/manifest.json          counts, documents, tokenizer fingerprint, source hashes, checksums, boundary id
//   STORE/<split>-00000.bin ..   little-endian ids
//   STORE/<split>.documents.bin  u64 end offset of each document (tokens)
//   STORE/<split>.cumulative.bin u64 pairs (raw bytes, words) before token 4096*k, and at the end
//   STORE/tokenizer files
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "longbow/core/json.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

// Raw UTF-8 bytes and words before a position in a stream. TokenStream::bytes_before() says what counts as a word.
struct RawCount {
    std::uint64_t bytes = 0, words = 0;
};

// The target at positions that give no loss: those that only pad a short row, and what a task's item asks with.
constexpr std::int64_t kNoTarget = -1;

// A part of a mixture's stream. Samples are drawn from each part separately, in proportion to the weights (mixture.h).
struct StreamPart {
    std::int64_t tokens = 0;
    double weight = 1;
};

// One split's stream of target ids. The boundary id that precedes the first target is not stored: inputs are the stream
// shifted by one, starting with boundary().
class TokenStream {
public:
    virtual ~TokenStream() = default;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    // Copies ids [begin, begin + count) to `out`. Throws DataError outside [0, size()).
    virtual void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const = 0;
    // Hints that these ids will be needed soon, so that the disk reads them while other work goes on. Changes no result
    // and never throws.
    virtual void prefetch(std::int64_t begin, std::int64_t count) const {
        (void)begin;
        (void)count;
    }
    // Returns whether some targets give no loss in training; mask() says which. Only a task's stream has such.
    [[nodiscard]] virtual bool masks() const { return false; }
    // Replaces targets [begin, begin + count), as read() gave them, by kNoTarget where they give no loss. Returns how
    // many were replaced.
    virtual std::int64_t mask(std::int64_t begin, std::int64_t count, std::int64_t* targets) const {
        (void)begin;
        (void)count;
        (void)targets;
        return 0;
    }
    // Returns the parts in the order of the stream; only a mixture has more than one.
    [[nodiscard]] virtual std::vector<StreamPart> parts() const { return {{size(), 1.0}}; }
    [[nodiscard]] virtual TokenId boundary() const = 0;
    // Return the raw UTF-8 bytes and the words of tokens [0, end). Words are runs of non-whitespace; the word tokenizer
    // counts each </s> as one more. The values are exact at the end of the stream and at document ends of in-memory
    // streams. Elsewhere they are interpolated linearly between marks 4,096 tokens apart. The marks are exact for
    // byte-level bpe, and the word marks also for the word tokenizer. Other tokenizers drop or rewrite text (spaces,
    // case), so that a stretch of text is divided among its tokens by their lengths, and marks within the stretch are
    // approximate.
    [[nodiscard]] virtual double bytes_before(std::int64_t end) const = 0;
    [[nodiscard]] virtual double words_before(std::int64_t end) const = 0;
    // Returns the ends (exclusive, in tokens) of documents, ascending. The last equals size().
    [[nodiscard]] virtual const std::vector<std::int64_t>& document_ends() const = 0;
    // Returns whether the last token of each document is a boundary that Longbow added to it.
    [[nodiscard]] virtual bool ends_with_boundary() const { return true; }
    // Returns a checksum that identifies the ids, for results and for resuming.
    [[nodiscard]] virtual std::string fingerprint() const = 0;
};

// Reads the inputs of target positions [begin, begin + count): the stream shifted right by one.
void read_inputs(const TokenStream& stream, std::int64_t begin, std::int64_t count, std::int64_t* out);

class TokenStore {
public:
    // Opens a store and checks the sizes of its files; verify() checks their contents. Throws DataError.
    explicit TokenStore(const std::filesystem::path& path);
    ~TokenStore();
    TokenStore(TokenStore&&) noexcept;

    [[nodiscard]] const std::filesystem::path& path() const;
    [[nodiscard]] const Json& manifest() const;
    [[nodiscard]] std::vector<std::string> splits() const;
    [[nodiscard]] bool has_split(const std::string& split) const;
    // Returns a split, which lives as long as the store. Throws DataError that names the existing splits.
    [[nodiscard]] const TokenStream& split(const std::string& name) const;
    [[nodiscard]] std::int64_t vocab_size() const;
    [[nodiscard]] std::string tokenizer_fingerprint() const;
    // Loads the tokenizer that made the store. Throws DataError when its files do not match the manifest.
    [[nodiscard]] std::unique_ptr<Tokenizer> tokenizer() const;
    // Recomputes every checksum. Throws DataError that names the damaged file.
    void verify() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
