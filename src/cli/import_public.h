// The verbs below `longbow import` that take public models.
#pragma once

#include "verbs.h"

namespace longbow {

void add_public_imports(CLI::App& group, VerbContext& context);

}  // namespace longbow
