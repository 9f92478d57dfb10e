"""How long tests wait for what must happen: far longer than it takes on a busy machine, since the limit only ends tests
that hang."""
import time

PATIENCE = 900  # seconds; tests/CMakeLists.txt gives a whole file more than that


def wait_for(condition, what="it"):
    """Waits until the condition holds. It must be certain that it will hold, and nothing may depend on how soon it
    does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} did not come to pass in {PATIENCE} s"
        time.sleep(0.005)
