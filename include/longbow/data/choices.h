// What the closed settings of data may be: where documents end, and in which order inputs come.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

enum class DocumentRule { file, blank_line, line };

template <>
struct ChoiceTable<DocumentRule> {
    static constexpr Choice<DocumentRule> values[] = {{DocumentRule::file, "file", "each file is a document"},
                                                      {DocumentRule::blank_line, "blank_line", "data.blank_lines empty lines end one"},
                                                      {DocumentRule::line, "line", "each line is a document"}};
};

enum class DataOrder { shuffled, fairseq };

template <>
struct ChoiceTable<DataOrder> {
    static constexpr Choice<DataOrder> values[] = {
        {DataOrder::shuffled, "shuffled", "blocks in a new order each epoch"},
        {DataOrder::fairseq, "fairseq", "fixed batches in a new order each epoch, the paper's"}};
};

}  // namespace longbow
