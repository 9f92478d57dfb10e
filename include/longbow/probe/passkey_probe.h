// Hides a number in filler text and asks for it (Mohtashami and Jaggi 2023, "Landmark Attention"). A small model need
// not write the number: it must find it more probable than others, a forced choice that works where generation does not
// yet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/model/language_model.h"
#include "longbow/probe/probe_row.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

inline constexpr std::size_t kFalseKeys = 99;
inline constexpr int kPasskeyGenerator = 1;  // version of what makes the items

struct PasskeyItem {
    std::string text;             // up to the place where the key is asked for
    std::vector<TokenId> prompt;  // the text's ids, with the boundary in front
    // The true key's ids, then those of kFalseKeys others, all of equally many ids and digits.
    std::vector<std::vector<TokenId>> keys;
    double depth = 0;  // of the line with the key among the lines of filler, from 0 to 1
};

// Makes an item of at most `length` tokens, the longest key included, as full of filler as it gets. Throws UsageError
// if the length does not hold the text without filler, and DataError if the tokenizer writes different numbers alike.
PasskeyItem passkey_item(const Tokenizer& tokenizer, std::int64_t length, std::uint64_t item_seed);

// Returns the log-probability in nats of each key behind the prompt. The model is in evaluation mode.
std::vector<double> key_logprobs(LanguageModel& model, const PasskeyItem& item, DType dtype);

// Returns a row for each length (none given: 1, 2, 4 and 8 times the trained length, as far as the position method
// serves): the share of items in which the true key has the highest probability; by chance it is 0.01.
std::vector<Json> probe_passkey(MeasuredRun& run, LanguageModel& model, std::vector<std::int64_t> lengths,
                                const ProbeOptions& options);
// Returns the lengths. Throws UsageError for one that the position method does not serve or that holds no item.
std::vector<std::int64_t> passkey_lengths(const MeasuredRun& run, std::vector<std::int64_t> lengths);

std::string passkey_table(const std::vector<Json>& rows, int width);

}  // namespace longbow
