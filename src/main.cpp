// longbow: see src/cli.
#include "longbow/cli/cli.h"

int main(int argc, char** argv) { return longbow::run_cli(argc, argv); }
