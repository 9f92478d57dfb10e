"""Tests scripts/bench: what it builds, what it refuses, and what it writes into docs/benchmarks.md."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
sys.path.insert(0, str(SOURCE / "scripts"))
sys.dont_write_bytecode = True

import bench_docs  # noqa: E402

from patience import PATIENCE

INTRO = "# Benchmarks\n\nWhat this is.\n"


def train_row(dtype="fp32", ours=2000.0, compiled=None):
    row = {"benchmark": "train", "dtype": dtype, "threads": 2, "ratio": 2.0, "longbow_tokens_per_second": ours,
           "pytorch_eager_tokens_per_second": 1000.0, "pytorch_compiled_tokens_per_second": compiled,
           "rounds": {"longbow_ms": [1.0]}}
    return {**row, "not_measured": {"pytorch_compiled": "no compiler"}} if compiled is None else row


def report(rows, date="2026-01-02", commit="abc"):
    return {"date": date, "commit": commit, "cpu": "A CPU", "cores": 2, "results": rows}


class Bench(unittest.TestCase):
    def bench(self, *arguments):
        return subprocess.run([sys.executable, "-B", str(SOURCE / "scripts/bench.py"), *arguments], capture_output=True,
                              text=True, timeout=PATIENCE)

    def needs(self, *names):
        return self.bench("--needs", *names).stdout.split("\n")[:2]

    def test_builds_what_is_measured_and_nothing_else(self):
        self.assertEqual(self.needs("train"), ["longbow", "bench"])
        self.assertEqual(self.needs("train-long", "--threads", "1"), ["longbow", "bench"])
        self.assertEqual(self.needs("attention"), ["longbow_ops", ""])
        self.assertEqual(self.needs("adaptive", "tokenizer"), ["adaptive_head tokenizer_tool", "tests"])
        self.assertEqual(self.needs("public"), ["longbow tokenizer_tool", "tests"])
        self.assertEqual(self.needs("public-import"), ["longbow", ""])
        self.assertEqual(self.needs(), ["adaptive_head longbow longbow_ops tokenizer_tool", "bench tests"])

    def test_refuses_before_any_work(self):
        for arguments, message in ((("trane",), "unknown benchmark 'trane'"), (("train", "--rounds", "0"), "above 0")):
            answer = self.bench("--needs", *arguments)
            self.assertEqual(answer.returncode, 2)
            self.assertIn(message, answer.stderr)

    def test_a_section_says_day_machine_and_commit(self):
        page = bench_docs.added(INTRO, report([train_row()]))
        self.assertTrue(page.startswith(INTRO + "\n## 2026-01-02: A CPU, 2 cores, commit abc\n"), page)
        self.assertIn("| `train`, fp32, 2 threads | 2,000 | 1,000 | not measured | 2.00x |", page)
        self.assertIn("torch.compile could not compile for `train` in fp32: no compiler.", page)
        kept = json.loads(page.split("```json\n")[1].split("\n```")[0])
        self.assertEqual(kept["longbow_tokens_per_second"], 2000.0)
        self.assertNotIn("rounds", kept)

    def test_newest_first_and_what_is_measured_again_replaces(self):
        page = bench_docs.added(INTRO, report([train_row(), {"benchmark": "ranks", "ratio": 1.5}]))
        page = bench_docs.added(page, report([train_row("bf16", 4000.0, 900.0)], date="2026-01-03", commit="def"))
        self.assertEqual([line[:13] for line in page.splitlines() if line.startswith("## ")],
                         ["## 2026-01-03", "## 2026-01-02"])
        again = bench_docs.added(page, report([train_row(ours=3000.0)]))
        self.assertEqual([line[:13] for line in again.splitlines() if line.startswith("## ")],
                         ["## 2026-01-02", "## 2026-01-03"])
        self.assertIn("| 3,000 |", again)
        self.assertNotIn("| 2,000 |", again)
        self.assertIn('{"benchmark": "ranks", "ratio": 1.5}', again)
        self.assertEqual(again.count("```json"), 2)
        self.assertEqual(bench_docs.added(again, report([train_row(ours=3000.0)])), again)

    def test_the_compiled_peer_shares_no_cache_with_killed_runs(self):
        """Replaces PyTorch by a module that prints which cache folder it was given: it must exist while the peer runs,
        belong to that run alone, and be gone afterwards."""
        with tempfile.TemporaryDirectory() as folder:
            modules, shared = pathlib.Path(folder) / "modules", pathlib.Path(folder) / "shared"
            (modules / "torch/nn").mkdir(parents=True)
            shared.mkdir()
            (modules / "torch/__init__.py").write_text("def set_num_threads(count): pass\n"
                                                       "def manual_seed(seed): pass\n")
            (modules / "torch/nn/functional.py").touch()
            (modules / "torch/nn/__init__.py").write_text("""import os
class Module: pass
def Embedding(*sizes):
    folder = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    raise RuntimeError(f"{os.path.isdir(folder)} {folder}")
""")
            environment = {**os.environ, "PYTHONPATH": str(modules), "TORCHINDUCTOR_CACHE_DIR": str(shared),
                           "TMPDIR": folder}
            answer = subprocess.run([sys.executable, "-B", str(SOURCE / "scripts/bench_step.py"), "--compile"],
                                    env=environment, capture_output=True, text=True, timeout=PATIENCE)
            first, was_there, cache = answer.stdout.split()
            self.assertEqual((first, was_there), ("unavailable:", "True"), answer.stderr)
            self.assertNotEqual(pathlib.Path(cache), shared)
            self.assertEqual(sorted(entry.name for entry in pathlib.Path(folder).iterdir()), ["modules", "shared"])

    def test_the_page_itself_can_be_added_to(self):
        page = (SOURCE / "docs/benchmarks.md").read_text()
        longer = bench_docs.added(page, report([train_row()], date="2100-01-01"))
        self.assertEqual(longer.count("\n## "), page.count("\n## ") + 1)
        self.assertIn("## 2100-01-01", longer)


if __name__ == "__main__":
    unittest.main()
