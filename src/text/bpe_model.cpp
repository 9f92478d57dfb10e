// The files may come from a stranger, so that every line is checked and memory stays in proportion to their size.
#include "bpe_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/text/reader.h"
#include "meta.h"
#include "string_table.h"

namespace longbow {

namespace {

// Names bytes by printable characters. Printable Latin-1 bytes name themselves; the others, in order, get U+0100 and
// the following.
struct ByteNames {
    std::array<std::string, 256> names;
    std::array<std::int16_t, 0x144> bytes;  // code point -> byte; -1: none
    ByteNames() {
        bytes.fill(-1);
        char32_t next = 0x100;
        for (unsigned b = 0; b < 256; ++b) {
            const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            const char32_t c = printable ? b : next++;
            append_utf8(names[b], c);
            bytes[c] = static_cast<std::int16_t>(b);
        }
    }
};

const ByteNames& byte_names() {
    static const ByteNames table;
    return table;
}

// Parses one flat object of names and numbers. Anything else stops the parser and sets `problem`.
class VocabHandler : public nlohmann::json_sax<Json> {
public:
    std::vector<std::pair<std::string, std::uint64_t>> entries;
    std::string problem;

    bool null() override { return refuse("null"); }
    bool boolean(bool) override { return refuse("true or false"); }
    bool number_integer(std::int64_t value) override { return refuse(std::to_string(value)); }
    bool number_unsigned(std::uint64_t value) override {
        if (depth_ == 0) return refuse("a number");
        entries.emplace_back(std::move(key_), value);
        return true;
    }
    bool number_float(double, const std::string& text) override { return refuse(text); }
    bool string(std::string& text) override { return refuse("the text \"" + text.substr(0, 40) + "\""); }
    bool binary(Json::binary_t&) override { return refuse("binary data"); }
    bool start_object(std::size_t) override { return ++depth_ == 1 || refuse("an object"); }
    bool key(std::string& name) override {
        key_ = name;
        return true;
    }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return refuse("a list"); }
    bool end_array() override { return true; }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
        problem = "not JSON at byte " + std::to_string(position);
        return false;
    }

private:
    bool refuse(const std::string& what) {
        problem = what + " where \"token\": id was expected";
        return false;
    }
    std::string key_;
    int depth_ = 0;
};

std::vector<std::string> parse_vocab(std::string_view json, const std::string& name) {
    json = vocabulary_text(json, name, /*nul=*/false);
    VocabHandler handler;
    if (!Json::sax_parse(json, &handler))
        throw DataError(name + ": " + handler.problem + "; a vocab.json as GPT-2's was expected");
    const auto count = handler.entries.size();
    if (count > 0x7FFFFFFF) throw DataError(name + ": more than 2,147,483,647 tokens");
    std::vector<std::string> names(count);
    std::vector<bool> seen(count);
    StringTable unique;
    for (auto& [token, id] : handler.entries) {
        if (id >= count) {
            throw DataError(fmt::format("{}: token \"{}\" has id {}, but {} tokens need the ids 0 to {}", name, token,
                                        id, count, count - 1));
        }
        if (seen[id]) {
            throw DataError(name + ": id " + std::to_string(id) + " is written twice: \"" + names[id] + "\" and \"" +
                            token + "\"");
        }
        const auto before = unique.size();
        if (unique.insert(token) < before) throw DataError(name + ": token \"" + token + "\" is written twice");
        if (token.empty()) throw DataError(name + ": id " + std::to_string(id) + " is an empty token");
        seen[id] = true;
        names[id] = std::move(token);
    }
    return names;
}

}  // namespace

const std::string& byte_name(unsigned char byte) { return byte_names().names[byte]; }

std::string bytes_to_name(std::string_view bytes) {
    std::string name;
    for (const char byte : bytes) name += byte_name(static_cast<unsigned char>(byte));
    return name;
}

std::optional<std::string> name_to_bytes(std::string_view name) {
    const auto& table = byte_names();
    std::string bytes;
    for (std::size_t at = 0; at < name.size();) {
        const auto c = decode_utf8(name.substr(at, 4));
        if (c.value >= table.bytes.size() || table.bytes[c.value] < 0) return std::nullopt;
        bytes += static_cast<char>(table.bytes[c.value]);
        at += c.length;
    }
    return bytes;
}

BpeModel parse_bpe(std::string_view vocab_json, const std::string& vocab_name, std::string_view merges_text,
                   const std::string& merges_name) {
    BpeModel model;
    model.names = parse_vocab(vocab_json, vocab_name);
    StringTable ids;  // gives the ids of the vocabulary, because it is filled in that order
    for (const auto& token : model.names) {
        ids.insert(token);
        model.bytes.push_back(name_to_bytes(token).value_or(token));
    }
    for (unsigned b = 0; b < 256; ++b) {
        const auto id = ids.find(byte_name(static_cast<unsigned char>(b)));
        if (id == StringTable::kNone) {
            throw DataError(fmt::format("{}: no token for byte 0x{:02X} (\"{}\"): this is not a byte-level vocabulary",
                                        vocab_name, b, byte_name(static_cast<unsigned char>(b))));
        }
        model.byte_ids[b] = id;
    }
    auto boundary = ids.find(kEndOfText);
    if (boundary == StringTable::kNone) boundary = ids.find("</s>");
    if (boundary == StringTable::kNone)
        throw DataError(vocab_name + ": it has neither <|endoftext|> nor </s>, which end documents");
    model.boundary = boundary;

    merges_text = vocabulary_text(merges_text, merges_name, /*nul=*/false);
    std::unordered_set<std::uint64_t> pairs;
    std::size_t line_number = 0;
    while (!merges_text.empty()) {
        ++line_number;
        const auto end = std::min(merges_text.find('\n'), merges_text.size());
        auto line = merges_text.substr(0, end);
        merges_text.remove_prefix(std::min(end + 1, merges_text.size()));
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (starts_with(line, "#version") || (line.empty() && trim(merges_text).empty())) continue;
        const auto fail = [&](const std::string& what) {
            throw DataError(merges_name + ":" + std::to_string(line_number) + ": " + what);
        };
        const auto space = line.find(' ');
        const bool whole = space != std::string_view::npos && space > 0 && space + 1 < line.size();
        if (!whole || line.find(' ', space + 1) != std::string_view::npos) {
            fail("two tokens with one space between them were expected");
        }
        const auto left = line.substr(0, space);
        const auto right = line.substr(space + 1);
        const auto known = [&](std::string_view token) {
            const auto id = ids.find(token);
            if (id == StringTable::kNone) fail("\"" + std::string(token) + "\" is not in " + vocab_name);
            return id;
        };
        const BpeMerge merge{known(left), known(right), known(std::string(left) + std::string(right))};
        if (!pairs.insert(std::uint64_t{merge.left} << 32 | merge.right).second) fail("this merge is written twice");
        model.merges.push_back(merge);
    }
    return model;
}

std::string format_vocab_json(const BpeModel& model) {
    std::string text = "{";
    for (std::size_t id = 0; id < model.names.size(); ++id) {
        if (id > 0) text += ',';
        text += '\n' + Json(model.names[id]).dump() + ": " + std::to_string(id);
    }
    return text + "\n}\n";
}

std::string format_merges(const BpeModel& model) {
    std::string text = "#version: 0.2\n";
    for (const auto& merge : model.merges) text += model.names[merge.left] + ' ' + model.names[merge.right] + '\n';
    return text;
}

}  // namespace longbow
