// libFuzzer target: any bytes are either a tokenizer.json that encodes any text, also in parts, and decodes its ids, or
// a DataError. The input is the file, NUL, and a text. An even first byte of the text puts the file's bytes in place of
// the pre-tokenizer and normalizer of a small whole file, which random bytes would hardly make.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

#include "longbow/core/error.h"
#include "longbow/core/utf8.h"
#include "longbow/text/hf_tokenizer.h"

namespace {

std::string whole_file(std::string_view parts) {
    return R"({"added_tokens":[{"id":0,"content":"<s>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,)"
           R"("special":true},{"id":6,"content":"  ","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,)"
           R"("special":false}],"model":{"type":"BPE","unk_token":"<s>","vocab":{"<s>":0,"a":1,"b":2,"ab":3," ":4,"ba":5},)"
           R"("merges":["a b","b a"]},)" +
           std::string(parts) + "}";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto cut = std::min(bytes.find('\0'), bytes.size());
    auto text = bytes.substr(std::min(cut + 1, bytes.size()));
    std::string file(bytes.substr(0, cut));
    if (!text.empty() && text[0] % 2 == 0) file = whole_file(file);
    text = text.substr(0, longbow::find_invalid_utf8(text));
    try {
        const auto tokenizer = longbow::make_hf_tokenizer(file, "tokenizer.json");
        std::vector<longbow::TokenId> ids, parts;
        tokenizer->encode(text, ids);
        (void)tokenizer->decode(ids);
        const auto split = tokenizer->safe_split(text);
        tokenizer->encode(text.substr(0, split), parts);
        tokenizer->encode(text.substr(split), parts);
        if (parts != ids) std::abort();
    } catch (const longbow::DataError&) {
    }
    return 0;
}
