"""Training on a synthetic task and probing the run: it learns, resumes bit for bit and with ranks, and `longbow probe
tasks` scores it by length."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

from patience import PATIENCE
from train_case import LONGBOW, TrainCase, last, metrics

# Small enough for seconds: the last symbol of a few bits' parity is not, copying four symbols of three is learned.
CONFIG = """
model: {layers: 2, dim: 32, heads: 2, ffn_dim: 64, dropout: 0, embedding_scale: none}
position: {method: POSITION}
task: {name: TASK, length: 4}
optim: {lr: 1e-2}
schedule: {name: cosine}
train: {length: 12, batch: 64, stop: UPDATES updates, deterministic: true}
checkpoint: {every: 100 updates, keep_last: 2}
log: {every: 20 updates, tensorboard: false}
"""


def longbow(*words, failpoint=None):
    environment = dict(os.environ)
    environment.pop("LONGBOW_FAILPOINT", None)
    if failpoint:
        environment["LONGBOW_FAILPOINT"] = failpoint
    return subprocess.run([LONGBOW, *map(str, words)], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE)


class Tasks(TrainCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="longbow-tasks-"))
        cls.copy = cls.folder / "copy"
        done = cls.train(cls.copy, "copy, symbols: 3", 300)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def train(cls, run, task, updates, *arguments, position="alibi", failpoint=None):
        config = cls.folder / f"{run.name}.yaml"
        config.write_text(CONFIG.replace("TASK", task).replace("UPDATES", str(updates)).replace("POSITION", position))
        return longbow("train", "-c", config, "--run-dir", run, "--threads", "1", "--device", "cpu", *arguments,
                       failpoint=failpoint)

    def probe(self, *words):
        done = longbow("probe", "tasks", *words, "--threads", "1", "--device", "cpu")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_a_run_learns_its_task(self):
        rows = [row for row in metrics(self.copy) if row["event"] == "train"]
        self.assertLess(rows[-1]["loss"], 0.5 * rows[0]["loss"])
        self.assertEqual(rows[-1]["tokens"], 300 * 64 * 12)
        table = self.probe(self.copy, "--items", "200").stdout
        self.assertIn("task copy trained up to 4 symbols", table)
        rows = [json.loads(line) for line in (self.copy / "probes.jsonl").read_text().splitlines()]
        self.assertEqual([row["lengths"] for row in rows], [[1, 4], [5, 8], [9, 16], [17, 32]])
        for row in rows:
            self.assertEqual((row["probe"], row["task"], row["items"], row["seed"], row["generator"]),
                             ("tasks", "copy", 200, 1, 1))
            low, high = row["exact_match_ci"]
            self.assertTrue(0 <= low <= row["exact_match"] <= high <= 1, row)
            self.assertLessEqual(row["exact_match"], row["token_accuracy"])
            for key in ("name", "position", "train_length", "train_seed", "updates", "checkpoint", "config",
                        "config_group", "dtype", "task_length", "symbol", "bucket", "token_accuracy_ci"):
                self.assertIn(key, row)
        # A guess is right in one of four tokens, and an answer of two tokens or more in one of 16.
        self.assertGreater(rows[0]["token_accuracy"], 0.6)
        report = longbow("report", self.copy)
        self.assertEqual(report.returncode, 0, report.stderr)
        self.assertIn("| Model | position | to L | L to 2L | 2L to 4L | 4L to 8L |", report.stdout)
        cells = " | ".join(f"{row['exact_match']:.3f} [{row['exact_match_ci'][0]:.3f}, {row['exact_match_ci'][1]:.3f}]"
                           for row in rows)
        self.assertIn(f"| copy | alibi | {cells} |", report.stdout)
        self.assert_exit(longbow("report", self.copy, "--metric", "nll"), 2, "--metric")
        self.assert_exit(longbow("report", self.copy, "--out", self.folder / "copy.svg"), 2, "make tables")
        again = self.probe(self.copy, "--items", "200", "--json", "--out", self.folder / "again.jsonl").stdout
        self.assertEqual([json.loads(line) for line in again.splitlines()], rows)
        self.assertNotEqual(self.probe(self.copy, "--items", "200", "--json", "--seed", "2", "--out",
                                       self.folder / "other.jsonl").stdout, again)

    def test_rows_that_cannot_be_written_are_kept(self):
        run = self.folder / "kept"
        self.assertEqual(self.train(run, "copy, symbols: 3", 1).returncode, 0)
        full = longbow("probe", "tasks", run, "--items", "20", "--out", "/dev/full", "--threads", "1", "--device", "cpu")
        self.assert_exit(full, 1, "No space left", f"the rows are in {run / 'probes.jsonl'}")
        self.assertIn("task copy trained up to 4 symbols", full.stdout)
        kept = (run / "probes.jsonl").read_text()
        self.assertEqual(self.probe(run, "--items", "20", "--json", "--out", self.folder / "kept.jsonl").stdout, kept)

    def test_it_resumes_bit_for_bit(self):
        run = self.folder / "resumed"
        killed = self.train(run, "copy, symbols: 3", 300, failpoint="train.update:150=kill")
        self.assertNotEqual(killed.returncode, 0)
        done = self.train(run, "copy, symbols: 3", 300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("continuing from", done.stderr)
        for name in ("model.safetensors", "optimizer-00000-of-00001.safetensors"):
            self.assertEqual((last(run) / name).read_bytes(), (last(self.copy) / name).read_bytes(), name)
        self.assertEqual(metrics(run), metrics(self.copy))
        refused = self.train(run, "reverse, symbols: 3", 300)
        self.assert_exit(refused, 3, "task.name: copy -> reverse")
        verified = longbow("verify", run, "--threads", "1", "--device", "cpu")
        self.assertEqual(verified.returncode, 0, verified.stderr)
        self.assertIn("bit for bit", verified.stdout)

    def test_ranks_see_the_same_items(self):
        runs = [self.folder / "alone", self.folder / "two"]
        for run, words in zip(runs, ((), ("--nproc", "2"))):
            done = self.train(run, "sort, symbols: 3", 4, "log.every=1 updates", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
        for one, other in zip(*map(metrics, runs)):
            self.assertAlmostEqual(one["loss"], other["loss"], places=4)
            self.assertEqual(one["tokens"], other["tokens"])

    def test_needles_are_scored_by_depth(self):
        run = self.folder / "needle"
        done = self.train(run, "needle", 2, position="learned")
        self.assertEqual(done.returncode, 0, done.stderr)
        probed = self.probe(run, "--items", "50")
        self.assertIn("its position method ends at 12 tokens", probed.stderr)
        rows = [json.loads(line) for line in (run / "probes.jsonl").read_text().splitlines()]
        self.assertEqual([row["bucket"] for row in rows], [[0, 1], [1, 2]])
        self.assertEqual([len(row["depths"]) for row in rows], [10, 10])
        self.assertEqual(sum(depth["items"] for depth in rows[0]["depths"]), 50)
        self.assertIn("exact match by depth", probed.stdout)
        drawing = self.folder / "needle.svg"
        self.probe(run, "--items", "50", "--heat-map", drawing, "--out", self.folder / "drawn.jsonl")
        root = xml.etree.ElementTree.fromstring(drawing.read_text())
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        for row in rows:
            self.assertIn("{} to {}".format(*row["lengths"]), texts)
            for depth in row["depths"]:
                if depth["items"] > 0:
                    self.assertIn(f"{depth['exact_match']:.2f}", texts)
        drawing.unlink()
        refused = longbow("probe", "tasks", run, self.copy, "--heat-map", drawing)
        self.assert_exit(refused, 2, "was trained on copy, whose items hide nothing at a depth")
        self.assertEqual(refused.stdout, "")
        self.assertFalse(drawing.exists())

    def test_a_dry_run_plans_it(self):
        done = self.train(self.folder / "planned", "copy", 300, "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("task copy of up to 4 symbols", done.stdout)
        self.assertIn("the run                300 updates", done.stdout)
        self.assertFalse((self.folder / "planned").exists())

    def test_what_cannot_be_meant_is_refused(self):
        run = self.folder / "refused"
        self.assert_exit(self.train(run, "cpoy", 1), 3, "task.name", "copy")
        self.assert_exit(self.train(run, "copy", 1, "train.length=9"), 3, "set train.length: 10")
        self.assert_exit(self.train(run, "copy", 1, "data.store=there"), 3, "data.store has no effect here")
        self.assertFalse(run.exists())
        self.assert_exit(longbow("probe", "tasks", self.folder / "none"), 5, "none")
        self.assert_exit(longbow("generate", self.copy, "--prompt", "a"), 4, "trained on a task")


if __name__ == "__main__":
    unittest.main()
