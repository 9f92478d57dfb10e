"""The part of scripts/gpu_check that runs the fused operator's kernels under compute-sanitizer."""
import os
import pathlib
import re
import shutil
import time

from running import NotRun, OutOfTime

# In order of value. initcheck finds reads of memory that nothing has written.
TOOLS = ("memcheck", "racecheck", "initcheck")
FOUND_SOMETHING = 9


def launcher():
    beside_nvcc = pathlib.Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "bin", "compute-sanitizer")
    return shutil.which("compute-sanitizer") or (str(beside_nvcc) if beside_nvcc.exists() else None)


def sanitizer(session, result):
    tool = launcher()
    if tool is None:
        raise NotRun("compute-sanitizer is not installed")
    if session.device == "cpu":
        raise NotRun("there are no kernels to check on a CPU")
    whole = session.deadline
    for left, check in zip(range(len(TOOLS), 0, -1), TOOLS):
        # Each gets its share of what the ones before it have left.
        session.deadline = time.monotonic() + (whole - time.monotonic()) / left
        # The program and PyTorch ask whether there is a GPU and handle the answer: only kernels are checked.
        command = [tool, "--tool", check, "--report-api-errors", "no", "--error-exitcode", str(FOUND_SOMETHING),
                   session.product.program, "doctor", "--attention", "--device", session.device, "--threads", "1"]
        row = {"tool": check}
        result.rows.append(row)
        try:
            # Without the cache every tensor is an allocation of its own: in one large block, an access beyond a tensor
            # is within the block.
            done = session.start(command, PYTORCH_NO_CUDA_MEMORY_CACHING="1").finish(session.deadline)
        except OutOfTime as error:
            row["result"] = "out of time"
            result.reason += f"{check}: {error}\n"
            continue
        row["result"], row["seconds"] = done.code, done.seconds
        # A tool that could not watch the program must not look as if it had found nothing.
        watched = re.search(r"SUMMARY: 0 ", done.text) and "beside fp64" in done.text
        if done.code != 0 or not watched:
            result.failures.append(f"{check}: exit code {done.code}\n{done.last_lines(40)}")
    if any(row["result"] == "out of time" for row in result.rows):
        raise OutOfTime(result.reason.strip())
