"""Opens pseudo-terminals for tests."""
import pty


def open_terminal(case):
    """Returns (parent, child) of a pseudo-terminal. Skips the test if the system has none, as in a bare chroot without
    /dev/pts."""
    try:
        return pty.openpty()
    except OSError as error:
        case.skipTest(f"no pseudo-terminal here: {error}")
