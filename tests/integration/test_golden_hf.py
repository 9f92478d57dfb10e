"""Public models, from their folders to token log-probabilities: each folder of tests/golden/hf is imported, its
sequence of ids is scored in windows, and every value is compared with what transformers computed in double (or with
the model's definition, where transformers leaves it).

LONGBOW_GOLDEN_HF may name another folder of the same form. Environment: LONGBOW (the binary), LONGBOW_SOURCE (the
repository). Needs NumPy; skipped (exit status 77) without it.
"""
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

LONGBOW = os.environ["LONGBOW"]
GOLDEN = pathlib.Path(os.environ.get("LONGBOW_GOLDEN_HF")
                      or pathlib.Path(os.environ["LONGBOW_SOURCE"]) / "tests/golden/hf")
LARGEST = {"fp64": 1e-9, "fp32": 5e-5}  # difference, in nats
WINDOWS = re.compile(r"(block(?P<block>\d+)|slide(?P<length>\d+)_(?P<stride>\d+))$")


def read_safetensors(path):
    blob = path.read_bytes()
    (size,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8:8 + size])
    header.pop("__metadata__", None)
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4"}
    return {name: np.frombuffer(blob[8 + size:][slice(*entry["data_offsets"])], dtype=types[entry["dtype"]])
            .reshape(entry["shape"]) for name, entry in header.items()}


class Folder:
    """A model's folder, its expected values, and the run that it is imported as."""

    def __init__(self, folder, home):
        self.folder, self.home = folder, home / folder.name
        self.home.mkdir()
        self.about = json.loads((folder / "expected.json").read_text())
        self.expected = read_safetensors(folder / "expected.safetensors")
        np.save(self.home / "ids.npy", self.expected["ids"])
        self.windows = {}  # name -> (length, stride)
        for key in self.expected:
            found = WINDOWS.fullmatch(key.removeprefix("fp64/")) if key.startswith("fp64/") else None
            if found:
                length = int(found["block"] or found["length"])
                self.windows[found[0]] = (length, int(found["stride"] or length))
        self.has_definition = any(key.startswith("exact/") for key in self.expected)

    def longbow(self, *arguments):
        return subprocess.run([LONGBOW, *map(str, arguments), "--threads", "1"], cwd=self.home, capture_output=True,
                              text=True)

    def ok(self, *arguments):
        done = self.longbow(*arguments)
        assert done.returncode == 0, f"{self.folder.name}: longbow {' '.join(map(str, arguments))}\n{done.stderr}"
        return done.stdout

    def eval(self, run, *arguments):
        return self.longbow("eval", run, "--ids", "ids.npy", "--protocol", "hf", "--bos", "never", "--json",
                            *arguments)

    def scores(self, run, dtype):
        """Name of windows -> (log-probabilities, row). Lengths of one stride are one command."""
        found = {}
        for stride in {stride for _, stride in self.windows.values()}:
            lengths = {length: name for name, (length, own) in self.windows.items() if own == stride}
            done = self.eval(run, "--lengths", ",".join(map(str, lengths)), "--stride", stride, "--dtype", dtype,
                             "--out", f"{run}-{dtype}.jsonl", "--token-logprobs", f"{run}-{dtype}-{stride}-{{length}}.npy")
            assert done.returncode == 0, f"{self.folder.name}: {done.stderr}"
            for row in map(json.loads, done.stdout.splitlines()):
                values = np.load(self.home / f"{run}-{dtype}-{stride}-{row['length']}.npy")
                found[lengths[row["length"]]] = (values, row)
        return found


class GoldenHf(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="longbow-golden-hf-")
        cls.addClassCleanup(temporary.cleanup)
        home = pathlib.Path(temporary.name)
        cls.folders = [Folder(path.parent, home) for path in sorted(GOLDEN.glob("*/expected.safetensors"))]
        assert cls.folders, f"{GOLDEN} holds no models"

    def compare(self, folder, run, dtype, kind):
        largest = 0
        for name, (values, row) in folder.scores(run, dtype).items():
            with self.subTest(windows=name):
                expected = folder.expected[f"{kind}/{name}"]
                scored = expected[~np.isnan(expected)]
                self.assertEqual(values.dtype, np.float64 if dtype == "fp64" else np.float32)
                self.assertEqual(len(values), len(scored))
                worst = np.abs(values - scored).max()
                self.assertLess(worst, LARGEST[dtype])
                largest = max(largest, worst)
                numbers = folder.about["numbers"][kind][name]
                self.assertEqual(row["tokens"], numbers["tokens"])
                for key in {"nll", "tool_ppl"} & set(numbers):
                    self.assertAlmostEqual(row[key] / numbers[key], 1, delta=10 * LARGEST[dtype])
        print(f"{folder.folder.name:18} {run:8} {dtype} beside {kind}: {largest:.1e}", flush=True)

    def test_every_value(self):
        for folder in self.folders:
            with self.subTest(folder.folder.name):
                folder.ok("import", "hf", folder.folder.resolve(), "--out", "run")
                kind = "exact" if folder.has_definition else "fp64"
                for dtype in LARGEST:
                    self.compare(folder, "run", dtype, kind)

    def test_what_transformers_rounds(self):
        for folder in (one for one in self.folders if one.has_definition):
            with self.subTest(folder.folder.name):
                folder.ok("import", "hf", folder.folder.resolve(), "--rounded", "--out", "rounded")
                self.compare(folder, "rounded", "fp64", "fp64")

    def test_a_window_beyond_the_table_is_refused(self):
        ending = [folder for folder in self.folders if folder.about.get("longest_window")]
        for folder in ending:
            with self.subTest(folder.folder.name):
                limit = folder.about["longest_window"]
                folder.ok("import", "hf", folder.folder.resolve(), "--out", "ending")
                done = folder.eval("ending", "--lengths", f"{limit},{limit + 1}", "--out", "beyond.jsonl")
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertIn(f"ends at {limit}", done.stderr)
                self.assertFalse((folder.home / "beyond.jsonl").exists())


if __name__ == "__main__":
    unittest.main()
