"""Tests scripts/gpu_bundle: its archive, unpacked into an empty folder, starts with nothing but torch's libraries."""
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

from patience import PATIENCE

LONGBOW = pathlib.Path(os.environ["LONGBOW"])
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
TORCH = pathlib.Path(os.environ["LONGBOW_TORCH_ROOT"])
sys.path.insert(0, str(SOURCE / "scripts/gpu"))
sys.dont_write_bytecode = True

if not (LONGBOW.parent / "liblongbow_nccl.so").exists():
    if __name__ == "__main__":
        print("skipped: this build has no CUDA")
        sys.exit(77)
    raise unittest.SkipTest("this build has no CUDA")

import bundle  # noqa: E402

GLIBC_AND_COMPILER = ("libc.", "libm.", "libdl.", "libpthread.", "librt.", "libutil.", "ld-linux", "linux-vdso",
                      "libgcc_s.", "libstdc++.")


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.home = pathlib.Path(folder.name)
        cls.archive = cls.home / "bundle.tar.gz"
        done = subprocess.run([sys.executable, "-B", SOURCE / "scripts/gpu/bundle.py", LONGBOW.parent, TORCH,
                               cls.archive], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        cls.said = done.stdout.splitlines()[-1]
        with tarfile.open(cls.archive) as archive:
            archive.extractall(cls.home)
        cls.unpacked = cls.home / bundle.NAME

    def check(self, folder):
        """Runs scripts/gpu_check of the bundle in an environment that holds nothing, and without any GPU."""
        env = {"PATH": "/usr/bin:/bin", "LONGBOW_PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
        return subprocess.run([self.unpacked / "scripts/gpu_check", "--prebuilt", folder, "--torch", TORCH, "--out",
                               self.home / "out.json", "--minutes", "600"], cwd=self.home, env=env, capture_output=True,
                              text=True, timeout=PATIENCE)

    def copy(self, name):
        """Returns a copy of the unpacked bundle that a test may damage; large files are links."""
        folder = self.home / name
        shutil.copytree(self.unpacked, folder, copy_function=os.link)
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def test_says_its_size_and_is_small_enough(self):
        self.assertIn(f" {self.archive.stat().st_size / 2**20:.1f} MiB ", self.said)
        self.assertLessEqual(self.archive.stat().st_size, 64 << 20)

    def test_starts_and_says_that_there_is_no_gpu(self):
        done = self.check(self.unpacked)
        self.assertEqual(done.returncode, 77, done.stdout + done.stderr)
        self.assertIn("start:       passed", done.stdout)
        self.assertIn("no GPU: ", done.stdout)

    def test_needs_nothing_else_of_this_machine(self):
        env = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": f"{self.unpacked / 'lib'}:{TORCH / 'lib'}"}
        for name in bundle.BINARIES:
            listing = subprocess.run(["ldd", self.unpacked / "bin" / name], env=env, capture_output=True, text=True,
                                     check=True).stdout
            elsewhere = [line.strip() for line in listing.splitlines()
                         if not line.split()[0].rsplit("/")[-1].startswith(GLIBC_AND_COMPILER)
                         and not any(f"{place}/" in line for place in (self.unpacked, TORCH.parent))
                         # Where a toolkit is installed, the program finds its runtime first.
                         and "libcudart.so" not in line]
            self.assertEqual(elsewhere, [], name)

    def test_a_folder_that_is_no_bundle(self):
        for folder in (self.home, self.home / "nowhere"):
            done = self.check(folder)
            self.assertEqual(done.returncode, 2)
            self.assertIn("is not an unpacked bundle", done.stderr)

    def test_a_missing_and_a_damaged_file(self):
        folder = self.copy("missing")
        (folder / "bin/liblongbow_nccl.so").unlink()
        done = self.check(folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn("bin/liblongbow_nccl.so is missing", done.stderr)

        folder = self.copy("damaged")
        file = folder / "lib/libyaml-cpp.so.0.7"
        file = file if file.exists() else next((folder / "lib").iterdir())
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.unlink()
        file.write_bytes(content)
        done = self.check(folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"lib/{file.name} is not as it was packed", done.stderr)

    def test_an_archive_that_was_cut_off(self):
        whole = self.archive.read_bytes()
        cut = self.home / "cut.tar.gz"
        cut.write_bytes(whole[: len(whole) // 2])
        folder = self.home / "cut"
        with self.assertRaises((EOFError, tarfile.ReadError)), tarfile.open(cut) as archive:
            for member in archive:
                archive.extract(member, folder)
        self.addCleanup(shutil.rmtree, folder)
        done = self.check(folder / bundle.NAME)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "is not an unpacked bundle|is missing|is not as it was packed")

    def test_a_bundle_that_is_too_large_is_none(self):
        folder = self.home / "large"
        folder.mkdir()
        self.addCleanup(shutil.rmtree, folder)
        (folder / "noise").write_bytes(os.urandom(4096))
        limit, bundle.MOST_BYTES = bundle.MOST_BYTES, 2048
        try:
            with self.assertRaisesRegex(SystemExit, "the bundle would have"):
                bundle.pack(folder, self.home / "large.tar.gz")
        finally:
            bundle.MOST_BYTES = limit
        self.assertEqual(list(self.home.glob("*large.tar.gz*")), [])

    def test_a_build_without_the_module(self):
        with self.assertRaisesRegex(SystemExit, "liblongbow_nccl.so is missing|longbow is missing"):
            bundle.collect(self.home, TORCH, self.home / "incomplete")
        shutil.rmtree(self.home / "incomplete")


if __name__ == "__main__":
    unittest.main()
