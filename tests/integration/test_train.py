"""longbow train: the same bits whatever interrupts it, and clear refusals. Runs the real binary (environment variable LONGBOW)."""
import concurrent.futures
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

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

FAIL_POINTS = ["checkpoint." + name for name in (
    "before_model", "after_model", "after_optimizer", "after_state", "before_manifest", "before_rename", "after_rename", "before_last",
    "after_last", "before_best", "after_best", "before_prune", "in_prune")]


def write_text(path, sentences, seed):
    draw = random.Random(seed)
    path.write_text("".join(" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) + "\n" for _ in range(sentences)))


def setUpModule():
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


def tearDownModule():
    shutil.rmtree(FOLDER)


def command(run, *arguments):
    return [LONGBOW, "train", "-c", str(CONFIG_FILE), "--run-dir", str(run), "--threads", "1", "--device", "cpu", *arguments]


def train(run, *arguments, failpoint=None):
    environment = dict(os.environ)
    environment.pop("LONGBOW_FAILPOINT", None)
    if failpoint:
        environment["LONGBOW_FAILPOINT"] = failpoint
    return subprocess.run(command(run, *arguments), env=environment, capture_output=True, text=True, timeout=120)


def metrics(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        row.pop("timing")
    return rows


def last(run):
    return run / "checkpoints" / os.readlink(run / "checkpoints" / "last")


class Training(unittest.TestCase):
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

    def test_the_same_seed_gives_the_same_run_and_another_does_not(self):
        run = self.fresh("again")
        self.assert_exit(train(run), 0)
        self.assert_same_run(run)
        self.assert_exit(train(self.fresh("other"), "train.seed=2"), 0)
        self.assertNotEqual(metrics(FOLDER / "other"), metrics(BASE))

    def test_the_run_directory(self):
        names = {path.name for path in BASE.iterdir()} - {".lock"}
        self.assertEqual(names, {"config.yaml", "log.txt", "metrics.jsonl", "tensorboard", "checkpoints"})
        rows = metrics(BASE)
        self.assertEqual([row["update"] for row in rows if row["event"] == "train"], [4, 8, 12, 16, 20, 24])
        self.assertEqual([(row["update"], row["length"]) for row in rows if row["event"] == "valid"],
                         [(u, length) for u in (8, 16, 24) for length in (16, 32)])
        losses = [row["loss"] for row in rows if row["event"] == "train"]
        self.assertLess(losses[-1], losses[0])
        state = json.loads((last(BASE) / "state.json").read_text())
        self.assertEqual((state["updates"], state["samples"], state["tokens"]), (24, 24 * 8, 24 * 8 * 16))

    def kill_and_go_on(self, name, points):
        """One run, killed at each point in turn, each time going on; then to its end."""
        run = self.fresh(name)
        for point in points:
            done = train(run, failpoint=point)
            self.assertIn(done.returncode, (-signal.SIGKILL, 0), f"{point}: {done.stderr}")
            with open(run / "metrics.jsonl", "a") as file:
                file.write('{"event":"train","upda')  # as if the kill had come in mid-line
        self.assert_exit(train(run), 0)
        self.assert_same_run(run)
        leftovers = [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]
        self.assertEqual(leftovers, [])

    def test_killed_at_every_fail_point(self):
        seed = random.randrange(2**32)
        draw = random.Random(seed)
        updates = [f"train.update:{draw.randint(1, 12)}" for _ in range(10)]
        with self.subTest(seed=seed, updates=updates), concurrent.futures.ThreadPoolExecutor(2) as pool:
            chains = [pool.submit(self.kill_and_go_on, "killed-in-saves", FAIL_POINTS), pool.submit(self.kill_and_go_on, "killed-in-updates", updates)]
            for chain in chains:
                chain.result()

    def test_every_fail_point_is_passed(self):
        # Were a name misspelt above, its kill would never come: each one ends a run of its own, with the last save whole.
        def killed(point):
            run = self.fresh("point-" + point)
            return point, train(run, failpoint=point + ":1").returncode
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for point, code in pool.map(killed, FAIL_POINTS):
                self.assertEqual(code, -signal.SIGKILL, point)

    def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(self):
        run = self.fresh("damaged")
        shutil.copytree(BASE, run, symlinks=True)
        newest = last(run) / "model.safetensors"
        data = bytearray(newest.read_bytes())
        data[-1] ^= 1
        newest.write_bytes(data)
        done = train(run)
        self.assert_exit(done, 0, str(newest), "damaged", "update 21")
        self.assert_same_run(run)
        for path in (run / "checkpoints").glob("step-*/manifest.json"):
            path.write_text("{")
        self.assert_exit(train(run), 5, "every checkpoint")

    def test_a_signal_saves_and_the_run_goes_on(self):
        run = self.fresh("signal")
        steady = ("schedule.name=constant", "checkpoint.every=100000 updates", "eval.every=100000 updates")
        process = subprocess.Popen(command(run, "train.stop=100000 updates", *steady), stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not ((run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size > 500):
            time.sleep(0.02)
        self.assert_exit(train(run, *steady), 1, "another trainer", f"process {process.pid}", "--run-dir")
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 75, stderr)
        self.assertIn("run the same command again", stderr)
        reached = int(last(run).name.split("-")[1])
        stop = f"train.stop={reached + 7} updates"
        self.assert_exit(train(run, stop, *steady), 0, f"update {reached}")
        straight = self.fresh("straight")
        self.assert_exit(train(straight, stop, *steady), 0)
        self.assert_same_run(run, straight)

    def test_a_finished_run_says_so_and_a_longer_stop_goes_on(self):
        run = self.fresh("finished")
        shutil.copytree(BASE, run, symlinks=True)
        done = train(run)
        self.assert_exit(done, 0)
        self.assertIn("finished already", done.stdout)
        self.assert_same_run(run)
        done = train(run, "train.stop=26 updates", "log.every=1 updates")
        self.assert_exit(done, 0, "keeps the period of 24 updates")
        self.assertEqual(metrics(run)[-3]["update"], 26)

    def test_resume_refuses_what_would_be_another_run(self):
        run = self.fresh("refused")
        shutil.copytree(BASE, run, symlinks=True)
        self.assert_exit(train(run, "optim.lr=0.5", "model.dropout=0"), 3, "optim.lr: 0.01 -> 0.5", "model.dropout: 0.1 -> 0")
        self.assert_exit(train(run, "--resume", "never"), 2, "has checkpoints already")
        self.assert_exit(train(self.fresh("elsewhere"), "--resume", str(run / "nothing")), 5, "no checkpoint")
        store = FOLDER / "store"
        write_text(FOLDER / "other.txt", 300, 3)
        moved = FOLDER / "store.moved"
        store.rename(moved)
        try:
            self.assert_exit(train(self.fresh("preparing"), f"data.train=[{FOLDER / 'other.txt'}]", "--dry-run"), 0)
            self.assert_exit(train(run), 4, str(store), "not the one that")
        finally:
            shutil.rmtree(store, ignore_errors=True)
            moved.rename(store)

    def test_resume_from_a_named_checkpoint_leaves_no_other_line(self):
        run = self.fresh("rewound")
        shutil.copytree(BASE, run, symlinks=True)
        done = train(run, "--resume", f"{run}@step=21")
        self.assert_exit(done, 0, "abandoned-step-00000024")
        self.assert_same_run(run)

    def test_divergence_ends_with_a_checkpoint_of_before(self):
        run = self.fresh("diverged")
        done = train(run, "optim.lr=1000", "optim.weight_decay=1", "schedule.name=constant", "schedule.warmup=0 updates", "train.max_bad_updates=3", "train.stop=50 updates")
        self.assert_exit(done, 65, "diverged at update", "is from before")
        self.assertIn(str(last(run)), done.stderr)
        state = json.loads((last(run) / "state.json").read_text())
        self.assertEqual((state["bad_updates"], state["skipped_updates"]), (0, 0))
        inspected = subprocess.run([LONGBOW, "inspect", "checkpoint", f"{run}@last", "--verify"], capture_output=True, text=True)
        self.assertEqual(inspected.returncode, 0, inspected.stderr)

    def test_init_from_starts_with_given_weights(self):
        run = self.fresh("tuned")
        self.assert_exit(train(run, f"train.init_from={BASE}@last", "train.length=32", "train.stop=4 updates"), 0, "weights from")
        first, begun = metrics(run)[0], metrics(BASE)[0]
        self.assertLess(first["loss"], begun["loss"])
        self.assert_exit(train(self.fresh("wider"), f"train.init_from={BASE}", "model.ffn_dim=48"), 5, "layers.0.ffn")

    def test_several_seeds_are_several_runs(self):
        run = self.fresh("seeds")
        done = train(run, "train.seeds=[1, 2]", "train.seed=null")
        self.assert_exit(done, 0)
        self.assertRegex(done.stdout, r"2 seeds: best validation perplexity \d+\.\d\d \+- \d+\.\d\d")
        self.assert_same_run(run / "seed-1")
        self.assertNotEqual(metrics(run / "seed-2"), metrics(BASE))

    def test_reduced_precision_trains_and_resumes_exactly(self):
        for dtype in ("bf16", "fp16"):
            with self.subTest(dtype=dtype):
                run, straight = self.fresh(dtype), self.fresh(dtype + "-straight")
                options = (f"train.dtype={dtype}", "train.stop=12 updates")
                self.assertEqual(train(run, *options, failpoint="train.update:8").returncode, -signal.SIGKILL)
                self.assert_exit(train(run, *options), 0)
                self.assert_exit(train(straight, *options), 0)
                self.assert_same_run(run, straight)
                losses = [row["loss"] for row in metrics(run) if row["event"] == "train"]
                self.assertLess(losses[-1], losses[0])

    def test_a_full_disk_is_told_and_older_checkpoints_stay(self):
        place = self.fresh("disk")
        place.mkdir()
        run = place / "run"
        steps = {
            "first": " ".join(command(run, "model.ffn_dim=512", "'train.stop=6 updates'")),
            "full": " ".join(command(run, "model.ffn_dim=512", "'train.stop=12 updates'")),
        }
        script = f"""
            mount -t tmpfs -o size=4m tmpfs {place} || exit 99
            {steps["first"]} || exit 98
            head -c $(($(df --output=avail -B1 {place} | tail -1) - 102400)) /dev/zero > {place}/filler
            {steps["full"]}; echo "code $?"
            {LONGBOW} inspect checkpoint {run}@last --verify | head -1
            rm {place}/filler
            {steps["full"]}; echo "code $?"
        """
        namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        done = subprocess.run([*namespace, "sh", "-c", script], capture_output=True, text=True, timeout=120)
        if done.returncode in (1, 99) and "code" not in done.stdout:
            self.skipTest("no right to mount a tmpfs here: " + done.stderr.strip())
        self.assertEqual(re.findall(r"code (\d+)", done.stdout), ["1", "0"], done.stdout + done.stderr)
        self.assertIn("No space left on device", done.stderr)
        self.assertIn("step-00000006", done.stdout)

    def test_verify_and_inspect(self):
        done = subprocess.run([LONGBOW, "verify", str(BASE), "--threads", "1", "--device", "cpu"], capture_output=True, text=True)
        self.assert_exit(done, 0)
        self.assertEqual(done.stdout.count("whole"), len(list((BASE / "checkpoints").glob("step-*"))))
        self.assertIn("update 21 -> 24: the same weights and optimizer, bit for bit", done.stdout)
        done = subprocess.run([LONGBOW, "inspect", "checkpoint", str(BASE), "--json"], capture_output=True, text=True)
        self.assertEqual(json.loads(done.stdout)["manifest"]["position"], "alibi")

    def test_the_plan_of_a_dry_run(self):
        run = self.fresh("planned")
        done = train(run, "--dry-run")
        self.assert_exit(done, 0)
        self.assertFalse((run / "checkpoints").exists())
        header = safetensors_header(last(BASE) / "model.safetensors")
        count = sum(product(entry["shape"]) for name, entry in header.items() if not name.startswith(("__", "longbow.filler")))
        self.assertRegex(done.stdout, rf"parameters +{count:,}\n")
        self.assertRegex(done.stdout, r"the run +24 updates")
        self.assertRegex(done.stdout, r"validation +at length 32")

    def test_weights_open_in_python(self):
        header = safetensors_header(last(BASE) / "model.safetensors")
        names = [name for name in header if not name.startswith(("__", "longbow.filler"))]
        self.assertIn("embed.tokens.weight", names)
        self.assertIn("layers.0.attention.q.weight", names)
        start = 8 + safetensors_header_size(last(BASE) / "model.safetensors")
        for name in names:
            self.assertEqual((start + header[name]["data_offsets"][0]) % 64, 0, name)
        try:
            from safetensors import safe_open
        except ImportError:
            self.skipTest("the safetensors package is not here")
        with safe_open(last(BASE) / "model.safetensors", "numpy") as file:
            self.assertEqual(file.get_tensor("layers.0.ffn.in.weight").shape, (32, 16))
            self.assertEqual(json.loads(file.metadata()["longbow.config"])["model"]["dim"], 16)

    def test_tensorboard_reads_its_events(self):
        try:
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        except ImportError:
            self.skipTest("the tensorboard package is not here")
        run = self.fresh("board")
        self.assertEqual(train(run, failpoint="train.update:15").returncode, -signal.SIGKILL)
        self.assert_exit(train(run), 0)
        events = EventAccumulator(str(run / "tensorboard"))
        events.Reload()
        points = [(event.step, event.value) for event in events.Scalars("train/loss")]
        rows = [row for row in metrics(run) if row["event"] == "train"]
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


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
