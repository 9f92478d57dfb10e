"""Holds what the tests on the pretend device share: a tiny corpus, the unmodified binary (environment variable LONGBOW)
run on the device or on the CPU, and what it reports of itself."""
import collections
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
SOURCE = Path(os.environ["LONGBOW_SOURCE"])
PRETEND = Path(os.environ["LONGBOW_PRETEND"])
WORDS = [a + b + c for a in "bdfg" for b in "aeiou" for c in "klmn"]

CONFIG = """
model: {layers: 2, dim: 16, heads: 2, ffn_dim: 32, dropout: 0}
position: {method: alibi}
tokenizer: {kind: word}
data: {store: STORE, train: [TRAIN], valid: [VALID]}
optim: {lr: 1e-2}
schedule: {name: cosine, warmup: 2 updates}
train: {length: 16, batch: 2, stop: 20 updates}
eval: {lengths: [16], every: 1000 updates}
checkpoint: {every: 1000 updates}
log: {every: 1 updates, tensorboard: false}
"""
ADAPTIVE = ("model.adaptive_cutoffs=[16, 48]", "model.adaptive_factor=2", "model.final_norm=false",
            "model.output_dropout=0.2", "model.tail_dropout=0.2", "optim.name=nag", "optim.lr=0.5",
            "optim.momentum=0.9", "optim.clip_norm=0.1", "train.order=fairseq", "train.skip_second_tail_words=true")


def environment(device, **variables):
    """Returns the environment of a process whose CUDA devices are pretended, or of one that has none."""
    env = {key: value for key, value in os.environ.items() if key not in ("LONGBOW_FAILPOINT", "RANK", "WORLD_SIZE")}
    if device != "cpu":
        env |= {"LONGBOW_PRETEND_DEVICES": "2",
                "LD_PRELOAD": str(PRETEND / "libpretend_cudart.so"), "LD_LIBRARY_PATH": str(PRETEND)}
    return env | variables


def longbow(*arguments, device="cuda", **variables):
    return subprocess.run([LONGBOW, *map(str, arguments)], env=environment(device, **variables), capture_output=True,
                          text=True, timeout=PATIENCE)


def losses(run):
    """Returns the losses of all updates, as text with all digits that the log line shows, and as numbers."""
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    numbers = [row["loss"] for row in rows if row["event"] == "train"]
    return [f"{number:.4f}" for number in numbers], numbers


def values(path):
    """Returns the bytes of all tensors of a safetensors file, without the header, which names the configuration."""
    data = path.read_bytes()
    return data[8 + struct.unpack("<Q", data[:8])[0]:]


def last(run):
    return run / "checkpoints" / os.readlink(run / "checkpoints" / "last")


class DeviceCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="longbow-device-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        draw = random.Random(1)
        weights = [1 / (rank + 1) for rank in range(len(WORDS))]
        for name, lines in (("train", 251), ("valid", 40)):
            (cls.folder / f"{name}.txt").write_text("".join(
                " ".join(draw.choices(WORDS, weights, k=draw.randint(3, 12))) + "\n" for _ in range(lines)))
        (cls.folder / "tiny.yaml").write_text(CONFIG.replace("STORE", str(cls.folder / "store"))
                                              .replace("TRAIN", str(cls.folder / "train.txt"))
                                              .replace("VALID", str(cls.folder / "valid.txt")))
        cls.waits, cls.operators = {}, {}

    def succeed(self, *arguments, device="cuda", **variables):
        """Runs longbow, which must end well. Afterwards self.waits and self.operators hold what was counted in all of
        its processes together."""
        reports = Path(tempfile.mkdtemp(dir=self.folder))
        done = longbow(*arguments, device=device, LONGBOW_PRETEND_REPORTS=str(reports), **variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.waits, self.operators = collections.Counter(), collections.Counter()
        for report in reports.iterdir():
            for line in report.read_text().splitlines():
                kind, count, name = line.split("\t")
                (self.waits if kind == "wait" else self.operators)[name] += int(count)
        if device != "cpu":
            self.assertGreater(sum(self.operators.values()), 0, "nothing ran on the device")
        return done

    def train(self, name, *settings, device="cuda", **variables):
        """Trains, or continues, the run of this name; returns its folder."""
        run = self.folder / name
        self.succeed("train", "-c", self.folder / "tiny.yaml", "--run-dir", run, "--threads", 1, "--device", device,
                     *settings, device=device, **variables)
        return run

    def assert_same_weights(self, run, other):
        for name in ("model.safetensors", "optimizer-00000-of-00001.safetensors"):
            self.assertEqual(values(last(run) / name), values(last(other) / name), name)
