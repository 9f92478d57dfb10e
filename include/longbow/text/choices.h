// What the closed settings of tokenizers may be.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

// What sentencepiece learns.
enum class SentencePieceModel { unigram, bpe };

template <>
struct ChoiceTable<SentencePieceModel> {
    static constexpr Choice<SentencePieceModel> values[] = {{SentencePieceModel::unigram, "unigram", "a unigram language model"},
                                                            {SentencePieceModel::bpe, "bpe", "byte-pair merges"}};
};

}  // namespace longbow
