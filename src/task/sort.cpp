// Sort: the answer is the input in ascending order of ids.
#include <algorithm>

#include "sequence_task.h"

namespace longbow {

LONGBOW_REGISTER_TASK({.name = "sort",
                       .help = "The symbols of the input in ascending order, repeated ones as often as they occur",
                       .symbol = "symbols",
                       .options = {symbols_option()},
                       .make = [](const OptionMap& options) -> std::unique_ptr<Task> {
                           return std::make_unique<SequenceTask>(
                               option_int(options, "symbols"),
                               [](std::vector<std::int64_t>& symbols) { std::sort(symbols.begin(), symbols.end()); });
                       }});

}  // namespace longbow
