#include "split_writer.h"

#include <algorithm>
#include <cstring>

#include "longbow/core/error.h"
#include "longbow/core/signals.h"

namespace longbow {

namespace {

fs::path documents_path(const fs::path& folder, const std::string& split) {
    return folder / (split + ".documents.bin");
}
fs::path cumulative_path(const fs::path& folder, const std::string& split) {
    return folder / (split + ".cumulative.bin");
}

RawOffsets saved_offsets(const Tokenizer& tokenizer, const Json& state) {
    return {tokenizer,
            state.at("tokens").get<std::int64_t>(),
            {state.at("raw_bytes").get<std::uint64_t>(), state.at("words").get<std::uint64_t>()}};
}

// States of version 2 have no checksums.
void check_digest(const Hasher& hasher, const std::string& saved, const fs::path& path) {
    if (!saved.empty() && hasher.digest() != saved) {
        throw Error(path.string() + " does not contain the bytes that were written to it: remove " +
                    path.parent_path().parent_path().string() + " to make the store again");
    }
}

// Calls `use` with the first `bytes` of a file, in order and in pieces that hold whole ids.
template <typename Use>
void read_pieces(const fs::path& path, std::uint64_t bytes, const Use& use) {
    constexpr std::uint64_t kPiece = 1 << 22;
    const MappedFile file(path);
    if (file.size() < bytes) throw Error(path.string() + " has lost what was written to it");
    for (std::uint64_t begin = 0; begin < bytes; begin += kPiece) {
        if (stop_requested()) {
            throw InterruptedError(std::string("stopped by ") + stop_signal_name() +
                                   " while reading what was written before; the same command continues from there");
        }
        use(file.text().substr(begin, std::min(kPiece, bytes - begin)));
    }
}

}  // namespace

SplitWriter::Hashed::Hashed(const fs::path& path, const Json& state)
    : file(path, state.at("bytes").get<std::uint64_t>()) {
    read_pieces(path, file.position(), [&](std::string_view piece) { hasher.update(piece); });
    check_digest(hasher, state.value("checksum", ""), path);
}

std::uint64_t shard_tokens_for(std::int64_t configured, std::int64_t id_bytes) {
    return configured > 0 ? static_cast<std::uint64_t>(configured)
                          : (std::uint64_t{1} << 30) / static_cast<std::uint64_t>(id_bytes);
}

SplitWriter::SplitWriter(fs::path folder, std::string split, const Tokenizer& tokenizer, std::uint64_t shard_tokens)
    : folder_(std::move(folder)),
      id_bytes_(id_bytes_for(tokenizer.vocab_size())),
      shard_tokens_(shard_tokens),
      offsets_(tokenizer),
      documents_(documents_path(folder_, split)),
      cumulative_(cumulative_path(folder_, split)) {
    manifest_.name = std::move(split);
}

SplitWriter::SplitWriter(fs::path folder, std::string split, const Tokenizer& tokenizer, std::uint64_t shard_tokens,
                         const Json& state)
    : folder_(std::move(folder)),
      id_bytes_(id_bytes_for(tokenizer.vocab_size())),
      shard_tokens_(shard_tokens),
      offsets_(saved_offsets(tokenizer, state)),
      tokens_in_shard_(state.at("tokens_in_shard").get<std::uint64_t>()),
      documents_(documents_path(folder_, split), state.at("document_ends")),
      cumulative_(cumulative_path(folder_, split), state.at("cumulative")),
      last_document_end_(state.at("last_document_end").get<std::int64_t>()) {
    manifest_.name = std::move(split);
    manifest_.documents = state.at("documents").get<std::int64_t>();
    for (const auto& shard : state.at("shards")) {
        manifest_.shards.push_back({shard_name(manifest_.name, manifest_.shards.size()),
                                    shard.at("bytes").get<std::uint64_t>(), shard.at("checksum").get<std::string>()});
    }
    if (tokens_in_shard_ > 0)
        shard_ =
            std::make_unique<Hashed>(folder_ / shard_name(manifest_.name, manifest_.shards.size()), state.at("shard"));
    read_back();
}

// The fingerprint of the split is of its ids as 32 bits each, whatever the shards' width.
void SplitWriter::read_back() {
    std::vector<TokenId> wide;
    const auto add_ids = [&](std::string_view piece) {
        if (id_bytes_ == 4) return ids_hasher_.update(piece);
        narrow_.resize(piece.size() / 2);
        std::memcpy(narrow_.data(), piece.data(), piece.size());
        wide.assign(narrow_.begin(), narrow_.end());
        ids_hasher_.update(wide.data(), wide.size() * sizeof(TokenId));
    };
    for (const auto& shard : manifest_.shards) {
        Hasher hasher;
        read_pieces(folder_ / shard.file, shard.bytes, [&](std::string_view piece) {
            hasher.update(piece);
            add_ids(piece);
        });
        check_digest(hasher, shard.checksum, folder_ / shard.file);
    }
    if (shard_)
        read_pieces(folder_ / shard_name(manifest_.name, manifest_.shards.size()), shard_->file.position(), add_ids);
}

Json SplitWriter::save() {
    const RawCount total = offsets_.total();
    Json state = {{"tokens", offsets_.tokens()},
                  {"documents", manifest_.documents},
                  {"raw_bytes", total.bytes},
                  {"words", total.words},
                  {"last_document_end", last_document_end_},
                  {"tokens_in_shard", tokens_in_shard_},
                  {"document_ends", documents_.save()},
                  {"cumulative", cumulative_.save()},
                  {"shards", Json::array()}};
    for (const auto& shard : manifest_.shards)
        state["shards"].push_back({{"bytes", shard.bytes}, {"checksum", shard.checksum}});
    if (shard_) state["shard"] = shard_->save();
    return state;
}

void SplitWriter::write_mark(const RawCount& counts) {
    const std::uint64_t pair[2] = {counts.bytes, counts.words};
    cumulative_.write(pair, sizeof pair);
}

void SplitWriter::write_ids(const std::vector<TokenId>& ids) {
    ids_hasher_.update(ids.data(), ids.size() * sizeof(TokenId));
    for (std::size_t begin = 0; begin < ids.size();) {
        if (!shard_) shard_ = std::make_unique<Hashed>(folder_ / shard_name(manifest_.name, manifest_.shards.size()));
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(ids.size() - begin, shard_tokens_ - tokens_in_shard_));
        if (id_bytes_ == 2) {
            narrow_.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                           ids.begin() + static_cast<std::ptrdiff_t>(begin + count));
            shard_->write(narrow_.data(), count * 2);
        } else {
            shard_->write(ids.data() + begin, count * 4);
        }
        begin += count;
        tokens_in_shard_ += count;
        if (tokens_in_shard_ == shard_tokens_) close_shard();
    }
}

