"""Tests scripts/gpu_check with a program that stands in for longbow: what each verdict means, and that what ran out of
time is gone."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from patience import PATIENCE, wait_for

LONGBOW = pathlib.Path(os.environ["LONGBOW"])
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
CHECK = SOURCE / "scripts/gpu/check.py"
sys.path.insert(0, str(SOURCE / "scripts/gpu"))
sys.dont_write_bytecode = True

import peers  # noqa: E402
import shape  # noqa: E402
from running import NotRun, Result  # noqa: E402

TORCH = os.environ["LONGBOW_TORCH_ROOT"]

# It finds a GPU, and does what the test has put into the file WORD beside it, where it is called as `longbow WORD ..`.
STAND_IN = """#!/usr/bin/env bash
here=$(dirname "$0")
word=$1
case "$*" in
    --version) echo "longbow 0"; exit ;;
    "doctor --attention"*) word=attention ;;
    doctor) echo "ok    GPU         0: A card, compute capability $(cat "$here/capability"), 1.0 GiB"; exit ;;
esac
while [ $# -gt 1 ]; do
    case $1 in --run-dir) run=$2 ;; --device) device=$2 ;; esac
    shift
done
. "$here/$word"
"""
TRAINS = """mkdir -p "$run"
loss=10
for update in $(seq 20); do
    loss=$((loss + STEP))
    echo "{\\"event\\": \\"train\\", \\"update\\": $update, \\"loss\\": $loss}"
