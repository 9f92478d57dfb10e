#include "bpe.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_map>

#include "bpe_model.h"
#include "longbow/core/error.h"
#include "longbow/core/utf8.h"

namespace longbow::hf {

namespace {

constexpr TokenId kNone = 0xFFFFFFFF;
constexpr std::uint64_t kMostHoles = 1 << 20;  // ids that no token has

}  // namespace

Bpe::Bpe(const BpeVocabulary& vocabulary, BpeOptions options, const std::string& name) : options_(std::move(options)) {
    add_tokens(vocabulary, name);
    if (!options_.unknown.empty()) {
        unknown_ = find(options_.unknown);
        if (!unknown_) throw DataError(name + ": model.unk_token: the vocabulary has no \"" + options_.unknown + "\"");
    }
    fallback_ids_.fill(kNone);
    all_fallbacks_ = options_.byte_fallback;
    for (unsigned byte = 0; byte < 256 && options_.byte_fallback; ++byte) {
        const auto id = find(fmt::format("<0x{:02X}>", byte));
        fallback_ids_[byte] = id.value_or(kNone);
        all_fallbacks_ = all_fallbacks_ && id;
    }
    bytes_ = options_.byte_level;
    for (unsigned byte = 0; byte < 256 && options_.byte_level; ++byte) {
        const auto id = find(byte_name(static_cast<unsigned char>(byte)));
        byte_ids_[byte] = id.value_or(kNone);
        bytes_ = bytes_ && id;
    }
    for (unsigned char c = 0; c < 128; ++c) {
        const char text = static_cast<char>(c);
        ascii_[c] = look_up(std::string_view(&text, 1));
    }
    if (options_.ignore_merges && bytes_) {
        for (TokenId id = 0; id < texts_.size(); ++id) {
            const auto bytes = texts_[id].empty() ? std::nullopt : name_to_bytes(texts_[id]);
            if (bytes && whole_.insert(*bytes) == whole_ids_.size()) whole_ids_.push_back(id);
        }
    }
    add_merges(vocabulary, name);
}

void Bpe::add_tokens(const BpeVocabulary& vocabulary, const std::string& name) {
    count_ = vocabulary.tokens.size();
    std::vector<bool> seen;
    for (const auto& [text, id] : vocabulary.tokens) {
        // Clang before 16 captures no name of a structured binding by itself.
        const auto fail = [&, &text = text](const std::string& what) {
            throw DataError(fmt::format("{}: model.vocab: the token \"{}\" {}", name, text.substr(0, 80), what));
        };
        if (text.empty()) fail("is empty");
        if (id >= count_ + kMostHoles) fail(fmt::format("has the id {}, too high for {} tokens", id, count_));
        if (id >= texts_.size()) {
            texts_.resize(id + 1);
            seen.resize(id + 1);
        }
        if (seen[id]) fail(fmt::format("has the id {}, and so has \"{}\"", id, texts_[id].substr(0, 80)));
        seen[id] = true;
        texts_[id] = text;
        if (table_.insert(text) < ids_.size()) fail("is written twice");
        ids_.push_back(static_cast<TokenId>(id));
        longest_ = std::max(longest_, text.size());
        const auto first = decode_utf8(text);
        if (first.value >= 0x80 && first.length == text.size())
            others_.insert(first.value, {Known::token, static_cast<TokenId>(id)});
    }
}

void Bpe::add_merges(const BpeVocabulary& vocabulary, const std::string& name) {
    std::vector<BpeMerge> merges;
    std::unordered_map<std::uint64_t, std::size_t> places;
    for (const auto& [left, right] : vocabulary.merges) {
        const auto known = [&, &first = left, &second = right](std::string_view token) {
            if (const auto id = find(token)) return *id;
            throw DataError(
                fmt::format("{}: model.merges: of the merge of \"{}\" and \"{}\", the vocabulary has no \"{}\"", name,
                            first.substr(0, 80), second.substr(0, 80), token.substr(0, 160)));
        };
        const BpeMerge merge{known(left), known(right), known(left + right)};
        const auto [place, added] = places.try_emplace(std::uint64_t{merge.left} << 32 | merge.right, merges.size());
        if (!added) {
            // The last of two counts, at its own rank. What it leaves behind is a pair that never occurs.
            merges[place->second] = {kNone, static_cast<TokenId>(place->second), 0};
            place->second = merges.size();
        }
        merges.push_back(merge);
        // A merge of a token that stands for a character by another name.
        const auto renamed = [&](const std::string& text) {
            return text == options_.unknown || (options_.byte_fallback && text.size() == 6 && text.starts_with("<0x"));
        };
        if (renamed(left) || renamed(right)) cuttable_ = false;
        remember_neighbours(left, right);
    }
    merges_ = BpeMerges(merges);
}

void Bpe::remember_neighbours(std::string_view left, std::string_view right) {
    char32_t before = decode_utf8_back(left).value, after = decode_utf8(right).value;
    if (bytes_) {
        const auto one = name_to_bytes(left), other = name_to_bytes(right);
        if (!one || !other) return;  // never reached from bytes
        before = static_cast<unsigned char>(one->back());
        after = static_cast<unsigned char>(other->front());
    }
    if (before < 256 && after < 256)
        near_[before << 8 | after] = true;
    else
        far_.insert(std::uint64_t{before} << 32 | after, true);
}

std::optional<TokenId> Bpe::find(std::string_view token) const {
    const auto entry = table_.find(token);
    return entry == StringTable::kNone ? std::nullopt : std::optional(ids_[entry]);
}

const std::string* Bpe::text(TokenId id) const {
    return id < texts_.size() && !texts_[id].empty() ? &texts_[id] : nullptr;
}

Bpe::Symbol Bpe::symbol(char32_t c, std::string_view character) const {
    if (c < 0x80) return ascii_[c];
    const auto* known = others_.find(c);
    return known != nullptr ? *known : look_up(character);
}

Bpe::Symbol Bpe::look_up(std::string_view character) const {
    if (const auto id = find(character)) return {Known::token, *id};
    const bool bytes = options_.byte_fallback && std::all_of(character.begin(), character.end(), [&](char byte) {
                           return fallback_ids_[static_cast<unsigned char>(byte)] != kNone;
                       });
    return {bytes ? Known::bytes : Known::unknown, kNone};
}

// Whether a character becomes the same symbols whatever stands beside it. Unknown ones may be fused, or left out; and
// bytes come before an unknown token that stands before them.
bool Bpe::is_fixed(char32_t c, std::string_view character) const {
    const auto known = symbol(c, character).known;
    return known == Known::token || (known == Known::bytes && all_fallbacks_);
}

bool Bpe::may_cut(char32_t before, char32_t after) const {
    if (!cuttable_ || options_.ignore_merges) return false;
    if (options_.byte_level) return bytes_ && before < 256 && after < 256 && !joined(before, after);
    std::string one, other;
    append_utf8(one, before);
    append_utf8(other, after);
    return !joined(before, after) && is_fixed(before, one) && is_fixed(after, other);
}

void Bpe::encode(std::string_view piece, WordCache& cache, std::vector<TokenId>& ids) const {
    if (bytes_)
        encode_bytes(piece, cache, ids);
    else if (options_.byte_level)
        encode_text(bytes_to_name(piece), cache, ids);
    else
        encode_text(piece, cache, ids);
}

void Bpe::encode_bytes(std::string_view piece, WordCache& cache, std::vector<TokenId>& ids) const {
    if (piece.size() == 1 && !options_.ignore_merges) {
        ids.push_back(byte_ids_[static_cast<unsigned char>(piece[0])]);
        return;
    }
    if (piece.size() <= WordCache::kLongest) {
        encode_part(piece, cache, ids);
        return;
    }
    if (options_.ignore_merges && piece.size() <= longest_) {
        if (const auto entry = whole_.find(piece); entry != StringTable::kNone) {
            ids.push_back(whole_ids_[entry]);
            return;
        }
    }
    std::size_t begin = 0;
    for (std::size_t at = 1; at < piece.size() && cuttable_; ++at) {
        if (joined(static_cast<unsigned char>(piece[at - 1]), static_cast<unsigned char>(piece[at]))) continue;
        merge(piece.substr(begin, at - begin), ids);
        begin = at;
    }
    merge(piece.substr(begin), ids);
}

void Bpe::encode_text(std::string_view piece, WordCache& cache, std::vector<TokenId>& ids) const {
    if (piece.size() <= WordCache::kLongest) {
        encode_part(piece, cache, ids);
        return;
    }
    if (options_.ignore_merges && piece.size() <= longest_) {
        if (const auto id = find(piece)) {
            ids.push_back(*id);
            return;
        }
    }
    // With ignore_merges a part of a piece could be a token as a whole, which only a piece may be.
    const auto encode = [&](std::string_view part) {
        if (options_.ignore_merges)
            merge(part, ids);
        else
            encode_part(part, cache, ids);
    };
    std::size_t begin = 0;
    auto before = decode_utf8(piece.substr(0, 4));
    for (std::size_t at = before.length; at < piece.size() && cuttable_;) {
        const auto byte = static_cast<unsigned char>(piece[at]);
        const auto after = byte < 0x80 ? CodePoint{byte, 1} : decode_utf8(piece.substr(at, 4));
        if (!joined(before.value, after.value) &&
            is_fixed(before.value, piece.substr(at - before.length, before.length)) &&
            is_fixed(after.value, piece.substr(at, after.length))) {
            encode(piece.substr(begin, at - begin));
            begin = at;
        }
        before = after;
        at += after.length;
    }
    encode(piece.substr(begin));
}

void Bpe::encode_part(std::string_view part, WordCache& cache, std::vector<TokenId>& ids) const {
    if (part.size() > WordCache::kLongest) {
        merge(part, ids);
        return;
    }
    const WordCache::Key key(part);
    if (cache.append(key, ids)) return;
    const auto begin = ids.size();
    std::optional<TokenId> whole;
    if (options_.ignore_merges) {
        const auto entry = bytes_ ? whole_.find(part) : table_.find(part);
        if (entry != StringTable::kNone) whole = bytes_ ? whole_ids_[entry] : ids_[entry];
    }
    if (whole)
        ids.push_back(*whole);
    else
        merge(part, ids);
    cache.put(key, ids.data() + begin, ids.size() - begin);
}

void Bpe::merge(std::string_view part, std::vector<TokenId>& ids) const {
    const auto begin = ids.size();
    if (bytes_) {
        for (const char byte : part) ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    } else {
        add_symbols(part, ids);
    }
    ids.resize(begin + merges_.merge(std::span(ids).subspan(begin)));
}

// An unknown token waits for the next known character, so that it can be fused; bytes do not end its waiting.
void Bpe::add_symbols(std::string_view part, std::vector<TokenId>& ids) const {
    bool waiting = false;
    const auto flush = [&] {
        if (waiting) ids.push_back(*unknown_);
        waiting = false;
    };
    for (std::size_t at = 0; at < part.size();) {
        const auto byte = static_cast<unsigned char>(part[at]);
        const auto c = byte < 0x80 ? CodePoint{byte, 1} : decode_utf8(part.substr(at, 4));
        const auto character = part.substr(at, c.length);
        at += c.length;
        const auto found = symbol(c.value, character);
        switch (found.known) {
            case Known::token:
                flush();
                ids.push_back(found.id);
                break;
            case Known::bytes:
                for (const char each : character) ids.push_back(fallback_ids_[static_cast<unsigned char>(each)]);
                break;
            case Known::unknown:
                if (!unknown_) break;
                if (!options_.fuse_unknown) flush();
                waiting = true;
                break;
        }
    }
    flush();
}

}  // namespace longbow::hf
