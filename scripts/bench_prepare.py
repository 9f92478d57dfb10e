#!/usr/bin/env python3
"""Tests longbow prepare at size: 200 shards of every kind (plain text and JSON lines; plain, gzip, zstd, xz), about 500
MB of real and generated text.

Measures the peak of anonymous memory for a tenth of the text and for all of it, the rate with one thread and with two,
and whether a store that was killed five times at random moments, and resumed, has the bytes of one that was not. The
real text is the Austen corpus if data/corpora/austen (or --text FILE) has it. The exit status is 1 if a limit is
missed: memory within 10 %, two threads 1.7 times as fast as one, equal bytes.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

from shards import paragraphs, write_shards  # noqa: E402


def status(pid, key):
    """Returns a line of /proc/PID/status in KiB, or 0 if the process has ended."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


class Bench:
    def __init__(self, longbow, folder):
        self.longbow, self.folder = longbow, folder

    def command(self, files, out, threads):
        return [str(self.longbow), "prepare", "--tokenizer", f"bpe:{self.folder / 'vocabulary'}",
                "--train", *map(str, files), "--out", str(out), "--documents", "blank_line:1",
                "--threads", str(threads), "--quiet"]

    def run(self, files, out, threads):
        """Returns the seconds, and the peak of anonymous memory in KiB, polled every 5 ms."""
        shutil.rmtree(out, ignore_errors=True)
        start = time.monotonic()
        process = subprocess.Popen(self.command(files, out, threads), stdout=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            peak = max(peak, status(process.pid, "RssAnon"))
            time.sleep(0.005)
        if process.returncode != 0:
            raise SystemExit(f"error: prepare ended with {process.returncode}")
        return time.monotonic() - start, peak

    def run_killed(self, files, out, threads, seconds, kills, seed):
        """Kills the program `kills` times, each time after a random part of the time that a whole run would take, then
        lets it end. Returns how often it resumed."""
        rng = random.Random(seed)
        shutil.rmtree(out, ignore_errors=True)
        log = self.folder / "resumed.log"
        command = [word for word in self.command(files, out, threads) if word != "--quiet"]
        killed, resumed, tries = 0, 0, 0
        while True:
            tries += 1
            with log.open("w") as stderr:
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
            if killed < kills:
                try:
                    process.wait(rng.uniform(0.03, 0.9 / kills) * seconds)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            code = process.wait()
            resumed += "continuing from" in log.read_text()
            if code == 0:
                return killed, resumed
            if code != -signal.SIGKILL or tries > 10 * kills:
                raise SystemExit(f"error: prepare ended with {code}: {log.read_text()}")
            killed += 1


def contents_equal(a, b):
    names = sorted(os.listdir(a))
    return names == sorted(os.listdir(b)) and all(subprocess.run(["cmp", "-s", str(a / n), str(b / n)]).returncode == 0
                                                  for n in names)


def measure(longbow, megabytes=500, shards=200, rounds=2, text=None, folder=None, report=print):
    corpus = pathlib.Path(text) if text else ROOT / "data/corpora/austen/train.txt"
    with tempfile.TemporaryDirectory(prefix="longbow-bench-", dir=folder) as temporary:
        folder = pathlib.Path(temporary)
        bench = Bench(longbow, folder)
        pool = paragraphs(3000000, 1)
        if corpus.exists():
            pool += [p for p in corpus.read_text().split("\n\n") if p]
        started = time.monotonic()
        files, text_bytes = write_shards(folder / "shards", shards, megabytes * 1000000 // shards, pool)
        report(f"made {shards} shards of {text_bytes / 1e6:.0f} MB of text, "
               f"{sum(f.stat().st_size for f in files) / 1e6:.0f} MB on disk, in {time.monotonic() - started:.0f} s")
        subprocess.run([str(longbow), "prepare", "--tokenizer", "bpe", "--vocab-size", "8192",
                        "--train", *map(str, files[:8]), "--out", str(folder / "vocabulary"),
                        "--quiet"], check=True, stdout=subprocess.DEVNULL)
        _, small = bench.run(files[:shards // 10], folder / "small", 2)
        seconds, peaks = {1: [], 2: []}, []
        for _ in range(rounds):
            for threads in (1, 2):
                taken, peak = bench.run(files, folder / f"whole-{threads}", threads)
                seconds[threads].append(taken)
                if threads == 2:
                    peaks.append(peak)
        equal = contents_equal(folder / "whole-1", folder / "whole-2")
        one, two, large = min(seconds[1]), min(seconds[2]), max(peaks)
        killed, resumed = bench.run_killed(files, folder / "killed", 2, two, 5, seed=1)
        equal_killed = contents_equal(folder / "whole-1", folder / "killed")
        load = os.getloadavg()[0]
    row = {"benchmark": "prepare", "text_bytes": text_bytes, "shards": shards, "rss_anon_kib_tenth": small,
           "rss_anon_kib": large, "memory_ratio": large / small, "seconds_one_thread": seconds[1],
           "seconds_two_threads": seconds[2], "ratio": one / two, "mb_per_second": text_bytes / 1e6 / two,
           "threads_equal": equal, "killed": killed, "resumed": resumed, "killed_equal": equal_killed, "load": load}
    report(f"memory: {small / 1024:.1f} MiB for {text_bytes / 1e7:.0f} MB, {large / 1024:.1f} MiB for "
           f"{text_bytes / 1e6:.0f} MB of text ({large / small:.3f})")
    report(f"rate: {text_bytes / 1e6 / one:.1f} MB/s with one thread, {text_bytes / 1e6 / two:.1f} MB/s with two "
           f"({one / two:.2f} times); load of the machine {load:.1f}")
    report(f"killed {killed} times, went on {resumed} times: the store is {'the same' if equal_killed else 'ANOTHER'}; "
           f"one and two threads: {'the same' if equal else 'ANOTHER'}")
    row["passed"] = abs(large / small - 1) <= 0.1 and one / two >= 1.7 and equal and equal_killed and killed >= 5
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--longbow", default=str(ROOT / "build/release/longbow"))
    parser.add_argument("--megabytes", type=int, default=500, help="of text")
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2, help="the least time of each number of threads counts")
    parser.add_argument("--text", help="real text to draw from (default: the Austen corpus)")
    parser.add_argument("--dir", help="where the shards and stores are made for the time (default: the system's place)")
    options = parser.parse_args()
    row = measure(options.longbow, options.megabytes, options.shards, options.rounds, options.text, options.dir)
    print(json.dumps(row))
    return 0 if row["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
