#include "split_writer.h"

#include <algorithm>

#include "longbow/core/error.h"

namespace longbow {

namespace {

fs::path documents_path(const fs::path& folder, const std::string& split) { return folder / (split + ".documents.bin"); }
fs::path cumulative_path(const fs::path& folder, const std::string& split) { return folder / (split + ".cumulative.bin"); }

RawOffsets saved_offsets(const Tokenizer& tokenizer, const Json& state) {
    return {tokenizer,
            state.at("tokens").get<std::int64_t>(),
            {state.at("raw_bytes").get<std::uint64_t>(), state.at("words").get<std::uint64_t>()}};
}

}  // namespace

std::uint64_t shard_tokens_for(std::int64_t configured, std::int64_t id_bytes) {
    return configured > 0 ? static_cast<std::uint64_t>(configured) : (std::uint64_t{1} << 30) / static_cast<std::uint64_t>(id_bytes);
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

SplitWriter::SplitWriter(fs::path folder, std::string split, const Tokenizer& tokenizer, std::uint64_t shard_tokens, const Json& state)
    : folder_(std::move(folder)),
      id_bytes_(id_bytes_for(tokenizer.vocab_size())),
      shard_tokens_(shard_tokens),
      offsets_(saved_offsets(tokenizer, state)),
      tokens_in_shard_(state.at("tokens_in_shard").get<std::uint64_t>()),
      documents_(documents_path(folder_, split), state.at("document_ends")),
      cumulative_(cumulative_path(folder_, split), state.at("cumulative")),
      last_document_end_(state.at("last_document_end").get<std::int64_t>()),
      ids_hasher_(state.at("ids").get<std::string>()) {
    manifest_.name = std::move(split);
    manifest_.documents = state.at("documents").get<std::int64_t>();
    for (const auto& shard : state.at("shards")) {
        manifest_.shards.push_back({shard_name(manifest_.name, manifest_.shards.size()), shard.at("bytes").get<std::uint64_t>(),
                                    shard.at("checksum").get<std::string>()});
    }
    if (tokens_in_shard_ > 0)
        shard_ = std::make_unique<Hashed>(folder_ / shard_name(manifest_.name, manifest_.shards.size()), state.at("shard"));
}

Json SplitWriter::save() {
    const RawCount total = offsets_.total();
    Json state = {{"tokens", offsets_.tokens()}, {"documents", manifest_.documents},        {"raw_bytes", total.bytes},
                  {"words", total.words},        {"last_document_end", last_document_end_}, {"tokens_in_shard", tokens_in_shard_},
                  {"ids", ids_hasher_.state()},  {"document_ends", documents_.save()},      {"cumulative", cumulative_.save()},
                  {"shards", Json::array()}};
    for (const auto& shard : manifest_.shards) state["shards"].push_back({{"bytes", shard.bytes}, {"checksum", shard.checksum}});
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
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(ids.size() - begin, shard_tokens_ - tokens_in_shard_));
        if (id_bytes_ == 2) {
            narrow_.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.begin() + static_cast<std::ptrdiff_t>(begin + count));
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
