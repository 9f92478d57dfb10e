"""`longbow probe` on runs that were trained on text: fields of the rows, what is refused, and that a seed decides them."""
import json
import subprocess
import unittest

import train_case
from patience import PATIENCE
from train_case import LONGBOW, TrainCase


def setUpModule():
    train_case.set_up()


def tearDownModule():
    train_case.tear_down()


def probe(*words):
    return subprocess.run([LONGBOW, "probe", *map(str, words), "--threads", "1", "--device", "cpu"],
                          capture_output=True, text=True, timeout=PATIENCE)


class Probes(TrainCase):
    def rows(self, kind, *words):
        out = train_case.FOLDER / f"{self.id()}.jsonl"
        done = probe(kind, *words, "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("trained at length 16", done.stdout)
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        out.unlink()
        for row in rows:
            self.assertEqual((row["probe"], row["generator"], row["position"]), (kind, 1, "alibi"))
            for key in ("name", "train_length", "updates", "checkpoint", "config", "dtype", "items", "seed"):
                self.assertIn(key, row)
        return rows

    def test_context(self):
        text = ["--data", train_case.FOLDER / "store", "--items", "60"]
        rows = self.rows("context", train_case.BASE, *text)
        self.assertEqual([one["context"] for one in rows[0]["contexts"]], [2, 4, 8, 16, 32, 64, 128])
        self.assertEqual((rows[0]["items"], rows[0]["split"]), (60, "valid"))
        self.assertEqual(rows[0]["contexts"][3]["gain"], 0)
        self.assertLessEqual(rows[0]["effective_context"], rows[0]["effective_context_bound"])
        self.assertEqual(self.rows("context", train_case.BASE, *text), rows)
        self.assertNotEqual(self.rows("context", train_case.BASE, *text, "--seed", "2"), rows)
        self.assert_exit(probe("context", train_case.BASE, *text, "--contexts", "100000"), 2, "no target has 100000")

    def test_attention(self):
        rows = self.rows("attention", train_case.BASE, "--data", train_case.FOLDER / "store", "--items", "12",
                         "--length", "80")
        self.assertEqual([(row["layer"], row["head"]) for row in rows], [(0, 0), (0, 1)])
        for row in rows:
            for key in ("entropy", "entropy_beyond", "sinks", "near", "far"):
                low, high = row[key + "_ci"]
                self.assertTrue(0 <= low <= row[key] <= high <= 1.001, (key, row))
        # Of ALiBi's two heads the first has the steeper slope.
        self.assertLess(rows[0]["far"], rows[1]["far"])

    def test_keys(self):
        text = ["--data", train_case.FOLDER / "store"]
        self.assert_exit(probe("keys", train_case.BASE, *text), 2, "needs --evaluator RUN")
        self.assert_exit(probe("keys", train_case.BASE, *text, "--evaluator", train_case.BASE), 2, "evaluator itself")
        other = f"{train_case.BASE}@last"
        steps = sorted(path.name for path in (train_case.BASE / "checkpoints").glob("step-*"))
        self.assertGreater(len(steps), 1)
        first = train_case.BASE / "checkpoints" / steps[0]
        self.assert_exit(probe("keys", first, *text, "--evaluator", other), 2, "set --short, --long and --stride")
        rows = self.rows("keys", first, *text, "--evaluator", other, "--short", "2", "--long", "16", "--stride", "1")
        self.assertEqual((rows[0]["short"], rows[0]["long"], rows[0]["stride"]), (2, 16, 1))
        self.assertIsNone(rows[0]["seed"])
        self.assertLessEqual(rows[0]["items"], rows[0]["targets"])

    def test_what_cannot_be_meant_is_refused(self):
        self.assert_exit(probe("tasks", train_case.BASE), 2, "was trained on text and not on a task")
        # A vocabulary of words has no digits.
        self.assert_exit(probe("passkey", train_case.BASE, "--lengths", "200"), 4, "writes different numbers alike")


if __name__ == "__main__":
    unittest.main()
