"""Holds what the tests of token stores share: text, and the real binary (environment variable LONGBOW: its path)."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "longbow")
USAGE, CONFIG, DATA, INTERRUPTED = 2, 3, 4, 75


def corpus(words, seed):
    """Returns sentences of a small Zipf-like vocabulary, some words beyond ASCII, in lines and paragraphs."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(1, 9)))
                  for _ in range(500)]
    vocabulary += ["na\u00efve", "\u6771\u4eac", "\U0001f600", "don't", "3.14"]
    out = []
    for i in range(words):
        out.append(vocabulary[min(int(rng.paretovariate(0.7)) - 1, len(vocabulary) - 1)])
        out.append(rng.choice([" "] * 12 + [". ", ", ", "\n", "\n\n\n"]))
    return "".join(out) + "\n"


class PrepareCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-prepare-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.train = self.write("train.txt", corpus(20000, 1))
        self.valid = self.write("valid.txt", corpus(3000, 2))
        self.store = self.dir / "store"

    def write(self, name, data):
        path = self.dir / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def run_longbow(self, *arguments, code=0, env=None):
        result = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, env={**os.environ, **(env or {})},
                                timeout=PATIENCE)
        self.assertEqual(result.returncode, code, result.stderr.decode(errors="replace"))
        if code not in (0, -signal.SIGKILL):
            kind = "interrupted" if code == INTERRUPTED else "error"
            lines = [line for line in result.stderr.decode().splitlines() if line.startswith(f"longbow: {kind}:")]
            self.assertEqual(len(lines), 1, result.stderr)
            return lines[0]
        return result.stdout.decode()

    def prepare(self, *arguments, out=None, tokenizer="bpe", size=("--vocab-size", 400), code=0, env=None):
        return self.run_longbow("prepare", "--tokenizer", tokenizer, *size, "--train", self.train,
                                "--valid", self.valid, "--out", out or self.store, *arguments, code=code, env=env)

    def manifest(self, store=None):
        return json.loads(((store or self.store) / "manifest.json").read_text())

    def contents(self, store):
        return {path.name: path.read_bytes() for path in store.iterdir()}

    def work_folder(self, store=None):
        store = store or self.store
        return store.parent / f".{store.name}.preparing"

    def assert_nothing_left(self):
        self.assertFalse(self.store.exists())
        self.assertEqual([p.name for p in self.dir.iterdir() if p.name.startswith(".")], [])
