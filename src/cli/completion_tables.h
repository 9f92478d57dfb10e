// What the completions of bash and zsh share: functions that set `reply` to the words that may follow, by the command
// that has been typed so far ("longbow config show").
#pragma once

#include <string>
#include <vector>

#include "command_tree.h"

namespace longbow {

std::string completion_tables(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings);

}  // namespace longbow
