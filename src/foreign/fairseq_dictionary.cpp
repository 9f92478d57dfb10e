// Checks whether a dictionary fits an imported model (dictionary_mismatch() of fairseq_model.h).
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "longbow/core/strings.h"
#include "longbow/foreign/fairseq_model.h"

namespace longbow {

namespace {

// Returns the count at the end of a line of dict.txt, or -1 where there is none.
std::int64_t count_of(std::string_view line) {
    constexpr std::string_view kOverwrite = " #fairseq:overwrite";
    line = trim(line);
    if (line.ends_with(kOverwrite)) line.remove_suffix(kOverwrite.size());
    const auto space = line.rfind(' ');
    std::int64_t count = -1;
    if (space != std::string_view::npos) std::from_chars(line.data() + space + 1, line.data() + line.size(), count);
    return count;
}

}  // namespace

std::string dictionary_mismatch(const std::string& dictionary, const FairseqModel& model) {
    constexpr std::int64_t kSpecials = 4;
    std::int64_t lines = 0, before = -1;
    for (std::string_view rest = dictionary; !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto count = count_of(rest.substr(0, end));
        ++lines;
        if (before >= 0 && count > before) {
            return fmt::format(
                "line {} has a higher count ({}) than the line before it ({}). fairseq sorts its dictionaries by falling count, and a "
                "word's line is its id: in another order the model reads other words. Take the dict.txt that the training data was made with",
                lines, count, before);
        }
        before = count;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (lines + kSpecials == model.vocab_size) return "";
    const bool padding = lines + kSpecials < model.vocab_size && (lines + kSpecials + 7) / 8 * 8 == model.vocab_size;
    return fmt::format(
        "it has {} words, with fairseq's four specials {} ids; the model has {}. {}", lines, lines + kSpecials,
        model.vocab_size,
        padding
            ? "The lines \"madeupwordNNNN 0\" are missing with which fairseq-preprocess fills the vocabulary up to a multiple of 8: take "
              "the dict.txt that it wrote"
            : "Take the dict.txt that the training data was made with (fairseq-preprocess writes it; the same text and options give the same one)");
}

}  // namespace longbow
