"""Builds llama.cpp's perplexity tool, a peer, from the sources in PyPI's llama-cpp-python, and runs it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

SDIST = "llama-cpp-python==0.3.36"
TOOL = "llama-perplexity"
# Nothing of the server, of downloads and of tests is needed.
SETTINGS = ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DGGML_CCACHE=OFF", "-DLLAMA_BUILD_TESTS=OFF",
            "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_BUILD_HTML=OFF",
            "-DLLAMA_OPENSSL=OFF", "-DLLAMA_TOOLS_INSTALL=OFF", "-DBUILD_SHARED_LIBS=OFF"]
TIME = re.compile(r"prompt eval time =\s*([\d.]+) ms /\s*(\d+) tokens")
RESULT = re.compile(r"Final estimate: PPL = ([\d.]+)")


def built(cache, jobs):
    """The tool, made for this machine's processor: in the cache, after the first call."""
    home = pathlib.Path(cache) / "llamacpp" / SDIST.partition("==")[2]
    tool = home / "build/bin" / TOOL
    if tool.exists():
        return tool
    home.mkdir(parents=True, exist_ok=True)
    if not list(home.glob("*.tar.gz")):
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
                        SDIST.partition("==")[0], "--dest", home, SDIST], check=True, stdout=sys.stderr)
    archive, = home.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        parts = [member for member in sources.getmembers() if "/vendor/llama.cpp/" in member.name]
        sources.extractall(home, members=parts, filter="data")
    source, = home.glob("*/vendor/llama.cpp")
    shutil.rmtree(home / "build", ignore_errors=True)
    subprocess.run(["cmake", "-S", source, "-B", home / "build", *SETTINGS], check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", home / "build", "--target", TOOL, "-j", str(jobs)], check=True,
                   stdout=sys.stderr)
    return tool


def parsed(output):
    """Milliseconds of the forward passes, their tokens, and the perplexity, from what the tool printed."""
    time, result = TIME.search(output), RESULT.search(output)
    if not time or not result:
        raise SystemExit(f"error: {TOOL} printed no result:\n{output[-2000:]}")
    return float(time[1]), int(time[2]), float(result[1])


def run(tool, model, text, length, chunks, threads):
    # At its default verbosity, the tool leaves out the times.
    done = subprocess.run([tool, "-m", model, "-f", text, "-c", str(length), "-b", str(length), "--chunks", str(chunks),
                           "-t", str(threads), "-tb", str(threads), "-lv", "4"], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0:
        raise SystemExit(f"error: {TOOL} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    milliseconds, tokens, perplexity = parsed(done.stdout + done.stderr)
    if tokens < length * chunks:
        raise SystemExit(f"error: {TOOL} evaluated {tokens} tokens of {length * chunks}")
    return milliseconds * length * chunks / tokens, perplexity
