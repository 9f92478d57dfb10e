// libFuzzer target: any bytes are either a GGUF file, whose tensors lie within it, or a CheckpointError; and so are the
// model and the tokenizer that it claims to have.
#include <cstdlib>

#include "foreign/gguf_file.h"
#include "longbow/core/error.h"
#include "longbow/foreign/foreign_model.h"

namespace {

constexpr std::int64_t kReadElements = 1 << 16;

template <class Action>
void attempt(Action&& action) {
    try {
        action();
    } catch (const longbow::CheckpointError&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    attempt([&] {
        const auto file = longbow::GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
        for (const auto& [name, tensor] : file.store.tensors) {
            if (tensor.elements() > kReadElements) continue;
            const auto element = longbow::size_of(tensor.dtype);
            if (tensor.read().bytes.size() != static_cast<std::size_t>(tensor.elements()) * element) std::abort();
        }
        attempt([&] { (void)longbow::tokenizer_of(file); });
        attempt([&] {
            for (const auto& placed : longbow::model_of(file, {}).tensors) {
                if (placed.tensor.elements() <= kReadElements) (void)placed.read();
            }
        });
    });
    return 0;
}
