// Ends the process when the program does what a GPU forbids or what would go wrong by chance. It is no exception,
// because a program that catches it would hide the fault.
#pragma once

#include <string>

namespace pretend {

constexpr int kFaultStatus = 86;

// Prints what is wrong and where (a stack trace), and ends the process with kFaultStatus.
[[noreturn]] void fail(const std::string& what);

// Makes a touch of device memory by the host such a fault. Without it, it would be a bare SIGSEGV.
void name_touches_of_device_memory();

}  // namespace pretend
