"""Holds what the tests of training share: a tiny corpus and configuration, a complete run with it, and the real binary
(environment variable LONGBOW)."""
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "build/release/longbow")
WORDS = "the a one two three sun moon river house walks sees gives under over quick quiet green old and but".split()

CONFIG = """
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.1}
position: {method: alibi}
tokenizer: {kind: word}
data: {store: STORE, train: [TRAIN], valid: [VALID]}
optim: {lr: 1e-2}
schedule: {name: cosine, warmup: 4 updates}
train: {length: 16, batch: 4, accumulate: 2, stop: 24 updates, deterministic: true}
eval: {lengths: [16, 32], every: 8 updates}
checkpoint: {every: 3 updates, keep_last: 2}
log: {every: 4 updates}
"""


def write_text(path, sentences, seed):
    draw = random.Random(seed)
    path.write_text("".join(" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) + "\n" for _ in range(sentences)))


def set_up():
    """Makes a store, a configuration, and BASE, a run of it that nothing interrupted."""
    global FOLDER, CONFIG_FILE, BASE
    FOLDER = Path(tempfile.mkdtemp(prefix="longbow-train-"))
    write_text(FOLDER / "train.txt", 300, 1)
    write_text(FOLDER / "valid.txt", 30, 2)
    CONFIG_FILE = FOLDER / "tiny.yaml"
    CONFIG_FILE.write_text(CONFIG.replace("STORE", str(FOLDER / "store")).replace("TRAIN", str(FOLDER / "train.txt"))
                           .replace("VALID", str(FOLDER / "valid.txt")))
    BASE = FOLDER / "base"
    done = train(BASE)
    assert done.returncode == 0, done.stderr


def tear_down():
    shutil.rmtree(FOLDER)


def command(run, *arguments):
    return [LONGBOW, "train", "-c", str(CONFIG_FILE), "--run-dir", str(run), "--threads", "1",
            "--device", "cpu", *arguments]


def train(run, *arguments, failpoint=None):
    environment = dict(os.environ)
    environment.pop("LONGBOW_FAILPOINT", None)
    if failpoint:
        environment["LONGBOW_FAILPOINT"] = failpoint
    return subprocess.run(command(run, *arguments), env=environment, capture_output=True, text=True, timeout=PATIENCE)


def metrics(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        row.pop("timing")
    return rows


def last(run):
    return run / "checkpoints" / os.readlink(run / "checkpoints" / "last")


class TrainCase(unittest.TestCase):
    def fresh(self, name):
        path = FOLDER / name
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def assert_exit(self, done, code, *texts):
        self.assertEqual(done.returncode, code, done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    def assert_same_run(self, run, expected=None):
        expected = expected or BASE
        self.assertEqual(last(run).name, last(expected).name)
        for name in ("model.safetensors", "optimizer-00000-of-00001.safetensors"):
            self.assertEqual((last(run) / name).read_bytes(), (last(expected) / name).read_bytes(), name)
        self.assertEqual(os.readlink(run / "checkpoints" / "best"), os.readlink(expected / "checkpoints" / "best"))
        self.assertEqual(metrics(run), metrics(expected))
