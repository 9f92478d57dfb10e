"""Tests `longbow eval`, `compare`, `report` and `inspect plan` on the real binary (environment: LONGBOW): rows are kept
and not measured twice, a stopped evaluation continues to the same bits, and what cannot be done is refused before any
work."""
import array
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from patience import wait_for

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
        cls.run_ok("prepare", "--tokenizer", "bpe", "--vocab-size", "290", "--train", "other.txt",
                   "--valid", "other.txt", "--out", "other")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def run_any(cls, *arguments):
        return subprocess.run([LONGBOW, *map(str, arguments), "--threads", "1"], cwd=cls.home,
                              capture_output=True, text=True)

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
        return [json.loads(line) for line in self.run_ok("eval", f"runs/{run}", "--data", "store", "--out", out,
                                                         "--json", *arguments).splitlines()]

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
        for key in ("position", "train_length", "ppl_ci_method", "blocks", "bits_per_byte", "words", "ppl_per_word",
                    "nll_by_position", "tokens_per_second", "peak_memory_mb", "visited_fraction",
                    "checkpoint", "data", "tokenizer", "config"):
            self.assertTrue(rows[0][key], key)

    def test_a_row_carries_the_name_of_its_data_set(self):
        plain, = self.evaluate("alibi", "named.jsonl", "--lengths", 16)
        self.assertNotIn("data_set", plain)
        again, = self.evaluate("alibi", "named.jsonl", "--lengths", 16, "--data-set", "wikitext103")
        self.assertEqual(again, plain, "a row without a name is of any")
        named, = self.evaluate("alibi", "named.jsonl", "--lengths", 16, "--data-set", "wikitext103", "--again")
        self.assertEqual((named["data_set"], named["nll"]), ("wikitext103", plain["nll"]))
        shutil.copytree(self.home / "store", self.home / "cc100/store")
        self.addCleanup(shutil.rmtree, self.home / "cc100")
        rows = self.run_ok("eval", "runs/alibi", "--data", "cc100/store", "--out", "by-path.jsonl",
                           "--lengths", 16, "--json")
        self.assertEqual(json.loads(rows)["data_set"], "cc100")
        self.refuse(2, "--data-set", "eval", "runs/alibi", "--data", "store", "--lengths", 16,
                    "--data-set", "two\nlines")

    def test_default_place_and_table(self):
        table = self.run_ok("eval", "runs/sinusoidal", "--data", "store", "--lengths", "16")
        self.assertIn("ppl/word", table)
        self.assertEqual(len((self.home / "runs/sinusoidal/results.jsonl").read_text().splitlines()), 1)

    def test_text_needs_no_store(self):
        row = json.loads(self.run_ok("eval", "runs/alibi", "--text", "valid.txt", "--lengths", "16", "--json",
                                     "--out", "text.jsonl"))
        stored = self.evaluate("alibi", "text-store.jsonl", "--lengths", "16")[0]
        self.assertEqual((row["nll"], row["data"], row["split"]), (stored["nll"], stored["data"], "text"))

    def test_another_attention_than_it_was_trained_with(self):
        """The loss must be the same up to rounding, in a row of its own. A back-end that cannot serve is an error."""
        fused, = self.evaluate("alibi", "attention.jsonl", "--lengths", 32)
        sdpa, = self.evaluate("alibi", "attention.jsonl", "--lengths", 32, "--attention", "sdpa")
        self.assertAlmostEqual(sdpa["nll"], fused["nll"], delta=1e-6)
        self.assertNotEqual(sdpa["config"], fused["config"])
        self.assertEqual(len((self.home / "attention.jsonl").read_text().splitlines()), 2)
        self.refuse(2, "--attention", "eval", "runs/alibi", "--data", "store", "--lengths", 32, "--attention", "flash")
        self.refuse(3, "fused", "eval", "runs/alibi", "--data", "store", "--lengths", 32, "--attention", "fused",
                    "--dtype", "fp64")

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

    def test_several_runs_and_seeds(self):
        """There is one row per run and length, all in --out or each in its own run, with the numbers that the run has
        alone."""
        alone = {run: self.evaluate(run, "alone.jsonl", "--lengths", "16,32") for run in ("alibi", "sinusoidal")}
        out = self.run_ok("eval", "runs/alibi", "runs/sinusoidal@last", "runs/alibi",
                          "--data", "store", "--lengths", "16,32", "--json", "--out", "both.jsonl",
                          "--token-logprobs", "lp-{run}-{length}.npy")
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([row["nll"] for row in rows], [row["nll"] for run in alone for row in alone[run]])
        self.assertEqual([json.loads(line) for line in (self.home / "both.jsonl").read_text().splitlines()], rows)
        self.assertEqual(sorted(path.name for path in self.home.glob("lp-*-16.npy")),
                         ["lp-alibi-16.npy", "lp-sinusoidal-16.npy"])
        self.run_ok("train", "-c", "alibi.yaml", "train.seeds=[1,2]", "--run-dir", "runs/seeds", "data.store=store")
        table = self.run_ok("eval", "runs/seeds", "--data", "store", "--lengths", "16,64")
        self.assertEqual(table.count("trained at length 16"), 2)
        for seed in (1, 2):
            kept = [json.loads(line)
                    for line in (self.home / f"runs/seeds/seed-{seed}/results.jsonl").read_text().splitlines()]
            self.assertEqual([(row["seed"], row["length"]) for row in kept], [(seed, 16), (seed, 64)])
        steps = [json.loads(line) for line in self.run_ok("eval", "runs/seeds@step=0", "--data", "store", "--lengths",
                                                          "16", "--json", "--out", "zero.jsonl").splitlines()]
        self.assertEqual([(row["seed"], row["updates"]) for row in steps], [(1, 0), (2, 0)])
        text = self.run_ok("eval", "runs/seeds", "runs/alibi", "--text", "valid.txt", "--lengths", "16", "--json",
                           "--out", "texts.jsonl")
        self.assertEqual(json.loads(text.splitlines()[2])["nll"], alone["alibi"][0]["nll"])
        self.refuse(2, "{run}", "eval", "runs/alibi", "runs/sinusoidal", "--data", "store", "--lengths", "16",
                    "--token-logprobs", "x.npy")
        self.refuse(2, "seed-1", "eval", "runs/seeds/seed-1@step=0", "runs/seeds/seed-1@last", "--data", "store",
                    "--lengths", "16", "--token-logprobs", "{run}.npy")

    def test_a_path_is_a_run_whatever_its_name(self):
        for name in ("a@b", "a@last", "k=v"):
            shutil.copytree(self.home / "runs/alibi", self.home / name, symlinks=True)
            row = json.loads(self.run_ok("eval", name, "--data", "store", "--lengths", "16", "--json", "--again"))
            self.assertEqual(row["name"], name)
            self.assertTrue((self.home / name / "results.jsonl").exists())
        row = json.loads(self.run_ok("eval", "a@b@last", "--data", "store", "--lengths", "16", "--json", "--again"))
        self.assertEqual(row["name"], "a@b")

    def test_all_runs_are_checked_before_the_first_is_measured(self):
        shutil.copytree(self.home / "runs/alibi", self.home / "runs/damaged", symlinks=True)
        weights = next((self.home / "runs/damaged/checkpoints").glob("step-*5/model.safetensors"))
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")
        base = ("--data", "store", "--lengths", "16,1000", "--out", "checked.jsonl")
        self.refuse(5, "runs/damaged", "eval", "runs/alibi", "runs/damaged", *base)
        self.refuse(2, "learned", "eval", "runs/alibi", "runs/learned", *base)
        self.refuse(5, "nowhere", "eval", "runs/alibi", "runs/nowhere", *base)
        self.assertFalse((self.home / "checked.jsonl").exists())

    def test_a_stopped_evaluation_goes_on(self):
        arguments = ["--lengths", "256", "--stride", "1", "--max-tokens", "256"]
        whole = self.evaluate("alibi", "whole.jsonl", *arguments, "--token-logprobs", "whole.npy")[0]
        resumable = ["eval", "runs/alibi", "--data", "store", "--out", "stopped.jsonl",
                     "--token-logprobs", "stopped.npy", *arguments]
        for batch in (3, 40):  # the signal comes before this batch, or while the evaluation waits at it
            process = subprocess.Popen([LONGBOW, *resumable, "--threads", "1"], cwd=self.home,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, "LONGBOW_FAILPOINT": f"eval.batch:{batch}=wait"})
            while "windows" not in process.stderr.readline():  # the first pass is about to begin
                self.assertIsNone(process.poll())
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

    def test_a_stopped_analysis_goes_on(self):
        arguments = ["analyze", "early-token", "runs/alibi", "runs/sinusoidal", "--data", "store",
                     "--lengths", "64,256", "--stride", "1", "--json"]
        whole = self.run_ok(*arguments, "--out", "analysis")
        self.assertEqual([one["name"] for one in json.loads(whole)], ["alibi", "sinusoidal"])
        self.assertEqual(json.loads((self.home / "analysis/sinusoidal/early-token.json").read_text()),
                         json.loads(whole)[1])
        # The first of eight evaluations is one batch. The signal comes while a later one waits.
        process = subprocess.Popen([LONGBOW, *arguments, "--threads", "1"], cwd=self.home,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "LONGBOW_FAILPOINT": "eval.batch:5=wait"})
        wait_for(lambda: process.poll() is not None or list((self.home / "runs/alibi").glob(".analyze-*.partial")))
        process.send_signal(signal.SIGTERM)
        stdout, message = process.communicate()
        self.assertEqual((process.returncode, stdout), (75, ""), message)
        self.assertIn("run the same command again", message)
        again = self.run_any(*arguments)
        self.assertEqual((again.returncode, again.stdout), (0, whole), again.stderr)
        self.assertRegex(again.stderr, r"length 64, stride 64: continuing after ([\d,]+) of \1 tokens")
        self.assertEqual([path for run in ("alibi", "sinusoidal")
                          for path in (self.home / "runs" / run).glob(".analyze-*")], [])

    def test_a_dry_run_tells_the_time_and_writes_nothing(self):
        shutil.copytree(self.home / "runs/alibi", self.home / "dry", symlinks=True)
        before = sorted(self.home.rglob("*"))
        for verb, mention in ((("eval", "dry", "runs/sinusoidal"),
                               r"(?m)^ +64 +64 +\d+ +\d[\d,]+ +\S+ +[\d.]+ (s|min|h)$"),
                              (("analyze", "early-token", "dry", "--out", "dry-out"),
                               r"(?m)^ +64 +4 +[\d,]+ +\d[\d,]+ +\S+ +[\d.]+ (s|min|h)$")):
            out = self.run_ok(*verb, "--data", "store", "--lengths", "16,64", "--dry-run")
            self.assertRegex(out, mention)
            self.assertRegex(out, r"in all about [\d.]+ (s|min|h) on this machine \(cpu, 1 threads\)")
            out = self.run_ok(*verb, "--data", "nowhere", "--lengths", "16,64", "--dry-run")
            self.assertIn("nowhere does not exist yet", out)
            self.assertIn("1,000,000", out)
        self.assertEqual(sorted(self.home.rglob("*")), before)
        self.run_ok("eval", "dry", "--data", "store", "--lengths", "16")
        self.assertRegex(self.run_ok("eval", "dry", "--data", "store", "--lengths", "16,64", "--dry-run"),
                         r"(?m)^ +16 .* done$")
        self.refuse(5, "nowhere", "eval", "runs/nowhere", "--data", "store", "--lengths", "16", "--dry-run")

    def test_refusals(self):
        base = ("eval", "runs/alibi", "--data", "store")
        self.refuse(5, "nowhere", "eval", "runs/nowhere", "--data", "store", "--lengths", "16")
        self.refuse(2, "--lengths", *base, "--lengths", "0")
        self.refuse(2, "did you mean 'paper'", *base, "--lengths", "16", "--protocol", "papr")
        self.refuse(2, "stride", *base, "--lengths", "16", "--stride", "17")
        self.refuse(2, "no stride", *base, "--lengths", "16", "--stride", "8", "--protocol", "lm-eval")
        self.refuse(2, "one of --data", "eval", "runs/alibi", "--lengths", "16")
        self.refuse(2, "{length}", *base, "--lengths", "16,32", "--token-logprobs", "x.npy")
        self.refuse(4, "another tokenizer", "eval", "runs/alibi", "--data", "other", "--lengths", "16")
        self.refuse(4, "test", *base, "--lengths", "16", "--split", "test")
        self.refuse(1, "no/such", *base, "--lengths", "16", "--out", "no/such/results.jsonl")
        self.refuse(4, "missing.txt", "eval", "runs/alibi", "--text", "missing.txt", "--lengths", "16")

    def test_a_length_past_a_learned_table_is_refused_before_any_work(self):
        self.refuse(2, "learned", "eval", "runs/learned", "--data", "store", "--lengths", "16,100000",
                    "--out", "learned.jsonl")
        self.assertFalse((self.home / "learned.jsonl").exists())

    def test_compare(self):
        for run in ("alibi", "sinusoidal"):
            self.evaluate(run, f"compare-{run}.jsonl", "--lengths", "16,64")
        out = self.run_ok("compare", "compare-alibi.jsonl", "compare-sinusoidal.jsonl", "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        a, b = ([json.loads(line) for line in (self.home / f"compare-{run}.jsonl").read_text().splitlines()]
                for run in ("alibi", "sinusoidal"))
        self.assertEqual([row["length"] for row in rows], [16, 64])
        for row, left, right in zip(rows, a, b):
            self.assertAlmostEqual(row["difference"], right["nll"] - left["nll"], places=9)
            # The text is too short for an interval: there is none, and the row says how many blocks there are.
            self.assertEqual((row["ci"], row["p_value"], row["verdict"], row["blocks"]),
                             (None, None, None, -(-left["tokens"] // 1024)))
            self.assertLess(left["tokens"], 9 * 1024)
        self.refuse(4, "alibi has length 16", "compare", "compare-alibi.jsonl", "compare-sinusoidal.jsonl",
                    "--lengths", "128")
        changed = dict(b[0], data="xxh3:0")
        (self.home / "changed.jsonl").write_text(json.dumps(changed) + "\n")
        self.refuse(4, "different data", "compare", "compare-alibi.jsonl", "changed.jsonl")
        # The same text under another tokenizer can be compared per byte only. Half as many tokens with twice the loss
        # each are equally good.
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
