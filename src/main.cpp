// longbow: see src/cli.
#include "longbow/cli/cli.h"
#include "longbow/core/build_info.h"
#include "longbow/core/signals.h"
#include "longbow/core/standard_output.h"
#include "revision.h"

int main(int argc, char** argv) {
    longbow::block_stop_signals();
    longbow::guard_standard_output();
    longbow::set_revision(LONGBOW_REVISION);
    return longbow::run_cli(argc, argv);
}
