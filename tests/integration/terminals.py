"""Terminals of the tests' own."""
import pty


def open_terminal(case):
    """(parent, child) of a pseudo-terminal; skips the test where the system has none to give, as a bare chroot without /dev/pts."""
    try:
        return pty.openpty()
    except OSError as error:
        case.skipTest(f"no pseudo-terminal here: {error}")