void SplitWriter::close_shard() {
    if (!shard_) return;
    manifest_.shards.push_back(shard_->close(shard_name(manifest_.name, manifest_.shards.size())));
    shard_.reset();
    tokens_in_shard_ = 0;
}

void SplitWriter::add(const EncodedChunk& chunk) {
    const auto on_document = [&](std::int64_t end, const RawCount&) {
        if (end == last_document_end_) return;
        const auto value = static_cast<std::uint64_t>(end);
        documents_.write(&value, sizeof value);
        last_document_end_ = end;
        ++manifest_.documents;
    };
    offsets_.add(
        chunk, [&](const RawCount& counts) { write_mark(counts); }, on_document);
    write_ids(chunk.ids);
}

SplitManifest SplitWriter::finish(std::vector<Source> sources) {
    manifest_.tokens = offsets_.tokens();
    if (manifest_.tokens == 0) {
        std::string files;
        for (const auto& source : sources) files += (files.empty() ? "" : ", ") + source.name;
        throw DataError("the " + manifest_.name + " split has no tokens: no text in " + files);
    }
    if (last_document_end_ != manifest_.tokens) {
        const auto value = static_cast<std::uint64_t>(manifest_.tokens);
        documents_.write(&value, sizeof value);
        ++manifest_.documents;
    }
    close_shard();
    const RawCount total = offsets_.total();
    write_mark(total);
    manifest_.raw_bytes = total.bytes;
    manifest_.words = total.words;
    manifest_.fingerprint = ids_hasher_.digest();
    manifest_.document_ends = documents_.close(manifest_.name + ".documents.bin");
    manifest_.cumulative = cumulative_.close(manifest_.name + ".cumulative.bin");
    manifest_.sources = std::move(sources);
    return manifest_;
}

}  // namespace longbow
