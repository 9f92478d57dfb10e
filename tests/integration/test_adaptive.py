"""Tests a model with adaptive input and softmax from training to text, by the paper's recipe at a small size: NAG,
cosine with restarts, the data order `fairseq`. It is also interrupted and resumed to the same bits. Runs the real
binary (environment variable LONGBOW)."""
import json
import math
import os
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "build/release/longbow")
WORDS = [a + b + c for a in "bdfg" for b in "aeiou" for c in "klmn"]  # 80 words

CONFIG = """
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, final_norm: false, key_bias: true, dropout: 0.1, output_dropout: 0.2, tail_dropout: 0.2,
        adaptive_cutoffs: [16, 48], adaptive_factor: 2}
position: {method: alibi}
tokenizer: {kind: word}
data: {store: STORE, train: [FOLDER/train.txt], valid: [FOLDER/valid.txt]}
optim: {name: nag, lr: 0.5, momentum: 0.9, clip_norm: 0.1}
schedule: {name: cosine, warmup: 4 updates, warmup_init_lr: 1e-7, warmup_at_init: true, min_lr: 1e-4, period: 10 updates, restarts: true,
           period_mult: 2, shrink: 0.75}
train: {length: 16, batch: 5, accumulate: 2, stop: 2 epochs, order: fairseq, skip_second_tail_words: true, deterministic: true}
eval: {lengths: [16, 32]}
checkpoint: {every: 5 updates}
"""


def longbow(*arguments, failpoint=None):
    environment = {key: value for key, value in os.environ.items() if key != "LONGBOW_FAILPOINT"}
    if failpoint:
        environment["LONGBOW_FAILPOINT"] = failpoint
    return subprocess.run([LONGBOW, *map(str, arguments)], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE)


def train(run, *arguments, failpoint=None):
    return longbow("train", "-c", FOLDER / "paper.yaml", "--run-dir", run, "--threads", 1,
                   "--device", "cpu", *arguments, failpoint=failpoint)


def setUpModule():
    global FOLDER, RUN
    FOLDER = Path(tempfile.mkdtemp(prefix="longbow-adaptive-"))
    draw = random.Random(1)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    for name, lines in (("train", 251), ("valid", 40)):
        (FOLDER / f"{name}.txt").write_text("".join(" ".join(draw.choices(WORDS, weights, k=draw.randint(3, 12))) + "\n"
                                                    for _ in range(lines)))
    (FOLDER / "paper.yaml").write_text(CONFIG.replace("STORE", str(FOLDER / "store")).replace("FOLDER", str(FOLDER)))
    RUN = FOLDER / "run"
    done = train(RUN)
    assert done.returncode == 0, done.stderr


def tearDownModule():
    shutil.rmtree(FOLDER)


def last(run):
    return run / "checkpoints" / os.readlink(run / "checkpoints" / "last")


def tensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return {name: entry["shape"] for name, entry in header.items()}


