// libFuzzer target: any bytes are either a WordPiece vocabulary that encodes any text to its own ids, or a DataError.
// The input is the vocabulary (after [UNK] and [SEP], which are put before it), NUL, and a text.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "longbow/core/error.h"
#include "text/wordpiece_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto cut = std::min(bytes.find('\0'), bytes.size());
    const auto text = bytes.substr(cut);
    try {
        auto vocab = longbow::WordPieceVocab::parse("[UNK]\n[SEP]\n" + std::string(bytes.substr(0, cut)), "fuzz");
        const longbow::WordPieceTokenizer tokenizer(std::move(vocab), size % 2 == 0);
        std::vector<longbow::TokenId> ids;
        tokenizer.encode(text, ids);
        if (!tokenizer.decode(ids).empty() && ids.empty()) std::abort();
        const auto cut_at = tokenizer.safe_split(text);
        std::vector<longbow::TokenId> parts;
        tokenizer.encode(text.substr(0, cut_at), parts);
        tokenizer.encode(text.substr(cut_at), parts);
        if (parts != ids) std::abort();
    } catch (const longbow::DataError&) {
    }
    return 0;
}
