"""Tests what a run of `longbow train` writes and what it refuses, through the real binary."""
import json
import os
import signal
import struct
import subprocess
import sys
import unittest

import train_case
from patience import PATIENCE, wait_for
from train_case import TrainCase

class Training(TrainCase):
    def test_the_same_seed_gives_the_same_run_and_another_does_not(self):
        run = self.fresh("again")
        self.assert_exit(train_case.train(run), 0)
        self.assert_same_run(run)
        self.assert_exit(train_case.train(self.fresh("other"), "train.seed=2"), 0)
        self.assertNotEqual(train_case.metrics(train_case.FOLDER / "other"), train_case.metrics(train_case.BASE))

    def test_the_run_directory(self):
        names = {path.name for path in train_case.BASE.iterdir()} - {".lock"}
        self.assertEqual(names, {"config.yaml", "log.txt", "metrics.jsonl", "tensorboard", "checkpoints"})
        rows = train_case.metrics(train_case.BASE)
        self.assertEqual([row["update"] for row in rows if row["event"] == "train"], [4, 8, 12, 16, 20, 24])
        self.assertEqual([(row["update"], row["length"]) for row in rows if row["event"] == "valid"],
                         [(u, length) for u in (8, 16, 24) for length in (16, 32)])
        losses = [row["loss"] for row in rows if row["event"] == "train"]
        self.assertLess(losses[-1], losses[0])
        state = json.loads((train_case.last(train_case.BASE) / "state.json").read_text())
        self.assertEqual((state["updates"], state["samples"], state["tokens"]), (24, 24 * 8, 24 * 8 * 16))

    def test_divergence_ends_with_a_checkpoint_of_before(self):
        run = self.fresh("diverged")
        done = train_case.train(run, "optim.lr=1000", "optim.weight_decay=1", "schedule.name=constant",
                                "schedule.warmup=0 updates", "train.max_bad_updates=3", "train.stop=50 updates")
        self.assert_exit(done, 65, "diverged at update", "is from before")
        self.assertIn(str(train_case.last(run)), done.stderr)
        state = json.loads((train_case.last(run) / "state.json").read_text())
        self.assertEqual((state["bad_updates"], state["skipped_updates"]), (0, 0))
        inspected = subprocess.run([train_case.LONGBOW, "inspect", "checkpoint", f"{run}@last", "--verify"],
                                   capture_output=True, text=True)
        self.assertEqual(inspected.returncode, 0, inspected.stderr)

    def test_init_from_starts_with_given_weights(self):
        run = self.fresh("tuned")
        self.assert_exit(train_case.train(run, f"train.init_from={train_case.BASE}@last", "train.length=32",
                                          "train.stop=4 updates"), 0, "weights from")
        first, begun = train_case.metrics(run)[0], train_case.metrics(train_case.BASE)[0]
        self.assertLess(first["loss"], begun["loss"])
        self.assert_exit(train_case.train(self.fresh("wider"), f"train.init_from={train_case.BASE}",
                                          "model.ffn_dim=48"), 5, "layers.0.ffn")

    def test_several_seeds_are_several_runs(self):
        run = self.fresh("seeds")
        done = train_case.train(run, "train.seeds=[1, 2]", "train.seed=null")
        self.assert_exit(done, 0)
        self.assertRegex(done.stdout, r"2 seeds: best validation perplexity \d+\.\d\d \+- \d+\.\d\d")
        self.assert_same_run(run / "seed-1")
        self.assertNotEqual(train_case.metrics(run / "seed-2"), train_case.metrics(train_case.BASE))

    def test_reduced_precision_trains_and_resumes_exactly(self):
        for dtype in ("bf16", "fp16"):
            with self.subTest(dtype=dtype):
                run, straight = self.fresh(dtype), self.fresh(dtype + "-straight")
                options = (f"train.dtype={dtype}", "train.stop=12 updates")
                self.assertEqual(train_case.train(run, *options, failpoint="train.update:8").returncode,
                                 -signal.SIGKILL)
                self.assert_exit(train_case.train(run, *options), 0)
                self.assert_exit(train_case.train(straight, *options), 0)
                self.assert_same_run(run, straight)
                losses = [row["loss"] for row in train_case.metrics(run) if row["event"] == "train"]
                self.assertLess(losses[-1], losses[0])

    def test_verify_and_inspect(self):
        done = subprocess.run([train_case.LONGBOW, "verify", str(train_case.BASE), "--threads", "1", "--device", "cpu"],
                              capture_output=True, text=True)
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout.count("whole"), len(list((train_case.BASE / "checkpoints").glob("step-*"))))
        self.assertIn("update 21 -> 24: the same weights and optimizer, bit for bit", done.stdout)
        done = subprocess.run([train_case.LONGBOW, "inspect", "checkpoint", str(train_case.BASE), "--json"],
                              capture_output=True, text=True)
        self.assertEqual(json.loads(done.stdout)["manifest"]["position"], "alibi")

    def test_what_has_no_value_is_no_number(self):
        run = self.fresh("without-value")
        done = train_case.train(run, "optim.lr=1000", "optim.weight_decay=1", "schedule.name=constant",
                                "schedule.warmup=0 updates", "train.max_bad_updates=1000", "train.stop=50 updates")
        self.assert_exit(done, 0)
        verified = subprocess.run([train_case.LONGBOW, "verify", str(run), "--threads", "1", "--device", "cpu"],
                                  capture_output=True, text=True)
        self.assert_exit(verified, 0, "loss diverged", "ppl -", "|g| -")
        for text in (done.stdout + done.stderr, verified.stdout + verified.stderr):
            self.assertNotRegex(text, r"\b(nan|inf)\b")

    def test_timing_updates_keeps_nothing(self):
        """The store is missing: one is made for the time, also where a signal comes while it is made."""
        place = self.fresh("timed")
        place.mkdir()
        options = [train_case.LONGBOW, "bench", "train", "-c", str(train_case.CONFIG_FILE), "--threads", "1",
                   "--device", "cpu", "--steps", "1", "--warmup-steps", "0"]
        options.append(f"data.store={place / 'store'}")
        more = {"env": {**os.environ, "TMPDIR": str(place)}, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                "text": True}
        done = subprocess.run([*options, f"data.train=[{train_case.FOLDER / 'train.txt'}]"], **more)
        self.assert_exit(done, 0, f"preparing {place}/longbow-bench-")
        self.assertIn("ms an update", done.stdout)
        self.assertEqual(list(place.iterdir()), [])
        # The file below names text of another store.
        self.assert_exit(subprocess.run(options, **more), 3, "no token store")
        more["env"]["LONGBOW_FAILPOINT"] = "data.chunk=wait"
        process = subprocess.Popen([*options, f"data.train=[{train_case.FOLDER / 'train.txt'}]"], **more)
        wait_for(lambda: process.poll() is not None or list(place.glob("longbow-bench-*/*")))
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=PATIENCE)[1]
        self.assertEqual(process.returncode, 75, stderr)
        self.assertIn("nothing is kept", stderr)
        self.assertEqual(list(place.iterdir()), [])

    def test_the_plan_of_a_dry_run(self):
        run = self.fresh("planned")
        done = train_case.train(run, "--dry-run")
        self.assert_exit(done, 0)
        self.assertFalse((run / "checkpoints").exists())
        header = safetensors_header(train_case.last(train_case.BASE) / "model.safetensors")
        count = sum(product(entry["shape"]) for name, entry in header.items()
                    if not name.startswith(("__", "longbow.filler")))
        self.assertRegex(done.stdout, rf"parameters +{count:,}\n")
        self.assertRegex(done.stdout, r"the run +24 updates")
        self.assertRegex(done.stdout, r"validation +at length 32")

    def test_weights_open_in_python(self):
        header = safetensors_header(train_case.last(train_case.BASE) / "model.safetensors")
        names = [name for name in header if not name.startswith(("__", "longbow.filler"))]
        self.assertIn("embed.tokens.weight", names)
        self.assertIn("layers.0.attention.q.weight", names)
        start = 8 + safetensors_header_size(train_case.last(train_case.BASE) / "model.safetensors")
        for name in names:
            self.assertEqual((start + header[name]["data_offsets"][0]) % 64, 0, name)
        try:
            from safetensors import safe_open
        except ImportError:
            self.skipTest("the safetensors package is not here")
        with safe_open(train_case.last(train_case.BASE) / "model.safetensors", "numpy") as file:
            self.assertEqual(file.get_tensor("layers.0.ffn.in.weight").shape, (32, 16))
            self.assertEqual(json.loads(file.metadata()["longbow.config"])["model"]["dim"], 16)

    def test_tensorboard_reads_its_events(self):
        try:
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        except ImportError:
            self.skipTest("the tensorboard package is not here")
        run = self.fresh("board")
        self.assertEqual(train_case.train(run, failpoint="train.update:15").returncode, -signal.SIGKILL)
        self.assert_exit(train_case.train(run), 0)
        events = EventAccumulator(str(run / "tensorboard"))
        events.Reload()
        points = [(event.step, event.value) for event in events.Scalars("train/loss")]
        rows = [row for row in train_case.metrics(run) if row["event"] == "train"]
        self.assertEqual([step for step, _ in points], [row["update"] for row in rows])
        for (_, value), row in zip(points, rows):
            self.assertAlmostEqual(value, row["loss"], places=5)
        self.assertIn("valid/ppl@32", events.Tags()["scalars"])


def product(numbers):
    result = 1
    for number in numbers:
        result *= number
    return result


def safetensors_header_size(path):
    with open(path, "rb") as file:
        return struct.unpack("<Q", file.read(8))[0]


def safetensors_header(path):
    with open(path, "rb") as file:
        return json.loads(file.read(8 + safetensors_header_size(path))[8:])


setUpModule, tearDownModule = train_case.set_up, train_case.tear_down


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
