// longbow: see src/cli.
#include "longbow/cli/cli.h"
#include "longbow/core/build_info.h"
#include "longbow/core/signals.h"
#include "revision.h"

int main(int argc, char** argv) {
    longbow::take_signals();
    longbow::set_revision(LONGBOW_REVISION);
    return longbow::run_cli(argc, argv);
}
