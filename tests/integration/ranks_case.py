"""Holds what the tests with several ranks share: a configuration, a corpus, and functions that train and compare
runs."""
import json
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "build/release/longbow")

CONFIG = """
model: {layers: 2, dim: 32, heads: 4, ffn_dim: 64, dropout: 0.0}
position: {method: METHOD}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: STORE, train: [TEXT], valid: [TEXT]}
optim: {name: adamw, lr: 0.003, clip_norm: 1.0}
schedule: {name: cosine, warmup: 5 updates}
train: {length: 16, batch: 8, stop: 50 updates, dtype: fp64, deterministic: true}
eval: {lengths: [16, 32]}
log: {every: 1 updates, tensorboard: false}
"""
ENVIRONMENT = {key: value for key, value in os.environ.items()
               if key not in ("LONGBOW_FAILPOINT", "RANK", "WORLD_SIZE")}


def longbow(*arguments, **variables):
    return subprocess.run([LONGBOW, *map(str, arguments)], env={**ENVIRONMENT, **variables}, capture_output=True,
                          text=True, timeout=PATIENCE)


def train(run, *arguments, method="alibi", **variables):
    return longbow("train", "-c", FOLDER / f"{method}.yaml", "--run-dir", run, "--threads", 1,
                   "--device", "cpu", *arguments, **variables)


FOLDER = Path(tempfile.mkdtemp(prefix="longbow-ranks-"))


def make_corpus():
    words = [a + b for a in "bdfgklmn" for b in ("a", "e", "i", "o", "ul", "ar")]
    text = " ".join(words[(i * i + 3 * i // 7) % len(words)] for i in range(6000))
    (FOLDER / "text.txt").write_text(text + "\n")
    for method in ("alibi", "t5", "rotary"):
        (FOLDER / f"{method}.yaml").write_text(
            CONFIG.replace("METHOD", method).replace("STORE", str(FOLDER / "store"))
            .replace("TEXT", str(FOLDER / "text.txt")))


def remove_corpus():
    shutil.rmtree(FOLDER)


def tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    kinds = {"F64": "d", "F32": "f"}
    return {name: struct.unpack(
        f"<{(about['data_offsets'][1] - about['data_offsets'][0]) // (8 if about['dtype'] == 'F64' else 4)}"
        f"{kinds[about['dtype']]}", data[8 + size:][slice(*about["data_offsets"])]) for name, about in header.items()}


def weights(run):
    return tensors(run / "checkpoints/last/model.safetensors")


def losses(run):
    return [row["loss"] for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
            if row["event"] == "train"]


def furthest(a, b):
    assert a.keys() == b.keys()
    return max(max(abs(x - y) for x, y in zip(a[name], b[name])) for name in a)
