"""Holds what the tests of `longbow import` share: the binary, the golden files, and readers of safetensors and NumPy
files that need no packages."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "longbow")
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
GOLDEN = SOURCE / "tests/golden"
USAGE, DATA, CHECKPOINT = 2, 4, 5
END = 2  # </s>


def safetensors(path):
    """Reads a file of one-dimensional tensors. Returns {name: (dtype, values)}."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        code = {"I64": "q", "F32": "f"}[about["dtype"]]
        body = data[8 + size + begin : 8 + size + end]
        tensors[name] = struct.unpack(f"<{len(body) // struct.calcsize(code)}{code}", body)
    return tensors


def npy(path):
    """Reads the values of a one-dimensional float32 NumPy file."""
    data = path.read_bytes()
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - begin) // 4}f", data[begin:])


class ImportCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-import-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def run_longbow(self, *arguments, code=0):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        result = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, timeout=PATIENCE, env=environment,
                                cwd=self.dir)
        stderr = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, code, stderr)
        if code:
            lines = [line for line in stderr.splitlines() if line.startswith("longbow: error:")]
            self.assertEqual(len(lines), 1, stderr)
            return lines[0]
        return result.stdout.decode()

    def run_import(self, checkpoint, method="alibi", dictionary=None, code=0, out=None):
        out = out or self.dir / f"{method}-{pathlib.Path(checkpoint).stem}"
        dictionary = dictionary or GOLDEN / "alibi_adaptive/dict.txt"
        answer = self.run_longbow("import", "fairseq", checkpoint, "--dict", dictionary, "--position", method,
                                  "--out", out, code=code)
        if code:
            self.assertFalse((out / "checkpoints").exists(), "an error leaves nothing behind")
            return answer
        return out

    def text_of(self, method):
        """Returns the golden stream as text: words from the dictionary, and the end of a line for each </s>."""
        folder = GOLDEN / f"{method}_adaptive"
        words = ["<s>", "<pad>", "</s>", "<unk>"] + [line.rsplit(" ", 1)[0]
                                                     for line in (folder / "dict.txt").read_text().splitlines()]
        tokens = safetensors(folder / "expected.safetensors")["tokens"]
        self.assertEqual(tokens[-1], END, "a text ends with its last line's end")
        path = self.dir / f"{method}.txt"
        path.write_text("".join("\n" if token == END else words[token] + " " for token in tokens))
        return path, len(tokens)
