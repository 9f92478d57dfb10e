"""A store, a run and rows of results.jsonl that version 0.1.0 wrote: this version must load them, and measure none of
the rows again.

Environment: LONGBOW (the binary), LONGBOW_SOURCE (the repository).
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

LONGBOW = os.environ["LONGBOW"]
GOLDEN = pathlib.Path(os.environ["LONGBOW_SOURCE"]) / "tests/golden/results_0_1"

# The evaluations that wrote the rows, in order.
EVALUATIONS = [
    ["--lengths", "8,16"],
    ["--lengths", "8", "--stride", "2"],
    ["--lengths", "8", "--protocol", "hf", "--dtype", "bf16"],
    ["--lengths", "8", "--within-documents", "--max-stream-tokens", "100", "--attention", "reference"],
]


class RowsOfBefore(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        shutil.copytree(GOLDEN, self.top, dirs_exist_ok=True)
        self.results = self.top / "run/results.jsonl"
        self.before = self.results.read_text()
        self.rows = [json.loads(line) for line in self.before.splitlines()]

    def eval(self, *arguments):
        done = subprocess.run([LONGBOW, "eval", "run@step=3", "--data", "store", "--threads", "1",
                               "--json", *arguments], cwd=self.top, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def test_no_row_is_measured_again(self):
        known = iter(self.rows)
        for arguments in EVALUATIONS:
            rows, said = self.eval(*arguments, "--data-set", "wikitext103")
            self.assertEqual(said.count("already in"), len(rows), said)
            for row in rows:
                self.assertEqual(row, next(known))
        self.assertIsNone(next(known, None))
        self.assertEqual(self.results.read_text(), self.before)

    def test_measured_again_it_has_the_same_numbers_and_keys(self):
        known = iter(self.rows)
        for arguments in EVALUATIONS:
            for row in self.eval(*arguments, "--again")[0]:
                old = next(known)
                # Only newer rows say where a BOS stands. Those of before had the protocol's own rule.
                self.assertEqual(row.pop("bos", None), "never" if row["protocol"] == "hf" else None)
                self.assertEqual(list(row), list(old))
                for key, value in old.items():
                    # Depend on the machine and the folder.
                    if key in ("tokens_per_second", "peak_memory_mb", "data_name"):
                        continue
                    if isinstance(value, float) and row["dtype"] != "bf16":
                        self.assertAlmostEqual(row[key], value, delta=1e-5 * abs(value))
                    elif not isinstance(value, (float, list)):
                        self.assertEqual(row[key], value, key)

    def test_other_settings_are_another_measurement(self):
        rows, said = self.eval("--lengths", "8", "--stride", "4")
        self.assertNotIn("already in", said)
        self.assertEqual(len(self.results.read_text().splitlines()), len(self.rows) + 1)
        self.assertEqual(rows[0]["config"], self.rows[0]["config"])


if __name__ == "__main__":
    unittest.main()
