// Token ids on disk: per split one stream in u16 or u32 shards, memory-mapped, under a manifest.
//
//   STORE/manifest.json   counts, documents, tokenizer fingerprint, source hashes, checksums, boundary id
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

// Raw UTF-8 bytes and words before a place in a stream (TokenStream::bytes_before says what counts as a word).
struct RawCount {
    std::uint64_t bytes = 0, words = 0;
};

// A part of a stream from which samples are drawn apart, and its weight beside the others' (mixture.h).
struct StreamPart {
    std::int64_t tokens = 0;
    double weight = 1;
};

// One split's stream of target ids; the boundary id that starts it is not stored (recipe of the evaluation: inputs are the
// stream shifted by one, starting with boundary()).
class TokenStream {
public:
    virtual ~TokenStream() = default;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    // ids [begin, begin+count) into out; throws DataError outside [0, size()).
    virtual void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const = 0;
    // Asks for these ids to be brought from the disk while other work goes on. A hint: it changes no result, and never throws.
    virtual void prefetch(std::int64_t begin, std::int64_t count) const {
        (void)begin;
        (void)count;
    }
    // In the order of the stream; one, unless it is a mixture.
    [[nodiscard]] virtual std::vector<StreamPart> parts() const { return {{size(), 1.0}}; }
    [[nodiscard]] virtual TokenId boundary() const = 0;
    // Raw UTF-8 bytes and words of tokens [0, end). Words: runs of non-whitespace, plus one a </s> for the word tokenizer. Exact at the
    // end of the stream and at document ends of in-memory streams; between, interpolated linearly within 4,096 tokens, whose ends are
    // exact for byte-level bpe (words: also for word). For the others a stretch of text is shared out among its tokens by their lengths: what
    // a tokenizer drops or rewrites (spaces, case) shifts those ends within the stretch.
    [[nodiscard]] virtual double bytes_before(std::int64_t end) const = 0;
    [[nodiscard]] virtual double words_before(std::int64_t end) const = 0;
    // Ends (exclusive, in tokens) of documents, ascending; the last equals size().
    [[nodiscard]] virtual const std::vector<std::int64_t>& document_ends() const = 0;
    // Identifies the ids (checksum), for results and resume.
    [[nodiscard]] virtual std::string fingerprint() const = 0;
};

// Inputs of target positions [begin, begin+count): the stream shifted right by one.
void read_inputs(const TokenStream& stream, std::int64_t begin, std::int64_t count, std::int64_t* out);

class TokenStore {
public:
    // Opens and checks sizes (not checksums: verify() does). Throws DataError.
    explicit TokenStore(const std::filesystem::path& path);
    ~TokenStore();
    TokenStore(TokenStore&&) noexcept;

    [[nodiscard]] const std::filesystem::path& path() const;
    [[nodiscard]] const Json& manifest() const;
    [[nodiscard]] std::vector<std::string> splits() const;
    [[nodiscard]] bool has_split(const std::string& split) const;
    // Lives as long as the store. Throws DataError naming the splits that exist.
    [[nodiscard]] const TokenStream& split(const std::string& name) const;
    [[nodiscard]] std::int64_t vocab_size() const;
    [[nodiscard]] std::string tokenizer_fingerprint() const;
    [[nodiscard]] std::unique_ptr<Tokenizer> tokenizer() const;
    // Recomputes every checksum; throws DataError that names the damaged file.
    void verify() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
