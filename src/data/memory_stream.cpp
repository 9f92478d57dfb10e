#include "longbow/data/memory_stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

class MemoryStream final : public TokenStream {
public:
    MemoryStream(std::vector<TokenId> ids, TokenId boundary, std::vector<std::int64_t> document_ends,
                 std::vector<KnownOffset> known, bool ends_with_boundary)
        : ids_(std::move(ids)),
          boundary_(boundary),
          document_ends_(std::move(document_ends)),
          known_(std::move(known)),
          ends_with_boundary_(ends_with_boundary) {}

    [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(ids_.size()); }
    [[nodiscard]] TokenId boundary() const override { return boundary_; }
    [[nodiscard]] const std::vector<std::int64_t>& document_ends() const override { return document_ends_; }
    [[nodiscard]] bool ends_with_boundary() const override { return ends_with_boundary_; }
    [[nodiscard]] std::string fingerprint() const override {
        return longbow::fingerprint({reinterpret_cast<const char*>(ids_.data()), ids_.size() * sizeof(TokenId)});
    }

    void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const override {
        if (begin < 0 || count < 0 || begin > size() - count) {
            throw DataError(fmt::format("{} tokens from position {} reach outside the stream of {} tokens", count,
                                        begin, with_commas(size())));
        }
        std::copy_n(ids_.begin() + begin, count, out);
    }

    [[nodiscard]] double bytes_before(std::int64_t end) const override { return interpolate(end, &RawCount::bytes); }
    [[nodiscard]] double words_before(std::int64_t end) const override { return interpolate(end, &RawCount::words); }

private:
    [[nodiscard]] double interpolate(std::int64_t end, std::uint64_t RawCount::*column) const {
        if (end < 0 || end > size()) throw DataError(fmt::format("token position {} is outside the stream", end));
        const auto high = std::lower_bound(known_.begin(), known_.end(), end,
                                           [](const KnownOffset& k, std::int64_t token) { return k.token < token; });
        const auto above = static_cast<double>(high->counts.*column);
        if (high->token == end) return above;
        const auto low = high - 1;
        const auto below = static_cast<double>(low->counts.*column);
        return below +
               (above - below) * static_cast<double>(end - low->token) / static_cast<double>(high->token - low->token);
    }

    std::vector<TokenId> ids_;
    TokenId boundary_;
    std::vector<std::int64_t> document_ends_;
    std::vector<KnownOffset> known_;  // ascending from token 0 to size()
    bool ends_with_boundary_;
};

// Makes a stream of one document with `counts` bytes and words in each token.
std::unique_ptr<TokenStream> one_document(std::vector<TokenId> ids, TokenId boundary, RawCount counts) {
    if (ids.empty()) throw DataError("a stream of ids needs at least one");
    const auto size = static_cast<std::int64_t>(ids.size());
    const auto count = static_cast<std::uint64_t>(size);
    return std::make_unique<MemoryStream>(
        std::move(ids), boundary, std::vector<std::int64_t>{size},
        std::vector<KnownOffset>{{0, {}}, {size, {counts.bytes * count, counts.words * count}}}, false);
}

}  // namespace

std::unique_ptr<TokenStream> memory_stream(std::vector<TokenId> ids, TokenId boundary,
                                           std::vector<std::int64_t> document_ends, std::vector<KnownOffset> known,
                                           bool ends_with_boundary) {
    return std::make_unique<MemoryStream>(std::move(ids), boundary, std::move(document_ends), std::move(known),
                                          ends_with_boundary);
}

std::unique_ptr<TokenStream> stream_without_text(std::vector<TokenId> ids, TokenId boundary) {
    return one_document(std::move(ids), boundary, {});
}

std::unique_ptr<TokenStream> stream_of_ids(std::vector<TokenId> ids, TokenId boundary) {
    return one_document(std::move(ids), boundary, {1, 1});
}

}  // namespace longbow
