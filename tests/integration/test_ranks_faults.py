"""Ranks that are killed, hang, fail or are told to stop: every process must end by itself with a message, and the same
command must continue to the weights of an undisturbed run. LONGBOW_KILLS sets the number of kills, LONGBOW_SEED which
ones.

Nothing here depends on how soon a signal comes: where it must find the run at work, a fail point makes the run wait for
it.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

from patience import PATIENCE, wait_for
from ranks_case import (ENVIRONMENT, FOLDER, LONGBOW, longbow, make_corpus as setUpModule,
                        remove_corpus as tearDownModule, train)

KILLS = int(os.environ.get("LONGBOW_KILLS", "4"))
SEED = int(os.environ.get("LONGBOW_SEED", "1"))
SETTINGS = ("train.dtype=fp32", "model.dropout=0.1", "train.stop=40 updates", "checkpoint.every=4 updates",
            "schedule.name=constant", "dist.shard_optimizer=true", "dist.timeout=600", "eval.every=10 updates")
# The timeout is long enough for a rank that gets little time on a busy machine. There are no checkpoints on the way,
# because a rank whose disk is slow to sync looks like one that hangs.
HUNG_AFTER = ("dist.timeout=20", "checkpoint.every=1000 updates", "eval.every=1000 updates")
WAITS = "train.update:9=wait"  # waits before update 9 for a signal
POINTS = ["before_model", "after_model", "after_optimizer", "after_share", "after_state", "before_manifest",
          "before_rename", "after_rename", "before_last", "after_last", "before_best", "after_best",
          "before_prune", "in_prune"]


def start(run, *arguments, **variables):
    return subprocess.Popen([LONGBOW, "train", "-c", str(FOLDER / "alibi.yaml"), "--run-dir", str(run),
                             "--threads", "1", "--device", "cpu", "--nproc", "2", *SETTINGS, *arguments],
                            env={**ENVIRONMENT, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ranks_of(process):
    """Returns the process ids of the ranks that a launcher has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def free_port():
    """Returns a port below those that the kernel assigns by itself, so that no other process gets it by chance before
    it is used."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(10000 + os.getpid() % 10000, lowest):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port is free")


def updates(run):
    try:
        return sum('"train"' in line for line in (run / "metrics.jsonl").read_text().splitlines())
    except FileNotFoundError:
        return 0


def wait_for_updates(process, run, more_than):
    """Waits until the run has done more than `more_than` updates. The run must continue, or wait at a later point."""
    wait_for(lambda: updates(run) > more_than or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]


def result(run):
    return [(run / "checkpoints/last" / name).read_bytes() for name in
            ("model.safetensors", "optimizer-00000-of-00002.safetensors", "optimizer-00001-of-00002.safetensors")]


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.undisturbed = FOLDER / "undisturbed"
        _, error = (process := start(cls.undisturbed)).communicate(timeout=PATIENCE)
        assert process.returncode == 0, error

    def finish(self, run):
        process = start(run)
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, error)
        self.assertEqual(result(run), result(self.undisturbed), f"LONGBOW_SEED={SEED}")

    def expect_whole(self, run):
        if (run / "checkpoints/last").exists():
            self.assertEqual(longbow("inspect", "checkpoint", f"{run}@last").returncode, 0)

    def test_kills_anywhere(self):
        """Kills a random rank or all of them, at a fail point of checkpoint writing or at a random moment."""
        draw = random.Random(SEED)
        print(f"LONGBOW_SEED={SEED}", file=sys.stderr)
        run, kills = FOLDER / "chaos", 0
        while kills < KILLS:
            if kills % 2 == 0:
                rank = 1 if (point := draw.choice(POINTS)) == "after_share" else 0
                process = start(run, LONGBOW_FAILPOINT=f"checkpoint.{point}:{draw.randint(1, 3)}@{rank}")
            else:
                process = start(run)
                before = updates(run)
                goal = before + draw.randint(0, 12)
                wait_for(lambda: updates(run) > goal or process.poll() is not None or updates(run) < before)
                pids = ranks_of(process) if process.poll() is None else []
                for pid in pids if draw.random() < 0.3 else draw.sample(pids, min(1, len(pids))):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            _, error = process.communicate(timeout=PATIENCE)
            if process.returncode == 0:  # it ended before the kill, so start again
                self.assertEqual(result(run), result(self.undisturbed), f"LONGBOW_SEED={SEED}")
                shutil.rmtree(run)
                continue
            self.assertEqual(process.returncode, 128 + signal.SIGKILL, f"LONGBOW_SEED={SEED}: {error}")
            self.expect_whole(run)
            kills += 1
        self.finish(run)

    def test_the_launcher_is_killed(self):
        run = FOLDER / "launcher"
        process = start(run, LONGBOW_FAILPOINT="train.update:10=hang")
        wait_for_updates(process, run, 8)
        pids = ranks_of(process)
        process.kill()
        process.communicate()
        wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), "the end of the ranks")
        self.finish(run)

    def test_told_to_stop_all_save_and_go_on(self):
        run = FOLDER / "stopped"
        process = start(run, LONGBOW_FAILPOINT=WAITS)
        wait_for_updates(process, run, 5)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, error)
        self.assertEqual(error.count("run the same command again"), 1, error)
        self.finish(run)

    def test_told_to_stop_while_rank_0_prepares_the_data(self):
        """The other ranks must wait for it, however long it takes, and learn that it was stopped."""
        text, folder = FOLDER / "long.txt", FOLDER / "preparing"
        text.write_text((FOLDER / "text.txt").read_text() * 20)
        arguments = (f"data.store={folder / 'store'}", f"data.train=[{text}]", f"data.valid=[{text}]")
        process = start(folder / "run", *arguments, LONGBOW_FAILPOINT="data.chunk@0=wait")
        wait_for(lambda: (folder / ".store.preparing").exists() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, error)
        self.assertFalse((folder / "store").exists(), error)

    def test_signals_come_to_no_thread_that_computes(self):
        """oneDNN's generated code does not survive a signal handler on its stack. Every thread must therefore block the
        signals, except one that waits for them."""
        process = start(FOLDER / "blocked", LONGBOW_FAILPOINT=WAITS)
        wait_for_updates(process, FOLDER / "blocked", 3)
        both = 1 << (signal.SIGINT - 1) | 1 << (signal.SIGTERM - 1)
        for pid in ranks_of(process):
            open_to_signals = 0
            for task in Path(f"/proc/{pid}/task").iterdir():
                try:
                    status = (task / "status").read_text()
                except OSError:
                    continue  # the thread has ended meanwhile
                blocked = int(next(line for line in status.splitlines() if line.startswith("SigBlk")).split()[1], 16)
                open_to_signals += blocked & both != both
            self.assertLessEqual(open_to_signals, 1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)

    def test_one_rank_told_to_stop_stops_all(self):
        run = FOLDER / "one-stopped"
        process = start(run, LONGBOW_FAILPOINT="train.update:9@1=wait")
        wait_for_updates(process, run, 5)
        os.kill(ranks_of(process)[1], signal.SIGTERM)
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, error)
        self.finish(run)

    def test_a_rank_that_hangs_is_found_and_named(self):
        run = FOLDER / "hang"
        process = start(run, *HUNG_AFTER, LONGBOW_FAILPOINT="train.update:6@1=hang")
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1, error)
        self.assertRegex(error, r"rank 0 .*update 6.*rank 1 \([^)]*\): update 5: optimizer")
        self.finish(run)

    def test_a_rank_that_stands_still_altogether(self):
        run = FOLDER / "still"
        process = start(run, *HUNG_AFTER, LONGBOW_FAILPOINT="train.update:6@1=freeze")
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1, error)
        self.assertRegex(error, r"rank 1 \([^)]*\): no response for")
        self.finish(run)

    def test_the_first_error_is_named_by_all(self):
        port = free_port()
        processes = []
        for rank in (0, 1):
            arguments = [LONGBOW, "train", "-c", FOLDER / "alibi.yaml", "--run-dir", FOLDER / "first-error",
                         "--threads", 1]
            if rank == 1:
                arguments.append("data.expect_vocab_size=999")
            variables = {**ENVIRONMENT, "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank),
                         "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            processes.append(subprocess.Popen([str(a) for a in arguments], env=variables, stdout=subprocess.PIPE,
                                              stderr=subprocess.PIPE, text=True))
        errors = [process.communicate(timeout=PATIENCE)[1] for process in processes]
        self.assertEqual([process.returncode for process in processes], [1, 4], errors)
        for error in errors:
            self.assertIn("data.expect_vocab_size says 999", error)
        self.assertIn("rank 1 failed", errors[0])

    def test_an_overflow_on_one_rank_is_everyones(self):
        run = FOLDER / "overflow"
        done = train(run, "--nproc", 2, "train.dtype=fp16", "train.loss_scale=1e8", "train.scaled_loss=sum",
                     "train.stop=30 updates", "train.max_bad_updates=100", "schedule.name=constant")
        self.assertEqual(done.returncode, 0, done.stderr)  # each save compares the ranks' weights
        self.assertGreater(json.loads((run / "checkpoints/last/state.json").read_text())["skipped_updates"], 0)

    def test_nan_on_one_rank_alone(self):
        """No rank may apply the update. The weights stay equal (each save compares them), and the run continues to its
        end."""
        run = FOLDER / "nan"
        process = start(run, LONGBOW_FAILPOINT="train.loss:6@1=spoil")
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, error)
        self.assertIn("update 6: the loss is not finite; the update is skipped", error)
        state = json.loads((run / "checkpoints/last/state.json").read_text())
        self.assertEqual((state["skipped_updates"], state["updates"]), (1, 40))

    def test_a_clock_that_jumps(self):
        """The time of day jumps back and forth by days (tests/tools/jumping_clock.cpp, preloaded); durations and
        timeouts must not depend on it."""
        run = FOLDER / "clock"
        process = start(run, LD_PRELOAD=os.environ["LONGBOW_JUMPING_CLOCK"])
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, error)
        self.assertEqual(result(run), result(self.undisturbed))
        times = [row["timing"]["time"] for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
                 if "timing" in row]
        self.assertGreater(max(times) - min(times), 40000, "the clock did not jump")
        self.assertTrue(any(b < a for a, b in zip(times, times[1:])), "the clock did not go back")

    def test_under_torchrun(self):
        """Without --standalone, which needs a machine on which "localhost" resolves, because a bare machine has no
        /etc/hosts."""
        try:
            import torch.distributed.run  # noqa: F401
        except ImportError:
            self.skipTest("torchrun is not installed")
        run = FOLDER / "torchrun"
        launcher = [sys.executable, "-m", "torch.distributed.run", "--master-addr", "127.0.0.1",
                    "--master-port", str(free_port()), "--nproc-per-node", "2", "--no-python"]
        done = subprocess.run([*launcher, LONGBOW, "train", "-c", str(FOLDER / "alibi.yaml"), "--run-dir", str(run),
                               "--threads", "1", "--device", "cpu", *SETTINGS], env=ENVIRONMENT, capture_output=True,
                              text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(result(run), result(self.undisturbed))


if __name__ == "__main__":
    unittest.main()
