"""Tests the position method of examples/ in a copy of the program (LONGBOW_WITH_EXAMPLE_METHOD): it trains, is measured,
resumes, and stays finite at a high learning rate."""
import json
import math
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE
from train_case import CONFIG, write_text

PROGRAM = os.environ["LONGBOW_WITH_EXAMPLE_METHOD"]
METHOD = "tisa_of_examples"


def longbow(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE)


def floats(checkpoint, name):
    data = (checkpoint / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    about = json.loads(data[8:8 + size])[name]
    begin, end = about["data_offsets"]
    return struct.unpack(f"<{(end - begin) // 4}f", data[8 + size + begin:8 + size + end])


class OwnMethod(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="longbow-own-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        write_text(cls.folder / "train.txt", 300, 1)
        write_text(cls.folder / "valid.txt", 30, 2)
        text = CONFIG.replace("STORE", str(cls.folder / "store")).replace("TRAIN", str(cls.folder / "train.txt"))
        (cls.folder / "own.yaml").write_text(text.replace("VALID", str(cls.folder / "valid.txt"))
                                             .replace("method: alibi", f"method: {METHOD}"))

    def train(self, name, *arguments):
        done = longbow("train", "-c", self.folder / "own.yaml", "--run-dir", self.folder / name, "--threads", 1,
                       "--device", "cpu", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / name

    def losses(self, run):
        return [row["loss"] for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
                if row["event"] == "train"]

    def test_trains_is_measured_and_goes_on(self):
        run = self.train("run")
        losses = self.losses(run)
        self.assertLess(losses[-1], losses[0])
        widths = floats(run / "checkpoints/last", "position.b")
        self.assertGreater(len(set(widths)), 1, "the method's parameters were not trained: all begin alike")

        done = longbow("eval", run, "--data", self.folder / "store", "--lengths", "16,64", "--json", "--threads", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([(row["position"], row["length"]) for row in rows], [(METHOD, 16), (METHOD, 64)])
        self.assertTrue(all(1 < row["ppl"] < 40 for row in rows), rows)  # 20 words and </s>
        self.assertIn("| TISA |", longbow("report", run).stdout)

        half = self.train("half", "train.stop=12 updates", "schedule.period=24 updates")
        gone_on = self.train("half", "train.stop=24 updates", "schedule.period=24 updates")
        whole = self.train("whole", "schedule.period=24 updates")
        self.assertEqual(half, gone_on)
        self.assertEqual(*((path / "checkpoints/last/model.safetensors").read_bytes() for path in (gone_on, whole)))

    def test_stays_finite_at_a_high_learning_rate(self):
        for optimizer in ("adamw", "sgd"):
            with self.subTest(optimizer):
                run = self.train(f"high-{optimizer}", f"optim.name={optimizer}", "optim.lr=0.2",
                                 "train.stop=150 updates", "schedule.name=constant", "eval.every=1000 updates",
                                 "checkpoint.every=1000 updates")
                rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
                self.assertTrue(all(math.isfinite(row["loss"]) for row in rows if row["event"] == "train"))
                self.assertFalse([row for row in rows if row.get("skipped")], "an update had no finite gradient")

    def test_an_export_without_its_code_is_refused(self):
        run = self.train("exported", "train.stop=8 updates")
        for flags in ([], ["--custom-code"]):
            done = longbow("export", "hf", f"{run}@last", "--out", self.folder / "out", *flags)
            self.assertEqual(done.returncode, 5, done.stderr)
            self.assertIn(f"position.method: {METHOD}", done.stderr)
            self.assertFalse((self.folder / "out").exists())

    def test_options_and_what_does_not_apply(self):
        done = longbow("config", "check", "-c", self.folder / "own.yaml", "position.bumps=8")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = longbow("config", "check", "-c", self.folder / "own.yaml", "attention.skip_threshold=9")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("it needs a position.method with slopes (alibi with position.rounding: none) or a fading bias (fox, "
                      "kerple with position.draw: none, sandwich with position.draw: none), and position.method is "
                      f"{METHOD}", done.stderr)
        done = longbow("config", "check", "-c", self.folder / "own.yaml", "position.bumps=0")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("position.bumps", done.stderr)
        table = longbow("inspect", "position", METHOD, "--heads", 2, "--length", 3).stdout.splitlines()
        self.assertEqual([row.split()[0] for row in table[-3:]], ["0", "1", "2"])
        self.assertTrue(all(math.isfinite(float(value)) for row in table[-3:] for value in row.split()[1:]))


if __name__ == "__main__":
    unittest.main()
