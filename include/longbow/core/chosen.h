// A closed choice (choice.h) that a flag or a caller names.
#pragma once

#include <string>

#include "longbow/core/choice.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

// what: "metric", for the message. Throws UsageError naming what there is.
template <IsChoice E>
E chosen(const std::string& what, const std::string& name) {
    if (const auto value = choice_named<E>(name)) return *value;
    throw UsageError("unknown " + what + " '" + name + "': known are " + join(choice_names<E>(), ", "));
}

}  // namespace longbow
