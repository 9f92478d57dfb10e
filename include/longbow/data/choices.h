// The values of the closed settings of data: where documents end, and in which order inputs come.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

enum class DocumentRule { file, blank_line, line };

template <>
struct ChoiceTable<DocumentRule> {
    static constexpr Choice<DocumentRule> values[] = {
        {DocumentRule::file, "file", "with its file"},
        {DocumentRule::blank_line, "blank_line", "at data.blank_lines empty lines"},
        {DocumentRule::line, "line", "with each line"}};
};

enum class DataOrder { shuffled, fairseq };

template <>
struct ChoiceTable<DataOrder> {
    static constexpr Choice<DataOrder> values[] = {
        {DataOrder::shuffled, "shuffled",
         "each epoch cuts the stream from another offset and takes the blocks in a new order"},
        {DataOrder::fairseq, "fairseq",
         "the paper's: fixed blocks, the short last one included, put into batches once; each epoch shuffles the batches"}};
};

}  // namespace longbow
