// Knows which operators make the host wait for a GPU: those whose size, or a value that the host needs, depends on
// data.
#pragma once

#include <ATen/core/ivalue.h>

#include <string>
#include <vector>

namespace pretend {

// Returns what the call waits for, or an empty string. `name` is without "aten::", with its overload.
std::string reason_to_wait(const std::string& name, const std::vector<c10::IValue>& arguments);

}  // namespace pretend
