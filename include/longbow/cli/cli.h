// The command line: one file a verb, flags in, one call, text out. Every Error is caught here and becomes one line and an exit code.
#pragma once

namespace longbow {

int run_cli(int argc, char** argv);

}  // namespace longbow
