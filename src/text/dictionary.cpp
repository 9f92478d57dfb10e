#include "dictionary.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "longbow/core/error.h"
#include "longbow/core/utf8.h"
#include "longbow/text/reader.h"
#include "meta.h"
#include "unicode.h"

namespace longbow {

namespace {

constexpr std::string_view kOverwrite = "#fairseq:overwrite";

// Strips trailing white space like Python's str.rstrip().
std::string_view right_trim(std::string_view line) {
    while (!line.empty()) {
        const auto last = decode_utf8_back(line);
        if (!is_python_space(last.value)) break;
        line.remove_suffix(last.length);
    }
    return line;
}

// Cuts "head field" at the last space. Returns false when there is none.
bool cut_last(std::string_view line, std::string_view& head, std::string_view& field) {
    const auto space = line.rfind(' ');
    if (space == std::string_view::npos) return false;
    head = line.substr(0, space);
    field = line.substr(space + 1);
    return true;
}

}  // namespace

Dictionary::Dictionary() {
    for (const auto* special : {"<s>", "<pad>", "</s>", "<unk>"}) add(special, 1);
}

void Dictionary::add(std::string_view word, std::int64_t count) {
    const auto entry = table_.insert(word);
    if (entry == ids_.size()) ids_.push_back(0);
    ids_[entry] = static_cast<TokenId>(symbols_.size());
    symbols_.emplace_back(word);
    counts_.push_back(count);
}

Dictionary Dictionary::parse(std::string_view text, const std::string& name) {
    text = vocabulary_text(text, name, /*nul=*/true);
    Dictionary dictionary;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const auto end = std::min(text.find_first_of("\r\n"), text.size());
        const auto line = right_trim(text.substr(0, end));
        const bool both = end + 1 < text.size() && text[end] == '\r' && text[end + 1] == '\n';
        text.remove_prefix(std::min(end + (both ? 2 : 1), text.size()));
        const auto fail = [&](const std::string& what) {
            throw DataError(name + ":" + std::to_string(number) + ": " + what);
        };

        std::string_view word, field;
        bool good = cut_last(line, word, field);
        const bool overwrite = good && field == kOverwrite;
        if (overwrite) good = cut_last(std::string_view(word), word, field);
        std::int64_t count = 0;
        const auto parsed = std::from_chars(field.data(), field.data() + field.size(), count);
        if (!good || word.empty() || field.empty() || parsed.ec != std::errc() ||
            parsed.ptr != field.data() + field.size() || count < 0) {
            fail("\"<word> <count>\" was expected, as fairseq writes dict.txt");
        }
        if (dictionary.table_.find(word) != StringTable::kNone && !overwrite) {
            fail("\"" + std::string(word) +
                 "\" is written twice (or is a special); end the line with \" #fairseq:overwrite\" if it is meant");
        }
        if (dictionary.size() >= 0x7FFFFFFF) fail("more than 2,147,483,647 words");
        dictionary.add(word, count);
    }
    return dictionary;
}

void Dictionary::check_limit(std::int64_t limit) {
    if (limit != 0 && (limit <= kSpecials || limit > 0x7FFFFFFF)) {
        throw DataError(
            fmt::format("a word vocabulary of {} does not fit: its four specials and one word need 5, and the most is "
                        "2,147,483,647 (tokenizer.vocab_size; 0 takes every word)",
                        limit));
    }
}

Dictionary Dictionary::from_counts(const WordCounts& counts, std::int64_t limit) {
    check_limit(limit);
    Dictionary dictionary;
    auto words = counts.sorted();
    std::erase_if(words, [&](const auto& word) { return dictionary.table_.find(word.first) != StringTable::kNone; });
    std::stable_sort(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    if (limit > 0) words.resize(std::min(words.size(), static_cast<std::size_t>(limit - kSpecials)));
    for (const auto& [word, count] : words) dictionary.add(word, count);
    for (int i = 0; dictionary.size() % kPadding != 0; ++i) {
        const auto filler = fmt::format("madeupword{:04}", i);
        if (dictionary.table_.find(filler) == StringTable::kNone) dictionary.add(filler, 0);
    }
    return dictionary;
}

std::string Dictionary::format() const {
    std::string text;
    StringTable seen;
    for (TokenId id = 0; id < size(); ++id) {
        const auto before = seen.size();
        const bool again = seen.insert(symbols_[id]) < before;
        if (id < kSpecials) continue;
        text += symbols_[id] + ' ' + std::to_string(counts_[id]);
        if (again) text += ' ' + std::string(kOverwrite);
        text += '\n';
    }
    return vocabulary_file(std::move(text));
}

}  // namespace longbow
