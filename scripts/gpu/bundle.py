"""Packs the archive of scripts/gpu_bundle.

    bundle.py BUILD TORCH_ROOT FILE
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

from product import MANIFEST, sha256
from stores import SOURCE, make_stores

MOST_BYTES = 64 << 20
NAME = "longbow-gpu"
BINARIES = ("longbow", "liblongbow_ops.so", "liblongbow_nccl.so")
SCRIPTS = ("gpu_check", "common.sh")
# glibc's own are as old as the machine's kernel and loader want them; a bundle with others would not start.
GLIBC = ("ld-linux", "libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libutil.so", "libresolv.so",
         "linux-vdso")
COMPILERS = ("libstdc++.so", "libgcc_s.so")


def needed_libraries(binaries, torch):
    """Returns {name: path} of the libraries that the loader finds for these files, except torch's and glibc's."""
    env = {**os.environ, "LD_LIBRARY_PATH": str(torch / "lib")}
    found = {}
    for binary in binaries:
        listing = subprocess.run(["ldd", binary], env=env, capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            words = line.split()
            if "=>" not in words or words[0].startswith(GLIBC):
                continue
            if words[2] == "not":
                raise SystemExit(f"error: {binary} needs {words[0]}, which is not found here")
            path = pathlib.Path(words[2]).resolve()
            # Those beside torch come with it; CUDA's runtime may be found in a toolkit first.
            if torch.resolve().parent not in path.parents and not words[0].startswith("libcudart.so"):
                found[words[0]] = path
    return found


def collect(build, torch, folder):
    for part in ("bin", "lib", "lib-gcc", "scripts/gpu"):
        (folder / part).mkdir(parents=True)
    binaries = [build / name for name in BINARIES]
    for binary in binaries:
        if not binary.exists():
            raise SystemExit(f"error: {binary} is missing: build it with CUDA (scripts/build bundle)")
        # Only names for debuggers go; the loader's stay.
        subprocess.run(["strip", "--strip-unneeded", "-o", folder / "bin" / binary.name, binary], check=True)
    for name, path in needed_libraries(binaries, torch).items():
        shutil.copy(path, folder / ("lib-gcc" if name.startswith(COMPILERS) else "lib") / name)
    for name in SCRIPTS:
        shutil.copy(SOURCE / "scripts" / name, folder / "scripts" / name)
    for path in sorted(pathlib.Path(__file__).parent.iterdir()):
        if path.suffix in (".py", ".yaml"):
            shutil.copy(path, folder / "scripts" / "gpu" / path.name)
    make_stores(build / "longbow", folder / "stores")


def pack(folder, file):
    """Writes the archive beside its place first: a half one is none."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with tarfile.open(beside, "w:gz", compresslevel=6) as archive:
            archive.add(folder, NAME)
        size = beside.stat().st_size
        if size > MOST_BYTES:
            raise SystemExit(f"error: the bundle would have {size / 2**20:.1f} MiB, and {MOST_BYTES >> 20} are "
                             "allowed: compile the kernels for fewer compute capabilities (LONGBOW_CUDA_ARCHITECTURES)")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return size


def main():
    build, torch, file = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]).absolute()
    with tempfile.TemporaryDirectory(prefix="longbow-gpu-bundle-") as scratch:
        folder = pathlib.Path(scratch) / NAME
        collect(build, torch, folder)
        version = subprocess.run([build / "longbow", "--version"], capture_output=True, text=True, check=True).stdout
        files = {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
        manifest = {"version": version.splitlines(), "files": files}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        size = pack(folder, file)
        unpacked = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{file}: {size / 2**20:.1f} MiB ({unpacked / 2**20:.1f} MiB unpacked), {len(files)} files")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
