// Steps that cut by a pattern: Split, and the regex of ByteLevel.
#pragma once

#include <memory>

#include "component.h"
#include "pre_tokenizer.h"

namespace longbow::hf {

// Split. `byte_names`: a piece's bytes stand for the characters that name them. Throws DataError.
std::unique_ptr<Step> split_step(Component& component, bool byte_names);
// GPT-2's pattern. Where `prefix`, a piece that begins with no space gets one first.
std::unique_ptr<Step> gpt2_step(bool prefix);
// ByteLevel without a pattern.
std::unique_ptr<Step> bytes_step(bool prefix);

}  // namespace longbow::hf
