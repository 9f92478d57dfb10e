// libFuzzer target: any vocab.json and merges.txt are either a model that encodes every text and decodes it again, or a
// DataError. The input's first byte chooses the format of the rest. Even: vocab.json, NUL, merges.txt. Odd: tokens that
// are added to the 256 bytes, one per line, then NUL and merges.txt. The second format lets merges reach the code
// behind a complete vocabulary, which random bytes would hardly make.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/text/reader.h"
#include "text/bpe_tokenizer.h"

namespace {

std::string vocabulary_with(std::string_view tokens) {
    std::string json = "{\"<|endoftext|>\": 0";
    std::size_t id = 1;
    const auto add = [&](const std::string& token) {
        json += "," + longbow::Json(token).dump() + ":" + std::to_string(id++);
    };
    for (int b = 0; b < 256; ++b) add(longbow::byte_name(static_cast<unsigned char>(b)));
    for (const auto& token : longbow::split(tokens, '\n')) add(token);
    return json + "}";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto cut = std::min(bytes.find('\0'), bytes.size());
    std::string vocab(bytes.substr(0, cut));
    const auto merges = bytes.substr(std::min(cut + 1, bytes.size()));
    try {
        if (data[0] % 2 == 1) {
            if (longbow::find_invalid_utf8(vocab) != std::string::npos) return 0;
            vocab = vocabulary_with(vocab);
        }
        auto model = longbow::parse_bpe(vocab, "vocab.json", merges, "merges.txt");
        const auto again =
            longbow::parse_bpe(format_vocab_json(model), "vocab.json", format_merges(model), "merges.txt");
        if (format_vocab_json(again) != format_vocab_json(model) || format_merges(again) != format_merges(model))
            std::abort();
        const longbow::BpeTokenizer tokenizer(std::move(model));
        std::vector<longbow::TokenId> ids;
        tokenizer.encode(bytes, ids);
        if (tokenizer.decode(ids) != bytes) std::abort();
    } catch (const longbow::DataError&) {
    }
    return 0;
}
