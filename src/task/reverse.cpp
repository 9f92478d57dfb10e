// Reverse: the answer is the input from its end.
#include <algorithm>

#include "sequence_task.h"

namespace longbow {

LONGBOW_REGISTER_TASK({.name = "reverse",
                       .help = "The symbols of the input from the last to the first",
                       .symbol = "symbols",
                       .options = {symbols_option()},
                       .make = [](const OptionMap& options) -> std::unique_ptr<Task> {
                           return std::make_unique<SequenceTask>(option_int(options, "symbols"),
                                                                 [](std::vector<std::int64_t>& symbols) {
                                                                     std::reverse(symbols.begin(), symbols.end());
                                                                 });
                       }});

}  // namespace longbow
