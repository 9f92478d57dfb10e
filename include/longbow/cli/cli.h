// Runs the command line. Each verb is one file that parses flags, calls one library function and prints text. Every
// Error is caught here and becomes a one-line message and an exit code.
#pragma once

namespace longbow {

int run_cli(int argc, char** argv);

}  // namespace longbow
