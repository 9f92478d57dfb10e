// The values of the closed settings of tokenizers.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

// The kind of a sentencepiece model that is trained here.
enum class SentencePieceModel { unigram, bpe };

template <>
struct ChoiceTable<SentencePieceModel> {
    static constexpr Choice<SentencePieceModel> values[] = {{SentencePieceModel::unigram, "unigram", "a unigram language model"},
                                                            {SentencePieceModel::bpe, "bpe", "byte-pair merges"}};
};

}  // namespace longbow
