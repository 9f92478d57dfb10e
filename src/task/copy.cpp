// Copy: the answer is the input.
#include "sequence_task.h"

namespace longbow {

LONGBOW_REGISTER_TASK({.name = "copy",
                       .help = "The symbols of the input again, in the same order",
                       .symbol = "symbols",
                       .options = {symbols_option()},
                       .make = [](const OptionMap& options) -> std::unique_ptr<Task> {
                           return std::make_unique<SequenceTask>(option_int(options, "symbols"),
                                                                 [](std::vector<std::int64_t>& /*symbols*/) {});
                       }});

}  // namespace longbow
