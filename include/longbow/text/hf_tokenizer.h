// Tokenizers of public checkpoints: a tokenizer.json, whose ids equal those of the library `tokenizers` 0.23.
//
// Known are byte-pair models with the normalizers, pre-tokenizers, post-processors and decoders that their families
// use; anything else in the file is an error that names it. `truncation` and `padding` concern batches and are left
// aside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longbow/core/choice.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

// What the text of a special token becomes.
enum class SpecialText { token, text };

template <>
struct ChoiceTable<SpecialText> {
    static constexpr Choice<SpecialText> values[] = {{SpecialText::token, "token", "the token, as transformers has it"},
                                                     {SpecialText::text, "text", "text like any other"}};
};

struct HfTokenizerOptions {
    SpecialText specials = SpecialText::token;
    // The text or the id of the token that ends documents. Empty: <|endoftext|>, or else the first token that the
    // post-processor puts in front, or else one that is usually called so.
    std::string boundary{};
};

// From the contents of a tokenizer.json, which `name` stands for in messages. Throws DataError.
std::unique_ptr<Tokenizer> make_hf_tokenizer(std::string json, const std::string& name,
                                             const HfTokenizerOptions& options = {});

}  // namespace longbow
