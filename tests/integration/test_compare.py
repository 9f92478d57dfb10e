"""Tests `longbow compare` on the real binary (environment: LONGBOW, LONGBOW_SOURCE): folders of seeds against an
independent reference, and what users try besides. The rows are written here from the demo's own block sums; no model is
trained."""
import importlib.util
import json
import math
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

LONGBOW = os.environ["LONGBOW"]
GOLDEN = pathlib.Path(os.environ["LONGBOW_SOURCE"]) / "tests/golden/intervals"
BLOCKS = json.loads((GOLDEN / "demo_blocks.json").read_text())
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


def row_of(method, seed, length, **changes):
    sums = BLOCKS["block_nll"][f"{method}/seed-{seed}"][str(length)]
    nll = sum(sums) / BLOCKS["tokens"]
    total_bytes = sum(BLOCKS["block_bytes"])
    row = {"name": f"seed-{seed}", "position": method, "train_length": 64, "length": length, "stride": length,
           "protocol": "paper", "split": "valid", "tokens": BLOCKS["tokens"], "nll": nll, "ppl": math.exp(nll),
           "ppl_ci": [1, 2], "bits_per_byte": nll * BLOCKS["tokens"] / math.log(2) / total_bytes,
           "words": 70000, "ppl_per_word": 9.0, "seed": seed, "updates": 150, "dtype": "fp32",
           "checkpoint": f"{method} {seed}", "data": "data", "tokenizer": "tokenizer", "config": f"{method} {seed}",
           "config_group": method, "position_begin": [0, 1], "nll_by_position": [5.0, 4.0], "block_nll": sums,
           "block_bytes": BLOCKS["block_bytes"]}
    row.update(changes)
    return row


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longbow-compare-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        for method in ("alibi", "rotary"):
            for seed in (1, 2, 3):
                self.write(f"runs/{method}/seed-{seed}", *(row_of(method, seed, length) for length in (64, 1024)))

    def write(self, run, *rows, name="results.jsonl"):
        (self.home / run).mkdir(parents=True, exist_ok=True)
        (self.home / run / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run_any(self, *arguments):
        return subprocess.run([LONGBOW, *map(str, arguments)], cwd=self.home, capture_output=True, text=True)

    def run_ok(self, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def compare(self, *arguments):
        return [json.loads(line) for line in self.run_ok("compare", *arguments, "--json").splitlines()]

    def refuse(self, mentions, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        for mention in mentions:
            self.assertIn(mention, done.stderr)

    def assert_is(self, row, case):
        for key, value in EXPECTED[case].items():
            if key == "ci":
                for got, wanted in zip(row[key], value, strict=True):
                    self.assertAlmostEqual(got, wanted, delta=1e-9, msg=case)
            elif key == "p_value":
                self.assertAlmostEqual(row[key] / value, 1, delta=1e-7, msg=case)
            else:
                self.assertAlmostEqual(row[key], value, delta=1e-9, msg=f"{case}: {key}")

    def test_two_methods_of_three_seeds_are_the_reference(self):
        for row in self.compare("runs/alibi", "runs/rotary"):
            self.assert_is(row, f"alibi rotary {row['length']} seeds 1,2,3")
            self.assertEqual((row["a"], row["b"], row["speaks_of"]), ("alibi", "rotary", "methods"))
            self.assertEqual([(pair["a"], pair["b"], pair["seed_a"]) for pair in row["pairs"]],
                             [(f"alibi/seed-{seed}", f"rotary/seed-{seed}", seed) for seed in (1, 2, 3)])
        for row in self.compare("runs/alibi", "runs/rotary", "--seeds", "1,2"):
            self.assert_is(row, f"alibi rotary {row['length']} seeds 1,2")
        for row in self.compare("runs/alibi/seed-1", "runs/rotary/seed-1/results.jsonl"):
            self.assert_is(row, f"alibi rotary {row['length']} seeds 1")
            self.assertEqual((row["a"], row["b"], row["speaks_of"]), ("alibi/seed-1", "rotary/seed-1", "models"))

    def test_the_fewest_blocks(self):
        few = {"tokens": 9 * 1024 + 300, "max_stream_tokens": 9 * 1024 + 300}
        for method in ("alibi", "rotary"):
            for seed in (1, 2, 3):
                row = row_of(method, seed, 64, **few)
                self.write(f"few/{method}/seed-{seed}",
                           dict(row, block_nll=row["block_nll"][:10], block_bytes=row["block_bytes"][:10]))
        self.assert_is(self.compare("few/alibi", "few/rotary")[0], "alibi rotary 64 first 9516")
        for method in ("alibi", "rotary"):
            row = row_of(method, 1, 64, tokens=9 * 1024)
            self.write(f"fewer/{method}", dict(row, block_nll=row["block_nll"][:9], block_bytes=row["block_bytes"][:9]))
        row = self.compare("fewer/alibi", "fewer/rotary")[0]
        self.assertEqual((row["ci"], row["p_value"], row["verdict"], row["blocks"]), (None, None, None, 9))
        text = self.run_ok("compare", "fewer/alibi", "fewer/rotary")
        self.assertIn("no interval and no verdict: 9 blocks of 1,024 targets, and 10 are needed", text)
        self.assertNotIn("better", text)

    def test_growth_in_a_report(self):
        for model in json.loads(self.run_ok("report", "runs/rotary/seed-1", "--format", "json"))[0]["models"]:
            expected = EXPECTED["rotary/seed-1 growth"]
            for got, wanted in zip(model["growth"]["ci"], expected["ci"], strict=True):
                self.assertAlmostEqual(got, math.exp(wanted), delta=1e-9)

    def test_the_reference_is_what_its_script_writes(self):
        if importlib.util.find_spec("scipy") is None:
            self.skipTest("scipy is not installed: the pinned numbers stand")
        spec = importlib.util.spec_from_file_location("make", GOLDEN / "make.py")
        make = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(make)
        for case, numbers in make.expected(BLOCKS).items():
            for key, value in numbers.items():
                for got, wanted in zip(*(v if isinstance(v, list) else [v] for v in (value, EXPECTED[case][key])),
                                       strict=True):
                    self.assertAlmostEqual(got, wanted, delta=1e-9 * max(1, abs(wanted)), msg=case)

    def test_text_says_how_many_of_each_and_of_what_it_speaks(self):
        text = self.run_ok("compare", "runs/alibi", "runs/rotary", "--lengths", "1024")
        self.assertIn("from 3 seeds and 124 blocks of text", text)
        self.assertRegex(text, r": A is better\n")
        text = self.run_ok("compare", "runs/alibi/seed-1", "runs/rotary/seed-1", "--lengths", "1024")
        self.assertIn("from 124 blocks of text", text)
        self.assertIn("A is better, of these two models", text)
        self.assertIn("A alibi/seed-1: ppl", text)

    def test_seeds_that_one_side_has_are_named(self):
        shutil.rmtree(self.home / "runs/rotary/seed-3")
        self.refuse(["seed 3 is only in alibi", "train rotary with it too (train.seed=3)", "--seeds 1,2"], "compare",
                    "runs/alibi", "runs/rotary")
        self.refuse(["seed 3 is only in alibi"], "compare", "runs/rotary", "runs/alibi", "--json")
        self.refuse(["seeds 2, 3 are only in alibi"], "compare", "runs/alibi", "runs/rotary/seed-1")
        self.assertEqual(self.compare("runs/alibi", "runs/rotary", "--seeds", "1,2")[0]["seeds"], 2)
        self.refuse(["rotary has seeds 1, 2"], "compare", "runs/alibi", "runs/rotary", "--seeds", "3")
        for seeds in ("-1", "1.5", "010", "1,18446744073709551616"):
            done = self.run_any("compare", "runs/alibi", "runs/rotary", "--seeds", seeds)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn("--seeds", done.stderr)

    def test_a_folder_of_several_methods_is_refused_by_name(self):
        self.refuse(["runs holds 2 models", "alibi, rotary", "runs@alibi"], "compare", "runs", "runs/rotary")
        self.assert_is(self.compare("runs@alibi", "runs@rotary", "--lengths", "64")[0], "alibi rotary 64 seeds 1,2,3")
        self.refuse(["no row of 't5'", "alibi/seed-1"], "compare", "runs@t5", "runs@rotary")

    def test_one_file_of_several_runs(self):
        self.write("", *(row_of(method, seed, 64, name=f"{method}/seed-{seed}") for method in ("alibi", "rotary")
                         for seed in (1, 2, 3)), name="all.jsonl")
        self.refuse(["all.jsonl holds 2 models", "all.jsonl@alibi"], "compare", "all.jsonl", "all.jsonl")
        self.assert_is(self.compare("all.jsonl@alibi", "all.jsonl@rotary")[0], "alibi rotary 64 seeds 1,2,3")
        self.assert_is(self.compare("all.jsonl@alibi/seed-1", "all.jsonl@rotary/seed-1")[0], "alibi rotary 64 seeds 1")

    def test_linked_and_deep_runs(self):
        (self.home / "here").mkdir()
        (self.home / "here/alibi").symlink_to(self.home / "runs/alibi")
        (self.home / "here/alibi-again").symlink_to("../runs/alibi")
        (self.home / "runs/alibi/seed-1/cycle").symlink_to(self.home / "runs/alibi")
        self.assertEqual(self.compare("here", "runs/rotary")[0]["seeds"], 3)
        deep = self.home / "deep/1/2/3/4/5/6"
        deep.mkdir(parents=True)
        shutil.move(self.home / "runs/rotary", deep / "rotary")
        self.assert_is(self.compare("here/alibi", "deep", "--lengths", "64")[0], "alibi rotary 64 seeds 1,2,3")
        report = json.loads(self.run_ok("report", "here", "deep", "--format", "json"))
        self.assertEqual([(model["label"], model["values"][0]["seeds"]) for model in report[0]["models"]],
                         [("ALiBi", 3), ("Rotary", 3)])

    def test_a_diverged_seed_poisons_nothing(self):
        bad = dict(row_of("rotary", 2, 64), nll=None, ppl=None, ppl_ci=[None, None], bits_per_byte=None, tool_ppl=None,
                   ppl_per_word=None)
        bad["block_nll"] = [None] * len(bad["block_nll"])
        bad["nll_by_position"] = [None, None]
        self.write("runs/rotary/seed-2", bad, row_of("rotary", 2, 1024))
        first, second = self.compare("runs/alibi", "runs/rotary")
        self.assertEqual((first["difference"], first["ci"], first["p_value"], first["verdict"], first["ppl_b"]),
                         (None,) * 5)
        self.assertEqual(first["pairs"][1]["ppl_b"], None)
        self.assert_is(second, "alibi rotary 1024 seeds 1,2,3")
        text = self.run_ok("compare", "runs/alibi", "runs/rotary", "--lengths", "64")
        self.assertIn("1 of 3 seeds diverged", text)
        self.assertNotIn("better", text)
        self.assertNotIn("nan", text)
        for form in ("markdown", "csv", "latex", "json", "html"):
            report = self.run_ok("report", "runs", "--format", form)
            self.assertNotRegex(report, r"\bnan\b|\binf\b")
        self.assertIn("(1 of 3 seeds diverged)", self.run_ok("report", "runs"))
        self.assertIn("diverged", self.run_ok("report", "runs/rotary/seed-2"))

    def test_same_names_are_told_apart(self):
        shutil.copytree(self.home / "runs", self.home / "old")
        row = self.compare("runs/alibi", "old/alibi", "--lengths", "64")[0]
        self.assertEqual((row["a"], row["b"], row["difference"], row["verdict"], row["p_value"]),
                         ("runs/alibi", "old/alibi", 0, "none", 1))

    def test_what_was_not_measured_alike(self):
        self.write("runs/rotary/seed-1", row_of("rotary", 1, 64, dtype="bf16"), row_of("rotary", 1, 1024))
        done = self.run_any("compare", "runs/alibi/seed-1", "runs/rotary/seed-1", "--json")
        self.assertEqual([json.loads(line)["length"] for line in done.stdout.splitlines()], [1024])
        self.assertIn("length 64, protocol paper, valid split, bf16 (rotary/seed-1 alone)", done.stderr)
        self.refuse(["share no length", "bf16"], "compare", "runs/alibi/seed-1", "runs/rotary/seed-1",
                    "--lengths", "64")
        self.refuse(["seed 1 of rotary was not measured like that of alibi"], "compare", "runs/alibi", "runs/rotary")
        self.refuse(["--lengths 128", "longbow eval"], "compare", "runs/alibi", "runs/rotary", "--lengths", "128")


if __name__ == "__main__":
    unittest.main()
