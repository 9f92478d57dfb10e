// Metaspace: spaces become a visible character, which also marks the beginning of a text. A pre-tokenizer and a
// decoder.
#pragma once

#include <string>

#include "component.h"

namespace longbow::hf {

enum class Prepend { first, never, always };

struct Metaspace {
    std::string replacement;  // one character
    Prepend prepend = Prepend::always;
    bool split = true;
};

// Throws DataError.
Metaspace read_metaspace(Component& component);

}  // namespace longbow::hf
