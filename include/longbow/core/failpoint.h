// Fail points are named places where a test may kill or disturb the process, as a power cut would. The environment
// variable LONGBOW_FAILPOINT chooses one:
//
//   name[:N]       raises SIGKILL at the N-th passage (the first by default)
//   name:N@R       does so only in rank R of several
//   name:N=hang    blocks for ever instead
//   name:N=freeze  stops the whole process with SIGSTOP
//   name:N=wait    waits for SIGINT or SIGTERM, so that a test's signal arrives at a known place however
//                  busy the machine is
//   name:N=spoil   tells the caller to spoil what it has just computed
//
// Without the variable a fail point costs one load.
#pragma once

namespace longbow {

// Marks a passage of the fail point `name`. Returns true only when the caller is to spoil its result.
bool failpoint(const char* name);

}  // namespace longbow
