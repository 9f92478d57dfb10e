// libFuzzer target: any bytes are either a dictionary that is written and read back the same, or a DataError.
#include <cstdlib>
#include <string_view>

#include "longbow/core/error.h"
#include "text/dictionary.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    try {
        const auto dictionary = longbow::Dictionary::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
        const auto text = dictionary.format();
        if (longbow::Dictionary::parse(text, "again").format() != text) std::abort();
    } catch (const longbow::DataError&) {
    }
    return 0;
}
