"""Finds what scripts/gpu_check checks: the program, its libraries, PyTorch, and the environment in which they start.

A bundle (scripts/gpu_bundle) lies where nothing of ours is installed. Its program still names the folders of the
machine that built it, so every library's folder is in LD_LIBRARY_PATH.
"""
import ctypes
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import sys

from running import CannotCheck

TORCH_SERIES = "2.11"
MANIFEST = "manifest.json"
UNUSABLE = 2  # exit code
# What a distribution's own libraries need of the compiler's runtime may be newer than ours, so that ours serves only
# where the machine's is older.
RUNTIME = "libstdc++.so.6"
RUNTIME_SYMBOL = b"GLIBCXX_3.4.30"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_bundle(folder):
    """Throws CannotCheck unless each file of the bundle is as it was packed."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        files = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise CannotCheck(f"{folder} is not an unpacked bundle: its {MANIFEST} is missing or damaged "
                          "(scripts/gpu_bundle makes a bundle)", UNUSABLE) from None
    for name, wanted in files.items():
        path = folder / name
        if not path.is_file():
            raise CannotCheck(f"the bundle in {folder} is not whole: {name} is missing (unpack it again)", UNUSABLE)
        if sha256(path) != wanted:
            raise CannotCheck(f"the bundle in {folder} is damaged: {name} is not as it was packed (unpack it again)",
                              UNUSABLE)
    return manifest


def torch_root(named=None):
    """Returns the folder that holds LibTorch's lib, of this Python unless one is named."""
    if named:
        root = pathlib.Path(named)
    else:
        found = importlib.util.find_spec("torch")
        if found is None:
            raise CannotCheck(f"{sys.executable} has no torch: LONGBOW_PYTHON names a Python that has torch "
                              f"{TORCH_SERIES}", UNUSABLE)
        root = pathlib.Path(found.origin).parent
        version = importlib.metadata.version("torch")
        if not version.startswith(TORCH_SERIES + "."):
            raise CannotCheck(f"{sys.executable} has torch {version}, and the program was built for {TORCH_SERIES}: "
                              "LONGBOW_PYTHON names another Python", UNUSABLE)
    if not (root / "lib" / "libtorch_cpu.so").exists():
        raise CannotCheck(f"{root} has no lib/libtorch_cpu.so", UNUSABLE)
    return root


def runtime_is_old():
    try:
        ctypes.CDLL(RUNTIME)
        with open("/proc/self/maps") as maps:  # says where the loader found it
            path = next(line.split()[-1] for line in maps if RUNTIME in line)
        return RUNTIME_SYMBOL not in pathlib.Path(path).read_bytes()
    except (OSError, StopIteration):
        return True


class Product:
    def __init__(self, build=None, bundle=None, torch=None):
        """Takes a build folder or an unpacked bundle."""
        self.bundle = pathlib.Path(bundle).resolve() if bundle else None
        manifest = check_bundle(self.bundle) if self.bundle else {}
        self.folder = self.bundle / "bin" if self.bundle else pathlib.Path(build).resolve()
        self.program = self.folder / "longbow"
        self.operators = self.folder / "liblongbow_ops.so"
        self.nccl = self.folder / "liblongbow_nccl.so"
        for path in (self.program, self.operators):
            if not path.exists():
                raise CannotCheck(f"{path} is missing: build it first (./scripts/build)", UNUSABLE)
        self.python = sys.executable
        self.torch = torch_root(torch)
        self.version = manifest.get("version", "")
        self.stores = self.bundle / "stores" if self.bundle else None

    def libraries(self, of_program):
        """Returns the folders of libraries in the order in which the loader looks."""
        folders = []
        if self.bundle:
            # Python and what it loads keep their own zlib and the like.
            folders += [self.bundle / "lib"] if of_program else []
            folders += [self.bundle / "lib-gcc"] if runtime_is_old() else []
        folders.append(self.torch / "lib")
        # CUDA's libraries come with torch: those of version 13 in one folder, some in folders of their own.
        folders += sorted((self.torch.parent / "nvidia").glob("*/lib"))
        return [str(folder) for folder in folders]

    def environment(self, of_program=True):
        """Returns the environment of a command. What the caller has in LD_LIBRARY_PATH comes first."""
        env = dict(os.environ)
        callers = [path for path in env.get("LD_LIBRARY_PATH", "").split(":") if path]
        env["LD_LIBRARY_PATH"] = ":".join(callers + self.libraries(of_program))
        return env

    def description(self):
        return {"folder": str(self.folder), "bundle": self.version, "torch": str(self.torch), "python": sys.version}
