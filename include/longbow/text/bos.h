// Where a model expects a BOS, the token that begins a text. It is the tokenizer's boundary.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

enum class Bos { never, first, each_window };

template <>
struct ChoiceTable<Bos> {
    static constexpr Choice<Bos> values[] = {
        {Bos::never, "never", "no BOS; a window's first token is only context"},
        {Bos::first, "first", "one BOS before the stream, and none in the windows after the first"},
        {Bos::each_window, "each-window", "every window begins with a BOS, which takes one of its places"}};
};

}  // namespace longbow
