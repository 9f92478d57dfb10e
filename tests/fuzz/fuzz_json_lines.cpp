// libFuzzer target: any bytes are either JSON lines with a text each, in valid UTF-8, or a DataError that names a line.
// Texts that were read are written as JSON lines and must be read back the same.
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/text/json_lines.h"

namespace {

std::vector<std::string> texts(std::string_view lines) {
    std::vector<std::string> found;
    longbow::for_each_json_text(lines, 1, "fuzz", "text", [&](std::string_view text) { found.emplace_back(text); });
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    try {
        const auto found = texts({reinterpret_cast<const char*>(data), size});
        std::string again;
        for (const auto& text : found) {
            if (longbow::find_invalid_utf8(text) != std::string_view::npos) std::abort();
            again += longbow::Json{{"n", 1}, {"text", text}}.dump() + "\n";
        }
        if (texts(again) != found) std::abort();
    } catch (const longbow::DataError& error) {
        if (std::string_view(error.what()).substr(0, 11) != "fuzz: line ") std::abort();
    }
    return 0;
}
