"""How long tests wait for what must come: far longer than it takes on a busy machine, since the limit only ends what hangs."""
import time

PATIENCE = 900  # seconds; tests/CMakeLists.txt gives a whole file more than that


def wait_for(condition, what="it"):
    """Until the condition holds. What is waited for must be certain to come; nothing may depend on how soon."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} did not come to pass in {PATIENCE} s"
        time.sleep(0.005)
