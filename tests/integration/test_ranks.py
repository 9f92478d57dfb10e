"""Training by several processes over Gloo: the same trajectory as by one, whatever their number; sharded, accumulated, resumed on another
number of ranks. Runs the real binary (environment variable LONGBOW)."""
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

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
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("LONGBOW_FAILPOINT", "RANK", "WORLD_SIZE")}


def longbow(*arguments, **variables):
    return subprocess.run([LONGBOW, *map(str, arguments)], env={**ENVIRONMENT, **variables}, capture_output=True, text=True, timeout=300)


def train(run, *arguments, method="alibi", **variables):
    return longbow("train", "-c", FOLDER / f"{method}.yaml", "--run-dir", run, "--threads", 1, "--device", "cpu", *arguments, **variables)


def setUpModule():
    global FOLDER
    FOLDER = Path(tempfile.mkdtemp(prefix="longbow-ranks-"))
    words = [a + b for a in "bdfgklmn" for b in ("a", "e", "i", "o", "ul", "ar")]
    text = " ".join(words[(i * i + 3 * i // 7) % len(words)] for i in range(6000))
    (FOLDER / "text.txt").write_text(text + "\n")
    for method in ("alibi", "t5", "rotary"):
        (FOLDER / f"{method}.yaml").write_text(
            CONFIG.replace("METHOD", method).replace("STORE", str(FOLDER / "store")).replace("TEXT", str(FOLDER / "text.txt")))


def tearDownModule():
    shutil.rmtree(FOLDER)


def tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    kinds = {"F64": "d", "F32": "f"}
    return {name: struct.unpack(f"<{(about['data_offsets'][1] - about['data_offsets'][0]) // (8 if about['dtype'] == 'F64' else 4)}{kinds[about['dtype']]}",
                                data[8 + size:][slice(*about["data_offsets"])]) for name, about in header.items()}


def weights(run):
    return tensors(run / "checkpoints/last/model.safetensors")


def losses(run):
    return [row["loss"] for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if row["event"] == "train"]


def furthest(a, b):
    assert a.keys() == b.keys()
    return max(max(abs(x - y) for x, y in zip(a[name], b[name])) for name in a)


class Ranks(unittest.TestCase):
    def trained(self, name, *arguments, method="alibi"):
        run = FOLDER / name
        if not run.exists():
            done = train(run, *arguments, method=method)
            self.assertEqual(done.returncode, 0, done.stderr)
        return run

    def expect_same(self, name, *arguments, method="alibi", reference=None):
        one = self.trained(reference or f"{method}-1", method=method)
        other = self.trained(name, *arguments, method=method)
        self.assertLess(furthest(weights(one), weights(other)), 1e-10, name)

    def test_two_and_four_ranks_follow_one(self):
        self.expect_same("alibi-2", "--nproc", 2)
        self.expect_same("alibi-4", "--nproc", 4)

    def test_with_the_optimizer_sharded(self):
        self.expect_same("sharded-2", "--nproc", 2, "dist.shard_optimizer=true")
        self.expect_same("sharded-3", "--nproc", 3, "dist.shard_optimizer=true")
        files = sorted(path.name for path in (FOLDER / "sharded-3/checkpoints/last").glob("optimizer-*"))
        self.assertEqual(files, [f"optimizer-0000{rank}-of-00003.safetensors" for rank in range(3)])

    def test_with_accumulation(self):
        accumulated = ("train.batch=2", "train.accumulate=4")
        self.expect_same("accumulate-1", *accumulated)
        self.expect_same("accumulate-2", "--nproc", 2, *accumulated)
        self.expect_same("accumulate-3", "--nproc", 3, *accumulated)  # three does not divide four

    def test_a_table_that_all_layers_share(self):
        self.expect_same("t5-2", "--nproc", 2, method="t5")
        self.expect_same("t5-sharded", "--nproc", 2, "dist.shard_optimizer=true", method="t5")

    def test_the_same_ranks_twice_give_the_same_bits(self):
        dropped = ("model.dropout=0.1", "train.dtype=fp32", "--nproc", 2)
        one, two = self.trained("twice-1", *dropped), self.trained("twice-2", *dropped)
        self.assertEqual((one / "checkpoints/last/model.safetensors").read_bytes(), (two / "checkpoints/last/model.safetensors").read_bytes())
        drop = lambda row: {key: value for key, value in row.items() if key != "timing"}
        rows = [[drop(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (one, two)]
        self.assertEqual(*rows)

    def test_fp32_losses_stay_near(self):
        one, two = self.trained("single-1", "train.dtype=fp32"), self.trained("single-2", "train.dtype=fp32", "--nproc", 2)
        self.assertLess(max(abs(a - b) for a, b in zip(losses(one), losses(two))), 0.01)

    def test_gradients_that_travel_narrow_still_train(self):
        full = losses(self.trained("single-2", "train.dtype=fp32", "--nproc", 2))
        for dtype in ("bf16", "fp16"):
            narrow = losses(self.trained(f"narrow-{dtype}", "train.dtype=fp32", "--nproc", 2, f"dist.reduce_dtype={dtype}"))
            self.assertNotEqual(narrow, full)
            self.assertLess(abs(narrow[-1] - full[-1]), 0.05)

    def test_goes_on_with_another_number_of_ranks(self):
        """Interrupted with three ranks and a sharded optimizer, gone on with two, then alone."""
        run = FOLDER / "elastic"
        done = train(run, "--nproc", 3, "dist.shard_optimizer=true", "train.stop=20 updates", "schedule.period=50 updates")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = train(run, "--nproc", 2, "dist.shard_optimizer=true", "train.stop=35 updates", "schedule.period=50 updates")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("had 3 ranks and goes on with 2", done.stderr)
        done = train(run, "schedule.period=50 updates")
        self.assertEqual(done.returncode, 0, done.stderr)
        one = self.trained("alibi-1")
        self.assertLess(furthest(weights(one), weights(run)), 1e-10)

    def test_evaluation_by_ranks_has_the_same_bits(self):
        run = self.trained("alibi-1")
        rows = {}
        for ranks in (1, 2, 3):
            files = FOLDER / f"eval-{ranks}.npy"
            done = longbow("eval", run, "--data", FOLDER / "store", "--lengths", 16, "--stride", 4, "--max-tokens", 512, "--threads", 1, "--json",
                           "--nproc", ranks, "--out", FOLDER / f"eval-{ranks}.jsonl", "--token-logprobs", files)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(done.stdout.splitlines()), 1)
            rows[ranks] = (json.loads(done.stdout)["nll"], files.read_bytes())
        self.assertEqual(rows[1], rows[2])
        self.assertEqual(rows[1], rows[3])

    def test_verify_replays_with_the_ranks_that_trained(self):
        run = FOLDER / "verified"
        done = train(run, "--nproc", 2, "dist.shard_optimizer=true", "train.stop=12 updates", "checkpoint.every=5 updates", "schedule.name=constant")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = longbow("verify", run, "--threads", 1)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--nproc 2", done.stderr)
        done = longbow("verify", run, "--threads", 1, "--nproc", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("bit for bit", done.stdout)
        self.assertIn("2 agree", done.stdout)

    def test_mistakes(self):
        done = train(FOLDER / "mistake", "--nproc", 9)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("train.batch", done.stderr)
        done = train(FOLDER / "mistake", "--nproc", 2, RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1234")
        self.assertEqual(done.returncode, 2, done.stderr)
        done = train(FOLDER / "mistake", RANK="0", WORLD_SIZE="2")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("MASTER_ADDR", done.stderr)
        done = train(FOLDER / "mistake", "model.dim=33", "--nproc", 2)
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main()
