// Named places where a test may kill the process, as a power cut would: LONGBOW_FAILPOINT=name[:N] raises SIGKILL at the N-th passage (first by
// default). `name:N@R` only in the rank R of several, `name:N=hang` stands still for ever instead, `name:N=freeze` stops the whole process with
// SIGSTOP, `name:N=wait` waits for SIGINT or SIGTERM, so that a test's signal comes to a known place however busy the machine is, and
// `name:N=spoil` asks the caller to spoil what it has just computed. Without the variable a fail point costs one load.
#pragma once

namespace longbow {

// True where the caller is to spoil its result.
bool failpoint(const char* name);

}  // namespace longbow
