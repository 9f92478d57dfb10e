"""Trains on two hosts, made as network namespaces of this machine, and pulls the cable between them. Needs root and
`ip`; skipped without them."""
import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from patience import PATIENCE, wait_for
from ranks_case import ENVIRONMENT, FOLDER, LONGBOW, make_corpus, remove_corpus, train

HOSTS = (f"lb{os.getpid()}a", f"lb{os.getpid()}b")
SETTINGS = ("train.dtype=fp32", "checkpoint.every=20 updates", "schedule.name=constant", "dist.timeout=20",
            "dist.shard_optimizer=true", "eval.every=1000000 updates")


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=check)


def setUpModule():
    if os.geteuid() != 0 or shutil.which("ip") is None or ip("netns", "add", HOSTS[0], check=False).returncode != 0:
        print("network namespaces cannot be made here", file=sys.stderr)
        sys.exit(77)
    ip("netns", "add", HOSTS[1])
    ip("link", "add", "lba", "netns", HOSTS[0], "type", "veth", "peer", "name", "lbb", "netns", HOSTS[1])
    for host, card, address in ((HOSTS[0], "lba", "10.77.0.1/24"), (HOSTS[1], "lbb", "10.77.0.2/24")):
        ip("-n", host, "addr", "add", address, "dev", card)
        ip("-n", host, "link", "set", card, "up")
        ip("-n", host, "link", "set", "lo", "up")
    make_corpus()


def tearDownModule():
    for host in HOSTS:
        ip("netns", "del", host, check=False)
    remove_corpus()


def start(run, *arguments):
    """Starts one rank per host; they meet at the first host's address."""
    processes = []
    for rank, host in enumerate(HOSTS):
        variables = {**ENVIRONMENT, "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
                     "MASTER_ADDR": "10.77.0.1", "MASTER_PORT": "29500"}
        command = ["ip", "netns", "exec", host, LONGBOW, "train", "-c", str(FOLDER / "alibi.yaml"),
                   "--run-dir", str(run), "--threads", "1", *SETTINGS, *arguments]
        processes.append(subprocess.Popen(command, env=variables, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, text=True))
    return processes


def reached(run):
    """Returns the update of the run's last checkpoint. Checkpoints are written in the background, so metrics.jsonl may
    be far ahead."""
    try:
        return int(Path(os.readlink(run / "checkpoints/last")).name.split("-")[1])
    except FileNotFoundError:
        return 0


class Network(unittest.TestCase):
    def test_a_cable_pulled_ends_both_and_a_restart_goes_on(self):
        run = FOLDER / "cable"
        processes = start(run, "train.stop=1000000000 updates")  # only the pulled cable ends this run
        wait_for(lambda: reached(run) >= 20 or any(process.poll() is not None for process in processes))
        ip("-n", HOSTS[0], "link", "set", "lba", "down")
        errors = [process.communicate(timeout=PATIENCE)[1] for process in processes]
        for rank, process in enumerate(processes):
            self.assertNotEqual(process.returncode, 0, errors[rank])
            self.assertRegex(errors[rank], rf"rank {1 - rank} \([^)]*\): no response for", errors[rank])
        ip("-n", HOSTS[0], "link", "set", "lba", "up")
        self.assertGreaterEqual(reached(run), 20)
        stop = f"train.stop={reached(run) + 15} updates"
        again = start(run, stop)
        done = [process.communicate(timeout=PATIENCE)[1] for process in again]
        self.assertEqual([process.returncode for process in again], [0, 0], done)
        self.assertIn("continuing from", done[0])
        one = FOLDER / "one-host"
        whole = train(one, "--nproc", 2, *SETTINGS, stop)
        self.assertEqual(whole.returncode, 0, whole.stderr)
        name = "checkpoints/last/model.safetensors"
        self.assertEqual((run / name).read_bytes(), (one / name).read_bytes())


if __name__ == "__main__":
    unittest.main()