done >"$run/metrics.jsonl"
"""
STANDS_STILL = 'sleep 100000 & echo $! >"$here/child"; echo begun; wait;'


def is_running(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


class GpuCheck(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.library = pathlib.Path(folder.name) / "library.so"
        compiler = shutil.which("cc")
        if compiler is None:
            cls.library.symlink_to(LONGBOW.parent / "liblongbow_ops.so")  # loads slowly
        else:
            subprocess.run([compiler, "-shared", "-x", "c", os.devnull, "-o", cls.library], check=True)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.build = self.home / "build"
        self.build.mkdir()
        (self.build / "longbow").write_text(STAND_IN)
        (self.build / "longbow").chmod(0o755)
        for name in ("liblongbow_ops.so", "liblongbow_nccl.so"):
            (self.build / name).symlink_to(self.library)
        self.write("capability", "9.0")
        self.write("attention", "echo ok attention")
        self.write("prepare", "true")
        self.out = self.home / "out.json"

    def write(self, name, text):
        (self.build / name).write_text(text)

    def command(self, *arguments):
        # So much time that only what stands still runs out of it.
        return [sys.executable, "-B", CHECK, "--build", self.build, "--torch", TORCH, "--out", self.out, "--minutes",
                "600", *arguments]

    def check(self, *arguments, path=None):
        env = {**os.environ, **({} if path is None else {"PATH": path})}
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=PATIENCE, env=env)

    def parts(self):
        return {name: part["verdict"] for name, part in json.loads(self.out.read_text())["parts"].items()}

    def test_all_passed(self):
        done = self.check("--only", "doctor,operator")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.parts(), {"start": "passed", "doctor": "passed", "operator": "passed"})
        self.assertEqual(json.loads(self.out.read_text())["gpu"], "A card")

    def test_a_part_that_fails(self):
        self.write("attention", "echo 'dq 1.0'; exit 1")
        done = self.check("--only", "operator,doctor")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("dq 1.0", done.stdout)
        self.assertEqual(self.parts(), {"start": "passed", "doctor": "passed", "operator": "failed"})

    def test_a_symbol_that_is_missing(self):
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no compiler")
        library = self.build / "liblongbow_nccl.so"
        library.unlink()
        subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", library], check=True, text=True,
                       input="void longbow_is_nowhere(void); void call(void) { longbow_is_nowhere(); }")
        done = self.check("--only", "doctor")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("longbow_is_nowhere", done.stdout)
        self.assertEqual(self.parts(), {"start": "failed"})

    def test_no_gpu_and_an_old_one(self):
        self.write("capability", "7.5")
        done = self.check()
        self.assertEqual(done.returncode, 77, done.stdout)
        self.assertIn("A card is older than the kernels", done.stdout)
        self.assertEqual(self.parts(), {"start": "passed"})

    def test_out_of_time_ends_the_whole_group_and_is_no_pass(self):
        self.write("attention", STANDS_STILL)
        done = self.check("--only", "operator,resume", "--limit", "operator=10", "--limit", "resume=0")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertEqual(self.parts(), {"start": "passed", "operator": "out of time", "resume": "not run"})
        if (self.build / "child").exists():  # where the machine is slow, it did not come so far
            wait_for(lambda: not is_running(int((self.build / "child").read_text())), "the end of the child")

    def test_what_cannot_run_is_no_pass(self):
        done = self.check("--only", "doctor,sanitizer", path="/nowhere:/usr/bin:/bin")
        if self.parts()["sanitizer"] != "not run":
            self.skipTest("compute-sanitizer is installed")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn("compute-sanitizer is not installed", done.stdout)

    def sanitizer(self, text, *arguments):
        """Runs the part with a compute-sanitizer that does this."""
        tools = self.home / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "compute-sanitizer").write_text("#!/usr/bin/env bash\nhere=%s\n%s" % (self.build, text))
        (tools / "compute-sanitizer").chmod(0o755)
        done = self.check("--only", "sanitizer", *arguments, path=f"{tools}:/usr/bin:/bin")
        part = json.loads(self.out.read_text())["parts"]["sanitizer"]
        return done, part["verdict"], {row["tool"]: row["result"] for row in part["rows"]}

    def test_the_sanitizer_that_finds_nothing(self):
        done, verdict, rows = self.sanitizer('echo "ok attention beside fp64; ERROR SUMMARY: 0 errors"')
        self.assertEqual((done.returncode, verdict), (0, "passed"), done.stdout)
        self.assertEqual(rows, {"memcheck": 0, "racecheck": 0, "initcheck": 0})

    def test_the_sanitizer_that_finds_something_or_watches_nothing(self):
        for text in ('echo "beside fp64, ERROR SUMMARY: 0 errors"; [ "$2" != racecheck ] || exit 9',
                     'echo "Target application terminated before first instrumented API call"',
                     'echo "ERROR SUMMARY: 0 errors"'):
            with self.subTest(text):
                done, verdict, _ = self.sanitizer(text)
                self.assertEqual((done.returncode, verdict), (1, "failed"), done.stdout)

    def test_the_sanitizer_that_takes_too_long(self):
        done, verdict, rows = self.sanitizer(STANDS_STILL, "--limit", "sanitizer=9")
        self.assertEqual((done.returncode, verdict), (3, "out of time"), done.stdout)
        self.assertEqual(rows, {"memcheck": "out of time", "racecheck": "out of time", "initcheck": "out of time"})
        if (self.build / "child").exists():  # where the machine is slow, it did not come so far
            wait_for(lambda: not is_running(int((self.build / "child").read_text())), "the end of the child")

    def test_losses_that_differ(self):
        for step in (-2, 0):
            with self.subTest(step=step):
                self.write("train", f'STEP={step}; [ "$device" = cuda ] || STEP=-1\n{TRAINS}')
                done = self.check("--only", "training")
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertEqual(self.parts()["training"], "failed")
                self.assertIn("fp32 fused: losses differ from the CPU's", done.stdout)

    def test_losses_that_agree(self):
        self.write("train", "STEP=-1\n" + TRAINS)
        done = self.check("--only", "training")
        self.assertEqual(done.returncode, 0, done.stdout)
        rows = json.loads(self.out.read_text())["parts"]["training"]["rows"]
        self.assertEqual({row["run"] for row in rows},
                         {"fp32 fused", "fp32 sdpa", "bf16 fused", "bf16 sdpa", "fp16 fused", "fp16 sdpa",
                          "t5 recompute", "adaptive"})

    def test_a_check_that_is_ended_keeps_its_parts(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                self.end_with(number)

    def end_with(self, number):
        self.write("attention", STANDS_STILL)
        with subprocess.Popen(self.command("--only", "doctor,operator"), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            child = self.build / "child"
            wait_for(lambda: child.exists() and child.read_text().strip(), "the start of the part")
            self.assertEqual(self.parts(), {"start": "passed", "doctor": "passed"})
            process.send_signal(number)
            _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 128 + number)
        self.assertEqual(said, f"ended by {number.name}: what was found until now is in the JSON\n")
        self.assertEqual(self.parts(), {"start": "passed", "doctor": "passed", "operator": "not run"})
        wait_for(lambda: not is_running(int(child.read_text())), "the end of the child")
        child.unlink()

    def test_what_cannot_be_used(self):
        (self.build / "longbow").unlink()
        done = self.check()
        self.assertEqual(done.returncode, 2)
        self.assertIn("longbow is missing", done.stderr)
        done = self.check("--only", "speeed")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown part 'speeed'", done.stderr)

    def test_what_cannot_be_meant(self):
        for words, said in ((("--device", "gpu"), "'gpu' is not cpu, cuda or cuda:N"), (("--minutes", "0"), "no time"),
                            (("--limit", "doctor"), "'doctor' is not PART=SECONDS"),
                            (("--out", self.home), "cannot be written")):
            with self.subTest(words=words):
                done = self.check(*words)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(said, done.stderr)
                self.assertNotIn("passed", done.stdout)


class Peers(unittest.TestCase):
    ABSENT = {"name": "flash-attn", "not_run": "ModuleNotFoundError: No module named 'flash_attn'"}

    def test_a_part_without_any_peer_is_not_run(self):
        ours = {"name": "longbow fused", "ms": 1.0}
        with self.assertRaisesRegex(NotRun, "No module named 'flash_attn'"):
            peers.require_a_peer(Result(rows=[ours, self.ABSENT]))
        peers.require_a_peer(Result(rows=[ours, self.ABSENT, {"name": "sdpa", "ms": 1.0}]))

    def test_our_own_side_may_not_be_absent(self):
        result = Result(rows=[self.ABSENT, {"name": "longbow alibi", "not_run": "OutOfMemoryError"}])
        peers.require_ours(result)
        self.assertEqual(result.failures, ["longbow alibi: OutOfMemoryError"])

    def test_the_model_has_the_size_that_is_said(self):
        self.assertEqual(round(shape.parameters() / 1e6), 124)
        # 6 operations a weight and token, and 8 % more for attention.
        self.assertAlmostEqual(shape.flops(1024, 1024) / (6 * 1024 * shape.parameters()), 1.076, places=3)


if __name__ == "__main__":
    unittest.main()