class Adaptive(unittest.TestCase):
    def test_weights_have_their_names_and_shapes(self):
        vocabulary = json.loads(longbow("inspect", "data", FOLDER / "store",
                                        "--json").stdout)["manifest"]["tokenizer"]["vocab_size"]
        shapes = tensors(last(RUN) / "model.safetensors")
        expected = {"embed.bands.0.weight": [16, 16], "embed.bands.0.projection": [16, 16],
                    "embed.bands.1.weight": [32, 8], "embed.bands.1.projection": [16, 8],
                    "embed.bands.2.weight": [vocabulary - 48, 4], "embed.bands.2.projection": [16, 4],
                    "head.classes": [2, 16]}
        self.assertEqual({name: shape for name, shape in shapes.items() if not name.startswith("layers.")}, expected)
        slots = tensors(last(RUN) / "optimizer-00000-of-00001.safetensors")
        self.assertEqual(set(slots), {"momentum/" + name for name in shapes})
        listed = longbow("inspect", "checkpoint", RUN)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn("head.classes", listed.stdout)

    def test_it_learns_and_every_token_is_trained_on_once_an_epoch(self):
        rows = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
        losses = [row["loss"] for row in rows if row["event"] == "train"]
        self.assertLess(losses[-1], losses[0] - 0.3)
        data = json.loads(longbow("inspect", "data", FOLDER / "store",
                                  "--json").stdout)["manifest"]["splits"]["train"]["tokens"]
        state = json.loads((last(RUN) / "state.json").read_text())
        blocks = math.ceil(data / 16)
        self.assertNotEqual(data % 16, 0, "the text shall end in a short block")
        self.assertEqual((state["updates"], state["samples"], state["tokens"]),
                         (2 * math.ceil(math.ceil(blocks / 5) / 2), 2 * blocks, 2 * data))

    def test_killed_and_resumed_it_ends_with_the_same_bits(self):
        run = FOLDER / "killed"
        updates = json.loads((last(RUN) / "state.json").read_text())["updates"]
        for point in (f"train.update:{updates // 2 - 1}", "train.update:4", "checkpoint.after_optimizer"):
            done = train(run, failpoint=point)
            self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
        done = train(run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("continuing from", done.stderr)
        for name in ("model.safetensors", "optimizer-00000-of-00001.safetensors"):
            self.assertEqual((last(run) / name).read_bytes(), (last(RUN) / name).read_bytes(), name)

    def test_verify_goes_to_the_update_and_not_to_what_counts(self):
        """The first loss scale overflows, so updates are skipped before the checkpoints that are compared."""
        run = FOLDER / "skipped"
        done = train(run, "train.dtype=fp16", "train.loss_scale=1e8", "train.scaled_loss=sum",
                     "train.count_skipped=false", "train.max_bad_updates=100")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(json.loads((last(run) / "state.json").read_text())["skipped_updates"], 3)
        done = longbow("verify", run, "--threads", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the same weights and optimizer", done.stdout)

    def test_evaluates_and_generates(self):
        done = longbow("eval", RUN, "--data", FOLDER / "store", "--split", "valid", "--lengths", "16,64", "--json",
                       "--threads", 1, "--out", FOLDER / "results.jsonl")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [json.loads(line) for line in (FOLDER / "results.jsonl").read_text().splitlines()]
        self.assertEqual([row["length"] for row in rows], [16, 64])
        for row in rows:
            self.assertLess(row["ppl"], 60)  # there are 80 words and a few more: better than drawing them by frequency
        text = longbow("generate", RUN, "--prompt", WORDS[0], "--max-new-tokens", 12, "--seed", 3, "--threads", 1)
        self.assertEqual(text.returncode, 0, text.stderr)
        words = text.stdout.split()
        self.assertGreater(sum(word in WORDS for word in words), 1, text.stdout)
        # A model trained for seconds may draw a special token, but never a word outside the dictionary.
        for word in words:
            self.assertRegex(word, rf"^({'|'.join(WORDS)}|<s>|<pad>|</s>|<unk>|madeupword\d+)$")

    def test_the_plan_and_what_an_update_sees(self):
        plan = train(FOLDER / "none", "--dry-run")
        self.assertEqual(plan.returncode, 0, plan.stderr)
        parameters = sum(math.prod(shape) for shape in tensors(last(RUN) / "model.safetensors").values())
        self.assertRegex(plan.stdout, rf"parameters +{parameters:,}")
        shown = longbow("inspect", "data", FOLDER / "store", "--update", 1, "-c", FOLDER / "paper.yaml", "--json")
        samples = json.loads(shown.stdout)["update"]["samples"]
        self.assertEqual([sample["sample"] for sample in samples], list(range(len(samples))))

    def test_fp16_by_their_rule(self):
        """The first loss scale is beyond fp16's range, and each skipped update halves it. Without count_skipped,
        skipped updates count for neither the learning rate nor the end of the run."""
        half = ["train.dtype=fp16", "train.loss_scale=16777216", "train.scaled_loss=sum", "train.stop=6 updates",
                "eval.lengths=[16]", "log.every=1 updates"]
        states, rates = {}, {}
        for count in ("true", "false"):
            run = FOLDER / f"half-{count}"
            done = train(run, *half, f"train.count_skipped={count}")
            self.assertEqual(done.returncode, 0, done.stderr)
            states[count] = json.loads((last(run) / "state.json").read_text())
            rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            rates[count] = [row["lr"] for row in rows if row["event"] == "train"]
        skipped = states["false"]["skipped_updates"]
        self.assertGreater(skipped, 0)
        self.assertEqual(states["false"]["loss_scale"], 2.0 ** (24 - skipped))
        self.assertEqual(states["false"]["updates"] - skipped, 6)
        self.assertEqual(states["false"]["optimizer_steps"], 6)
        self.assertEqual(states["true"]["updates"], 6)
        self.assertAlmostEqual(rates["false"][skipped], 1e-7, places=12)
        self.assertGreater(rates["true"][1], 1e-3)

    def test_refusals(self):
        for change, text in ((["model.adaptive_cutoffs=[48, 16]"], "must ascend"),
                             (["model.adaptive_cutoffs=[16, 4000]"], "the vocabulary has only"),
                             (["model.adaptive_factor=5"], "no element for band 2"),
                             (["model.adaptive_cutoffs=[]"], "model.adaptive_factor has no effect here"),
                             (["schedule.restarts=false"], "schedule.period_mult has no effect here"),
                             (["train.count_skipped=false"], "train.count_skipped has no effect here")):
            done = train(FOLDER / "refused", *change)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
