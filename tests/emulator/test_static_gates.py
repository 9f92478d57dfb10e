"""Checks what the compiler made of the CUDA kernels, read from the built library: nothing is spilled, registers are few
enough that several blocks share a multiprocessor, and the tiles need exactly the tensor-core instructions that are
found, for every architecture. Needs no GPU, only NVIDIA's cuobjdump and nvdisasm (PyPI: nvidia-cuda-cuobjdump,
nvidia-cuda-nvdisasm). The exit status is 77 without them or in a build without CUDA.

    test_static_gates.py LIBRARY
"""
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

SKIPPED = 77
REGISTERS = 65536  # per multiprocessor, compute capability 8.0 to 12.0
ARCHITECTURES = {"sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120"}

# Blocks that must fit into the registers of a multiprocessor: two for kernels of 16-bit types, one for fp32.
BLOCKS = {"half": 2, "float": 1}


class Kernel:
    """A kernel's template arguments, from its mangled name: ...13ForwardKernelINS2_4Bf16ELi64ELi4EE..."""

    def __init__(self, symbol):
        match = re.search(r"\d+([A-Z]\w+?Kernel)I(NS\d*_4Bf16E|NS\d*_3F16E|f)((?:L[ib]\d+E)*)E", symbol)
        self.name = match[1] if match else None
        if match is None:
            return
        self.half = match[2] != "f"
        arguments = [int(x) for x in re.findall(r"L[ib](\d+)E", match[3])]
        self.dim = arguments[0] if arguments else 0
        self.last = arguments[1] if len(arguments) > 1 else 0  # forward: warps; backward: rows are keys

    def __str__(self):
        return f"{self.name}<{'half' if self.half else 'float'}, {self.dim}, {self.last}>"

    def threads(self):
        if self.name == "ForwardKernel":
            return 32 * self.last
        if self.name == "TableGradientKernel":
            return 2 * self.table_tile()
        return 32 if not self.half and self.dim > 128 else 128

    def table_tile(self):
        return (64 if self.dim <= 128 else 32) if self.half else (32 if self.dim <= 128 else 16)

    def tensor_core_instructions(self):
        """Tensor-core instructions of one pass over a tile: no loop over tiles is unrolled, and no product is computed
        twice."""
        dim = self.dim
        if self.name == "ForwardKernel":
            keys = (64 if dim <= 128 else 32) if self.half else (32 if dim <= 128 else 16)
            products = 2 * (keys // 8) * (dim // 16)
        elif self.name == "BackwardKernel":
            columns = (64 if dim <= 64 else 32 if dim <= 128 else 16) if self.half else (32 if dim <= 64 else 16)
            parts = 2 if self.last and dim > 128 else 1
            products = (2 * (columns // 8) * (dim // 16)
                        + (2 if self.last else 1) * (columns // 16) * (dim // parts // 8))
        elif self.name == "TableGradientKernel":
            products = 2 * (self.table_tile() // 8) * (dim // 16)
        else:
            return 0
        return products * (1 if self.half else 6)  # fp32: three products of depth 8 for each half of 16


def find(tool):
    beside = pathlib.Path(sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages", "nvidia", "cu13",
                          "bin", tool)
    return shutil.which(tool) or (str(beside) if beside.exists() else None)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def resources(cuobjdump, library):
    """Returns {(architecture, symbol): {"REG": .., "STACK": .., "LOCAL": ..}}."""
    found, architecture, symbol = {}, None, None
    for line in run(cuobjdump, "--dump-resource-usage", library).splitlines():
        if match := re.match(r"arch = (\S+)", line):
            architecture = match[1]
        elif match := re.match(r"\s*Function (\S+):", line):
            symbol = match[1]
        elif "REG:" in line and symbol:
            found[architecture, symbol] = {key: int(value) for key, value in re.findall(r"(\w+):(\d+)", line)}
    return found


def instructions(cuobjdump, library, architecture):
    """Returns {(architecture, symbol): Counter of HMMA, LDL and STL}."""
    found, symbol = collections.defaultdict(collections.Counter), None
    for line in run(cuobjdump, "-sass", "-arch", architecture, library).splitlines():
        if match := re.match(r"\s*Function : (\S+)", line):
            symbol = match[1]
        elif match := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(HMMA|LDL|STL)", line):
            found[architecture, symbol][match[1]] += 1
    return found


def main():
    library = sys.argv[1] if len(sys.argv) > 1 else ""
    tools = [find("cuobjdump"), find("nvdisasm")]
    if not os.path.exists(library) or None in tools:
        print("skipped: no CUDA in this build, or no cuobjdump and nvdisasm (pip install nvidia-cuda-cuobjdump "
              "nvidia-cuda-nvdisasm)")
        return SKIPPED
    os.environ["PATH"] = os.path.dirname(tools[1]) + os.pathsep + os.environ["PATH"]
    used = resources(tools[0], library)
    counts = {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda arch: instructions(tools[0], library, arch), sorted({arch for arch, _ in used})):
            counts.update(found)

    problems, checked = [], collections.Counter()
    for (architecture, symbol), usage in used.items():
        kernel = Kernel(symbol)
        count = counts.get((architecture, symbol), collections.Counter())
        where = f"{kernel if kernel.name else symbol} on {architecture}"
        if usage["STACK"] or usage["LOCAL"] or count["LDL"] or count["STL"]:
            problems.append(f"{where}: uses the stack ({usage['STACK']} bytes, {count['LDL']} loads, "
                            f"{count['STL']} stores)")
        if kernel.name not in ("ForwardKernel", "BackwardKernel", "TableGradientKernel"):
            continue
        checked[architecture] += 1
        blocks = REGISTERS // (-(-usage["REG"] // 8) * 8 * kernel.threads())
        if blocks < BLOCKS["half" if kernel.half else "float"]:
            problems.append(f"{where}: {usage['REG']} registers leave room for {blocks} blocks")
        if count["HMMA"] != kernel.tensor_core_instructions():
            problems.append(f"{where}: {count['HMMA']} tensor-core instructions, not "
                            f"{kernel.tensor_core_instructions()}")
    if set(checked) != ARCHITECTURES or len(set(checked.values())) != 1:
        problems.append(f"kernels by architecture: {dict(checked)}, not as many for each of {sorted(ARCHITECTURES)}")
    for problem in problems:
        print(problem)
    print(f"{sum(checked.values())} kernels checked, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
