"""`longbow eval`, `compare`, `report`, `inspect plan` on the real binary (environment: LONGBOW): rows are kept and not measured twice, a
stopped evaluation goes on with the same bits, and what cannot be done is refused before any work."""
import array
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

LONGBOW = os.environ["LONGBOW"]
CONFIG = """\
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
position: {method: METHOD}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: store, train: [train.txt], valid: [valid.txt]}
train: {length: 16, batch: 4, stop: 5 updates, deterministic: true}
log: {every: 1 updates}
"""
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n"


class Eval(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longbow-eval-")
        cls.home = pathlib.Path(cls.folder.name)
        (cls.home / "train.txt").write_text(TEXT * 60)
        (cls.home / "valid.txt").write_text(TEXT[::-1] * 40 + TEXT * 20)
        for method in ("alibi", "sinusoidal", "learned"):
            (cls.home / f"{method}.yaml").write_text(CONFIG.replace("METHOD", method))
            cls.run_ok("train", "-c", f"{method}.yaml", "--run-dir", f"runs/{method}")
        (cls.home / "other.txt").write_text("Quite another text, with other words and another vocabulary.\n" * 80)
        cls.run_ok("prepare", "--tokenizer", "bpe", "--vocab-size", "290", "--train", "other.txt", "--valid", "other.txt", "--out", "other")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def run_any(cls, *arguments):
        return subprocess.run([LONGBOW, *map(str, arguments), "--threads", "1"], cwd=cls.home, capture_output=True, text=True)

    @classmethod
    def run_ok(cls, *arguments):
        done = cls.run_any(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuse(self, code, mention, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(mention, done.stderr)
        self.assertEqual(done.stdout, "")

    def evaluate(self, run, out, *arguments):
        return [json.loads(line) for line in self.run_ok("eval", f"runs/{run}", "--data", "store", "--out", out, "--json", *arguments).splitlines()]

    def test_rows_are_kept_and_not_measured_again(self):
        first = self.evaluate("alibi", "kept.jsonl", "--lengths", "16,64")
        self.assertEqual([row["length"] for row in first], [16, 64])
        kept = (self.home / "kept.jsonl").read_text()
        self.assertEqual([json.loads(line) for line in kept.splitlines()], first)
        self.assertEqual(self.evaluate("alibi", "kept.jsonl", "--lengths", "64,16"), first[::-1])
        self.assertEqual((self.home / "kept.jsonl").read_text(), kept)
        self.evaluate("alibi", "kept.jsonl", "--lengths", "64", "--stride", "32")
        self.evaluate("alibi", "kept.jsonl", "--lengths", "64", "--again")
        rows = [json.loads(line) for line in (self.home / "kept.jsonl").read_text().splitlines()]
        self.assertEqual([(row["length"], row["stride"]) for row in rows], [(16, 16), (64, 64), (64, 32), (64, 64)])
        self.assertEqual(rows[3]["nll"], rows[1]["nll"])
        for key in ("position", "train_length", "ppl_ci", "bits_per_byte", "words", "ppl_per_word", "nll_by_position", "tokens_per_second", "peak_memory_mb", "visited_fraction",
                    "checkpoint", "data", "tokenizer", "config"):
            self.assertTrue(rows[0][key], key)

    def test_default_place_and_table(self):
        table = self.run_ok("eval", "runs/sinusoidal", "--data", "store", "--lengths", "16")
        self.assertIn("ppl/word", table)
        self.assertEqual(len((self.home / "runs/sinusoidal/results.jsonl").read_text().splitlines()), 1)

    def test_text_needs_no_store(self):
        row = json.loads(self.run_ok("eval", "runs/alibi", "--text", "valid.txt", "--lengths", "16", "--json", "--out", "text.jsonl"))
        stored = self.evaluate("alibi", "text-store.jsonl", "--lengths", "16")[0]
        self.assertEqual((row["nll"], row["data"], row["split"]), (stored["nll"], stored["data"], "text"))

    def test_another_attention_than_it_was_trained_with(self):
        """The same model to rounding, and a row of its own; what cannot serve says so."""
        fused, = self.evaluate("alibi", "attention.jsonl", "--lengths", 32)
        sdpa, = self.evaluate("alibi", "attention.jsonl", "--lengths", 32, "--attention", "sdpa")
        self.assertAlmostEqual(sdpa["nll"], fused["nll"], delta=1e-6)
        self.assertNotEqual(sdpa["config"], fused["config"])
        self.assertEqual(len((self.home / "attention.jsonl").read_text().splitlines()), 2)
        self.refuse(2, "--attention", "eval", "runs/alibi", "--data", "store", "--lengths", 32, "--attention", "flash")
        self.refuse(3, "fused", "eval", "runs/alibi", "--data", "store", "--lengths", 32, "--attention", "fused", "--dtype", "fp64")

    def test_token_logprobs_of_several_lengths(self):
        rows = self.evaluate("alibi", "lp.jsonl", "--lengths", "16,32", "--token-logprobs", "lp-{length}.npy")
        for row in rows:
            blob = (self.home / f"lp-{row['length']}.npy").read_bytes()
            self.assertEqual(blob[:6], b"\x93NUMPY")
            size = 10 + int.from_bytes(blob[8:10], "little")
            self.assertEqual(size % 64, 0)
            values = array.array("f", blob[size:])
            self.assertEqual(len(values), row["tokens"])
            self.assertAlmostEqual(-sum(values) / len(values), row["nll"], places=5)

    def test_a_stopped_evaluation_goes_on(self):
        arguments = ["--lengths", "256", "--stride", "1", "--max-tokens", "256"]
        whole = self.evaluate("alibi", "whole.jsonl", *arguments, "--token-logprobs", "whole.npy")[0]
        resumable = ["eval", "runs/alibi", "--data", "store", "--out", "stopped.jsonl", "--token-logprobs", "stopped.npy", *arguments]
        for _ in range(2):
            process = subprocess.Popen([LONGBOW, *resumable, "--threads", "1"], cwd=self.home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            while "windows" not in process.stderr.readline():  # the first pass is about to begin
                self.assertIsNone(process.poll())
            time.sleep(0.2)  # any moment will do: the result must not depend on it
            process.send_signal(signal.SIGTERM)
            message = process.communicate()[1]
            self.assertEqual(process.returncode, 75, message)
            self.assertIn("run the same command again", message)
        self.assertEqual(len(list(self.home.glob(".eval-*.partial"))), 1)
        self.run_ok(*resumable)
        resumed = json.loads((self.home / "stopped.jsonl").read_text())
        self.assertEqual(resumed["nll"], whole["nll"])
        self.assertEqual((self.home / "stopped.npy").read_bytes(), (self.home / "whole.npy").read_bytes())
        self.assertEqual(list(self.home.glob(".eval-*")), [])

    def test_refusals(self):
        base = ("eval", "runs/alibi", "--data", "store")
        self.refuse(5, "nowhere", "eval", "runs/nowhere", "--data", "store", "--lengths", "16")
        self.refuse(2, "--lengths", *base, "--lengths", "0")
        self.refuse(2, "did you mean 'paper'", *base, "--lengths", "16", "--protocol", "papr")
        self.refuse(2, "stride", *base, "--lengths", "16", "--stride", "17")
        self.refuse(2, "no stride", *base, "--lengths", "16", "--stride", "8", "--protocol", "lm-eval")
        self.refuse(2, "either --data", "eval", "runs/alibi", "--lengths", "16")
        self.refuse(2, "{length}", *base, "--lengths", "16,32", "--token-logprobs", "x.npy")
        self.refuse(4, "another tokenizer", "eval", "runs/alibi", "--data", "other", "--lengths", "16")
        self.refuse(4, "test", *base, "--lengths", "16", "--split", "test")
        self.refuse(1, "no/such", *base, "--lengths", "16", "--out", "no/such/results.jsonl")
        self.refuse(4, "missing.txt", "eval", "runs/alibi", "--text", "missing.txt", "--lengths", "16")

    def test_a_length_past_a_learned_table_is_refused_before_any_work(self):
        self.refuse(2, "learned", "eval", "runs/learned", "--data", "store", "--lengths", "16,100000", "--out", "learned.jsonl")
        self.assertFalse((self.home / "learned.jsonl").exists())

    def test_compare(self):
        for run in ("alibi", "sinusoidal"):
            self.evaluate(run, f"compare-{run}.jsonl", "--lengths", "16,64")
        out = self.run_ok("compare", "compare-alibi.jsonl", "compare-sinusoidal.jsonl", "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        a, b = ([json.loads(line) for line in (self.home / f"compare-{run}.jsonl").read_text().splitlines()] for run in ("alibi", "sinusoidal"))
        self.assertEqual([row["length"] for row in rows], [16, 64])
        for row, left, right in zip(rows, a, b):
            self.assertAlmostEqual(row["difference"], right["nll"] - left["nll"], places=9)
            self.assertLessEqual(row["ci"][0], row["difference"])
            self.assertGreaterEqual(row["ci"][1], row["difference"])
        self.refuse(4, "share no length", "compare", "compare-alibi.jsonl", "compare-sinusoidal.jsonl", "--lengths", "128")
        changed = dict(b[0], data="xxh3:0")
        (self.home / "changed.jsonl").write_text(json.dumps(changed) + "\n")
        self.refuse(4, "different data", "compare", "compare-alibi.jsonl", "changed.jsonl")
        # The same text under another tokenizer: per byte only. Half as many tokens, each twice the loss, are the same text.
        other = dict(a[0], data="xxh3:1", tokenizer="xxh3:2")
        (self.home / "other.jsonl").write_text(json.dumps(other) + "\n")
        self.refuse(4, "--per byte", "compare", "compare-alibi.jsonl", "other.jsonl", "--per", "token")
        same = json.loads(self.run_ok("compare", "compare-alibi.jsonl", "other.jsonl", "--json"))
        self.assertEqual(same["per"], "byte")
        self.assertAlmostEqual(same["difference"], 0, places=9)

    def test_report(self):
        for run in ("alibi", "sinusoidal"):
            self.evaluate(run, f"runs/{run}/results.jsonl", "--lengths", "16,64")
        text = self.run_ok("report", "runs/alibi", "runs/sinusoidal")
        self.assertIn("| ALiBi | 16 |", text)
        self.assertIn("ppl(64) / ppl(16)", text)
        for form, start in (("csv", "model,"), ("latex", "%"), ("json", "["), ("html", "<!DOCTYPE html>")):
            self.run_ok("report", "runs/alibi", "--format", form, "--out", f"report.{form}")
            self.assertTrue((self.home / f"report.{form}").read_text().startswith(start))
        page = (self.home / "report.html").read_text()
        self.assertIn("Training", page)
        self.assertIn("train.length", page)
        self.refuse(4, "no such file", "report", "nothing")

    def test_inspect_plan(self):
        out = self.run_ok("inspect", "plan", "--tokens", "1000", "--lengths", "64", "--stride", "16", "--json")
        plan = json.loads(out)
        self.assertEqual(len(plan["windows"]), 63)
        self.assertEqual(plan["windows"][10], {"begin": 112, "end": 176, "score_begin": 160, "boundary_first": False})
        self.assertIn("1,000 targets scored", self.run_ok("inspect", "plan", "--tokens", "1000", "--lengths", "64"))


if __name__ == "__main__":
    unittest.main()
