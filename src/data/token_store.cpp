// Reads a store. Files are mapped and their sizes checked against the manifest, but none is read through before it is
// needed, so that a store of any size opens at once. Ids are checked as they are read.
#include "longbow/data/token_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <mutex>
#include <span>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/strings.h"
#include "longbow/data/manifest.h"
#include "longbow/data/nearest_store.h"

static_assert(std::endian::native == std::endian::little, "the store's files are little-endian and mapped as they are");

namespace longbow {

namespace {

MappedFile map_checked(const fs::path& folder, const StoredFile& file) {
    const fs::path path = folder / file.file;
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error)
        throw DataError(path.string() + ": " + error.message() + ": the store is not complete; prepare it again");
    if (size != file.bytes) {
        throw DataError(fmt::format("{}: {} bytes, but the manifest says {}: the store is damaged; prepare it again",
                                    path.string(), with_commas(static_cast<std::int64_t>(size)),
                                    with_commas(static_cast<std::int64_t>(file.bytes))));
    }
    MappedFile mapped(path);
    if (mapped.size() != size) throw DataError(path.string() + ": changed while it was opened");
    return mapped;
}

template <class T>
std::span<const T> as(const MappedFile& file) {
    return {reinterpret_cast<const T*>(file.bytes().data()), file.size() / sizeof(T)};
}

class MappedStream final : public TokenStream {
public:
    MappedStream(const fs::path& folder, const StoreManifest& store, const SplitManifest& split)
        : folder_(folder),
          split_(split),
          boundary_(store.tokenizer.boundary),
          vocab_size_(store.tokenizer.vocab_size),
          id_bytes_(store.id_bytes) {
        for (const auto& shard : split.shards) shards_.push_back(map_checked(folder, shard));
        documents_ = map_checked(folder, split.document_ends);
        cumulative_ = map_checked(folder, split.cumulative);
        shard_tokens_ = static_cast<std::int64_t>(split.shards.front().bytes) / id_bytes_;
        const auto last = as<std::uint64_t>(cumulative_).last(2);
        if (last[0] != split.raw_bytes || last[1] != split.words) {
            throw DataError((folder / split.cumulative.file).string() +
                            ": its last entry does not fit the manifest: the store is damaged; prepare it again");
        }
    }

    [[nodiscard]] std::int64_t size() const override { return split_.tokens; }
    [[nodiscard]] TokenId boundary() const override { return boundary_; }
    [[nodiscard]] std::string fingerprint() const override { return split_.fingerprint; }

    void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const override {
        if (begin < 0 || count < 0 || begin > split_.tokens - count) {
            throw DataError(fmt::format("{} tokens from position {} reach outside the {} split of {} tokens", count,
                                        begin, split_.name, with_commas(split_.tokens)));
        }
        while (count > 0) {
            const auto shard = static_cast<std::size_t>(begin / shard_tokens_);
            const auto first = begin % shard_tokens_;
            const auto here = std::min(count, shard_tokens_ - first);
            if (id_bytes_ == 2) {
                copy(as<std::uint16_t>(shards_[shard])
                         .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(here)),
                     shard, out);
            } else {
                copy(as<std::uint32_t>(shards_[shard])
                         .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(here)),
                     shard, out);
            }
            begin += here;
            out += here;
            count -= here;
        }
    }

    void prefetch(std::int64_t begin, std::int64_t count) const override {
        begin = std::max<std::int64_t>(begin, 0);
        count = std::min(count, split_.tokens - begin);
        while (count > 0) {
            const auto first = begin % shard_tokens_;
            const auto here = std::min(count, shard_tokens_ - first);
            shards_[static_cast<std::size_t>(begin / shard_tokens_)].prefetch(
                static_cast<std::size_t>(first * id_bytes_), static_cast<std::size_t>(here * id_bytes_));
            begin += here;
            count -= here;
        }
    }

    [[nodiscard]] double bytes_before(std::int64_t end) const override { return interpolate(end, 0); }
    [[nodiscard]] double words_before(std::int64_t end) const override { return interpolate(end, 1); }

    [[nodiscard]] const std::vector<std::int64_t>& document_ends() const override {
        std::call_once(documents_once_, [this] {
            check_documents();
            const auto ends = as<std::int64_t>(documents_);
            document_ends_.assign(ends.begin(), ends.end());
        });
        return document_ends_;
    }

    // Throws DataError unless the document ends ascend up to the split's end.
    void check_documents() const {
        std::uint64_t before = 0;
        for (const auto end : as<std::uint64_t>(documents_)) {
            if (end <= before || end > static_cast<std::uint64_t>(split_.tokens)) damaged_documents();
            before = end;
        }
        if (before != static_cast<std::uint64_t>(split_.tokens)) damaged_documents();
    }

