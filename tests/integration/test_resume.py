"""Tests that `longbow train` gives the same bits whatever interrupts it, through the real binary."""
import concurrent.futures
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import unittest

from patience import PATIENCE, wait_for
import train_case
from train_case import TrainCase

FAIL_POINTS = ["checkpoint." + name for name in (
    "before_model", "after_model", "after_optimizer", "after_state", "before_manifest", "before_rename", "after_rename",
    "before_last", "after_last", "before_best", "after_best", "before_prune", "in_prune")]


class Training(TrainCase):
    def kill_and_go_on(self, name, points):
        """Runs one training, kills it at each point in turn and continues it each time, then lets it finish."""
        run = self.fresh(name)
        for point in points:
            done = train_case.train(run, failpoint=point)
            self.assertIn(done.returncode, (-signal.SIGKILL, 0), f"{point}: {done.stderr}")
            with open(run / "metrics.jsonl", "a") as file:
                file.write('{"event":"train","upda')  # as if the kill had come in the middle of a line
        self.assert_exit(train_case.train(run), 0)
        self.assert_same_run(run)
        leftovers = [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]
        self.assertEqual(leftovers, [])

    def test_killed_at_every_fail_point(self):
        seed = random.randrange(2**32)
        draw = random.Random(seed)
        updates = [f"train.update:{draw.randint(1, 12)}" for _ in range(10)]
        with self.subTest(seed=seed, updates=updates), concurrent.futures.ThreadPoolExecutor(2) as pool:
            chains = [pool.submit(self.kill_and_go_on, "killed-in-saves", FAIL_POINTS),
                      pool.submit(self.kill_and_go_on, "killed-in-updates", updates)]
            for chain in chains:
                chain.result()

    def test_every_fail_point_is_passed(self):
        # If a name above were misspelt, its kill would never come. Each one ends a run of its own, whose last
        # checkpoint is whole.
        def killed(point):
            run = self.fresh("point-" + point)
            return point, train_case.train(run, failpoint=point + ":1").returncode
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for point, code in pool.map(killed, FAIL_POINTS):
                self.assertEqual(code, -signal.SIGKILL, point)

    def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(self):
        run = self.fresh("damaged")
        shutil.copytree(train_case.BASE, run, symlinks=True)
        newest = train_case.last(run) / "model.safetensors"
        data = bytearray(newest.read_bytes())
        data[-1] ^= 1
        newest.write_bytes(data)
        rows = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
        (run / "metrics.jsonl").write_text("".join([rows[0], "{damaged\n", *rows[1:]]))
        done = train_case.train(run)
        self.assert_exit(done, 0, str(newest), "damaged", "update 21", "metrics.jsonl:2: not a JSON object")
        self.assert_same_run(run)
        for path in (run / "checkpoints").glob("step-*/manifest.json"):
            path.write_text("{")
        self.assert_exit(train_case.train(run), 5, "every checkpoint")

    def test_a_signal_saves_and_the_run_goes_on(self):
        run = self.fresh("signal")
        steady = ("schedule.name=constant", "checkpoint.every=100000 updates", "eval.every=100000 updates")
        process = subprocess.Popen(train_case.command(run, "train.stop=100000 updates", *steady),
                                   stderr=subprocess.PIPE, text=True,
                                   # Keeps it at work while the test looks.
                                   env={**os.environ, "LONGBOW_FAILPOINT": "train.update:31=wait"})
        wait_for(lambda: process.poll() is not None or (run / "metrics.jsonl").exists()
                 and (run / "metrics.jsonl").stat().st_size > 500)
        self.assert_exit(train_case.train(run, *steady), 1, "another trainer", f"process {process.pid}", "--run-dir")
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=PATIENCE)[1]
        self.assertEqual(process.returncode, 75, stderr)
        self.assertIn("run the same command again", stderr)
        reached = int(train_case.last(run).name.split("-")[1])
        stop = f"train.stop={reached + 7} updates"
        self.assert_exit(train_case.train(run, stop, *steady), 0, f"update {reached}")
        straight = self.fresh("straight")
        self.assert_exit(train_case.train(straight, stop, *steady), 0)
        self.assert_same_run(run, straight)

    def test_a_closed_terminal_saves_and_nohup_goes_on(self):
        for ignored, says in ((False, "SIGHUP"), (True, "SIGTERM")):
            run = self.fresh(f"hangup-{says}")
            steady = ("schedule.name=constant", "checkpoint.every=100000 updates", "eval.every=100000 updates",
                      "train.stop=100000 updates")
            process = subprocess.Popen(train_case.command(run, *steady), stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, "LONGBOW_FAILPOINT": "train.update:31=wait"},
                                       preexec_fn=lambda: signal.signal(
                                           signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL))
            wait_for(lambda: process.poll() is not None or (run / "metrics.jsonl").exists()
                     and (run / "metrics.jsonl").stat().st_size > 500)
            process.send_signal(signal.SIGHUP)
            if ignored:
                process.send_signal(signal.SIGTERM)
            stderr = process.communicate(timeout=PATIENCE)[1]
            self.assertEqual(process.returncode, 75, stderr)
            self.assertIn(f"interrupted: {says}", stderr)
            self.assertTrue(train_case.last(run).exists())

    def test_a_finished_run_says_so_and_a_longer_stop_needs_a_learning_rate(self):
        run = self.fresh("finished")
        shutil.copytree(train_case.BASE, run, symlinks=True)
        done = train_case.train(run)
        self.assert_exit(done, 0)
        self.assertIn("finished already", done.stdout)
        self.assert_same_run(run)
        self.assert_exit(train_case.train(run, "train.stop=26 updates"), 3, "ends at update 24", "learning rate of 0",
                         f"longbow train --from {run}")
        self.assert_same_run(run)

    def test_resume_refuses_what_would_be_another_run(self):
        run = self.fresh("refused")
        shutil.copytree(train_case.BASE, run, symlinks=True)
        self.assert_exit(train_case.train(run, "optim.lr=0.5", "model.dropout=0"), 3, "optim.lr: 0.01 -> 0.5",
                         "model.dropout: 0.1 -> 0")
        self.assert_exit(train_case.train(run, "--resume", "never"), 2, "has checkpoints already")
        self.assert_exit(train_case.train(self.fresh("elsewhere"), "--resume", str(run / "nothing")), 5,
                         "no checkpoint")
        store = train_case.FOLDER / "store"
        train_case.write_text(train_case.FOLDER / "other.txt", 300, 3)
        moved = train_case.FOLDER / "store.moved"
        store.rename(moved)
        try:
            self.assert_exit(train_case.train(self.fresh("preparing"),
                                              f"data.train=[{train_case.FOLDER / 'other.txt'}]",
                                              "train.stop=4 updates"), 0)
            self.assert_exit(train_case.train(run), 4, str(store), "not the one that")
        finally:
            shutil.rmtree(store, ignore_errors=True)
            moved.rename(store)

    def test_resume_from_a_named_checkpoint_leaves_no_other_line(self):
        run = self.fresh("rewound")
        shutil.copytree(train_case.BASE, run, symlinks=True)
        done = train_case.train(run, "--resume", f"{run}@step=21")
        self.assert_exit(done, 0, "abandoned-step-00000024")
        self.assert_same_run(run)

    def test_a_full_disk_is_told_and_older_checkpoints_stay(self):
        place = self.fresh("disk")
        place.mkdir()
        run = place / "run"
        steps = {
            "first": " ".join(train_case.command(run, "model.ffn_dim=512", "schedule.name=constant",
                                                 "'train.stop=6 updates'")),
            "full": " ".join(train_case.command(run, "model.ffn_dim=512", "schedule.name=constant",
                                                "'train.stop=12 updates'")),
        }
        script = f"""
            mount -t tmpfs -o size=4m tmpfs {place} || exit 99
            {steps["first"]} || exit 98
            head -c $(($(df --output=avail -B1 {place} | tail -1) - 102400)) /dev/zero > {place}/filler
            {steps["full"]}; echo "code $?"
            {train_case.LONGBOW} inspect checkpoint {run}@last --verify | head -1
            rm {place}/filler
            {steps["full"]}; echo "code $?"
        """
        namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        done = subprocess.run([*namespace, "sh", "-c", script], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode in (1, 99) and "code" not in done.stdout:
            self.skipTest("no right to mount a tmpfs here: " + done.stderr.strip())
        self.assertEqual(re.findall(r"code (\d+)", done.stdout), ["1", "0"], done.stdout + done.stderr)
        self.assertIn("No space left on device", done.stderr)
        self.assertIn("step-00000006", done.stdout)


setUpModule, tearDownModule = train_case.set_up, train_case.tear_down


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
