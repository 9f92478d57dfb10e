// longbow: see src/cli. The program is built twice from this file: as the executable of the build folder, and as the
// library that an installed longbow (launcher.cpp) loads when it has found LibTorch.
#include "longbow/cli/cli.h"
#include "longbow/core/build_info.h"
#include "longbow/core/installation.h"
#include "longbow/core/signals.h"
#include "longbow/core/standard_output.h"
#include "revision.h"

// `prefix` is the folder in which longbow is installed, and `torch` that of LibTorch's libraries; both are empty in a
// build folder.
extern "C" {
int longbow_main(int argc, char** argv, const char* prefix, const char* torch) {
    longbow::block_stop_signals();
    longbow::guard_standard_output();
    longbow::set_revision(LONGBOW_REVISION);
    longbow::set_installation(prefix, torch);
    return longbow::run_cli(argc, argv);
}
}

int main(int argc, char** argv) { return longbow_main(argc, argv, "", ""); }