private:
    [[noreturn]] void damaged_documents() const {
        throw DataError((folder_ / split_.document_ends.file).string() +
                        ": the ends do not ascend to the split's end: the store is damaged; prepare it again");
    }

    template <class T>
    void copy(std::span<const T> ids, std::size_t shard, std::int64_t* out) const {
        T largest = 0;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            largest = std::max(largest, ids[i]);
            out[i] = ids[i];
        }
        if (static_cast<std::int64_t>(largest) >= vocab_size_) {
            throw DataError(
                fmt::format("{}: id {} is outside the vocabulary of {}: the store is damaged; prepare it again",
                            (folder_ / split_.shards[shard].file).string(), largest, vocab_size_));
        }
    }

    [[nodiscard]] double interpolate(std::int64_t end, std::size_t column) const {
        if (end < 0 || end > split_.tokens)
            throw DataError(fmt::format("token position {} is outside the {} split", end, split_.name));
        const auto values = as<std::uint64_t>(cumulative_);
        if (end == split_.tokens) return static_cast<double>(values[values.size() - 2 + column]);
        const auto mark = end / kMarkTokens;
        const auto next = std::min((mark + 1) * kMarkTokens, split_.tokens);
        const auto at = static_cast<std::size_t>(2 * mark) + column;
        const auto low = static_cast<double>(values[at]);
        const auto high = static_cast<double>(values[at + 2]);
        return low + (high - low) * static_cast<double>(end - mark * kMarkTokens) /
                         static_cast<double>(next - mark * kMarkTokens);
    }

    fs::path folder_;
    const SplitManifest& split_;
    TokenId boundary_;
    std::int64_t vocab_size_, id_bytes_, shard_tokens_ = 0;
    std::vector<MappedFile> shards_;
    MappedFile documents_, cumulative_;
    mutable std::once_flag documents_once_;
    mutable std::vector<std::int64_t> document_ends_;
};

}  // namespace

struct TokenStore::Impl {
    fs::path path;
    Json json;
    StoreManifest manifest;
    std::map<std::string, std::unique_ptr<MappedStream>> streams;
};

TokenStore::TokenStore(const fs::path& path) : impl_(std::make_unique<Impl>()) {
    impl_->path = path;
    const fs::path manifest = path / "manifest.json";
    if (!fs::is_directory(path)) {
        throw DataError(path.string() + ": no such token store: `longbow prepare` makes one" + store_suggestion(path));
    }
    if (!fs::exists(manifest))
        throw DataError(path.string() + ": not a token store (it has no manifest.json)" + store_suggestion(path));
    impl_->json = read_manifest_json(read_file(manifest), manifest.string());
    impl_->manifest = parse_manifest(impl_->json, manifest.string());
    check_manifest_checksum(impl_->json, manifest.string());
    for (const auto& split : impl_->manifest.splits) {
        impl_->streams[split.name] = std::make_unique<MappedStream>(path, impl_->manifest, split);
    }
}

TokenStore::~TokenStore() = default;
TokenStore::TokenStore(TokenStore&&) noexcept = default;

const fs::path& TokenStore::path() const { return impl_->path; }
const Json& TokenStore::manifest() const { return impl_->json; }
std::int64_t TokenStore::vocab_size() const { return impl_->manifest.tokenizer.vocab_size; }
std::string TokenStore::tokenizer_fingerprint() const { return impl_->manifest.tokenizer.fingerprint; }

std::vector<std::string> TokenStore::splits() const {
    std::vector<std::string> names;
    for (const auto& split : impl_->manifest.splits) names.push_back(split.name);
    return names;
}

bool TokenStore::has_split(const std::string& split) const { return impl_->streams.contains(split); }

const TokenStream& TokenStore::split(const std::string& name) const {
    const auto found = impl_->streams.find(name);
    if (found == impl_->streams.end()) {
        throw DataError(impl_->path.string() + ": the store has no split \"" + name + "\"; it has " +
                        join(splits(), ", "));
    }
    return *found->second;
}

std::unique_ptr<Tokenizer> TokenStore::tokenizer() const {
    auto tokenizer = load_tokenizer(impl_->path);
    if (tokenizer->fingerprint() != tokenizer_fingerprint()) {
        throw DataError(impl_->path.string() + ": its tokenizer files are not those that made it (fingerprint " +
                        tokenizer->fingerprint() + ", manifest " + tokenizer_fingerprint() +
                        "): the store is damaged; prepare it again");
    }
    return tokenizer;
}

void TokenStore::verify() const {
    const auto check = [&](const StoredFile& file) {
        const fs::path path = impl_->path / file.file;
        const auto found = fingerprint_file(path);
        if (found != file.checksum) {
            throw DataError(path.string() + ": checksum " + found + ", but the manifest says " + file.checksum +
                            ": the file is damaged; prepare the store again");
        }
    };
    for (const auto& split : impl_->manifest.splits) {
        for (const auto& shard : split.shards) check(shard);
        check(split.document_ends);
        check(split.cumulative);
        impl_->streams.at(split.name)->check_documents();
    }
    (void)tokenizer();
}

void read_inputs(const TokenStream& stream, std::int64_t begin, std::int64_t count, std::int64_t* out) {
    if (count <= 0) return;
    if (begin == 0) {
        *out = stream.boundary();
        stream.read(0, count - 1, out + 1);
    } else {
        stream.read(begin - 1, count, out);
    }
}

}  // namespace longbow
