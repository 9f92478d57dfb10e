"""Tests `longbow reproduce` with tables of other papers (environment: LONGBOW, LONGBOW_SOURCE): a miniature of one is trained, measured and
written beside the published numbers; the others are planned."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
CONFIGS = ["--configs", str(SOURCE / "configs")]
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n"
USAGE, DATA = 2, 4
# The recipe's six models with a size and a training that take seconds, and a fifth of its shortest length.
MINIATURE = [*CONFIGS, "--run-dir", "runs", "--threads", "1", "--max-stream-tokens", "600", "train.seed=1235", "model.layers=1",
             "model.dim=16", "model.heads=2", "model.ffn_dim=32", "tokenizer.vocab_size=300", "data.store=store",
             "data.train=[train.txt]", "data.valid=[valid.txt]", "data.expect_vocab_size=null", "train.length=64", "train.batch=4",
             "train.stop=6 updates", "schedule.warmup=2 updates", "schedule.period=6 updates", "eval.valid_tokens=200",
             "train.dtype=fp32"]


class OtherPapers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longbow-papers-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)

    def run_any(self, *arguments):
        return subprocess.run([LONGBOW, *map(str, arguments)], cwd=self.home, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def run_ok(self, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_miniature_is_trained_and_written_beside_the_numbers(self):
        (self.home / "train.txt").write_text(TEXT * 600)
        (self.home / "valid.txt").write_text(TEXT[::-1] * 60)
        stdout = self.run_ok("reproduce", "kerple-owt2", *MINIATURE)
        self.assertIn("Settings changed by the caller: train.seed=1235", stdout)
        self.assertIn("means over 1 of 5 seeds", stdout)
        for method, published in (("KERPLE (log)", "23.9 ± 0.6"), ("T5", "23.7 ± 0.6"), ("Sinusoidal", "33 ± 1")):
            lines = stdout.splitlines()
            at = next(i for i, line in enumerate(lines) if line.startswith(f"| {method} ") and "ours" in line)
            self.assertRegex(lines[at], r"\| ours \| +\d+(\.\d)? \| +– \|", "only 512 tokens fit into 600")
            self.assertIn(published, "".join(lines[at:at + 3]))
        cells = json.loads((self.home / "runs/tables/kerple-owt2.json").read_text())["cells"]
        self.assertEqual(len([cell for cell in cells if cell["ours"] is not None]), 6)
        self.assertEqual(len(cells), 36)
        self.assertEqual(sorted(path.name for path in (self.home / "runs/kerple-owt2").iterdir()),
                         sorted(f"{name}-1235" for name in ("log", "power", "alibi", "t5", "rotary", "sinusoidal")))
        rows = [json.loads(line) for line in (self.home / "runs/kerple-owt2/power-1235/results.jsonl").read_text().splitlines()]
        self.assertIn(512, [row["length"] for row in rows])
        self.assertTrue(all(row["updates"] == 6 and row["split"] == "valid" for row in rows))

    def test_plans(self):
        plan = self.run_ok("reproduce", "yarn-llama2-8k", "pi-pg19", "--dry-run", *CONFIGS)
        self.assertIn("published numbers: data/proofpile-long-small-8k.csv of github.com/jquesnelle/yarn at 995db5b", plan)
        self.assertRegex(plan, r"\| YaRN +\| +3\.918 \|")
        self.assertIn("longbow eval models/Yarn-Llama-2-7b-8k --protocol yarn --truncate --min-document-tokens 131072 "
                      "--lengths 2048,4096,6144,8192,10240,12288,14336,16384 --text TEXT", plan)
        self.assertRegex(plan, r"\| 7B, PI, 8192 +\| +7\.13 \| +6\.96 \| +6\.95 \| +– \| +– \|")
        commands = self.run_ok("reproduce", "fox-longcrawl64", "--print-commands", *CONFIGS)
        self.assertEqual(commands.count("longbow train "), 3)
        self.assertIn("--lengths 16384 --out", commands)
        self.run_ok("reproduce", "kerple-github", "--slurm", "array.sbatch", *CONFIGS)
        self.assertIn("#SBATCH --array=0-29", (self.home / "array.sbatch").read_text())

    def test_configs_have_the_authors_sizes(self):
        for name, parameters in (("kerple/log", r"162,[23]\d\d,\d{3}"), ("kerple/t5", r"162,[23]\d\d,\d{3}"),
                                 ("fox/rotary", r"4[01]\d,\d{3},\d{3}")):
            shown = self.run_ok("config", "show", "-c", SOURCE / f"configs/{name}.yaml")
            self.assertRegex(shown, "# parameters +" + parameters)

    def test_published_tables_alone(self):
        self.assertRegex(self.run_ok("report", "--paper", "kerple-arxiv"), r"\| ALiBi +\| +6\.12 ± 0\.26 \|")
        self.assertIn("7.25", self.run_ok("report", "--paper", "fox-longcrawl64", "--format", "csv"))
        done = self.run_any("report", "--paper", "kerple-owt")
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean 'kerple-owt2'?", done.stderr)
        done = self.run_any("report", "results.jsonl", "--paper", "kerple-arxiv")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("longbow reproduce kerple-arxiv", done.stderr)

    def test_help_names_every_table(self):
        text = re.sub(r"\s+", " ", self.run_ok("reproduce", "--help"))
        for name in ("kerple-owt2", "kerple-github", "kerple-arxiv", "fox-longcrawl64", "pi-pg19", "pi-proofpile", "yarn-llama2-8k",
                     "yarn-llama2-128k", "yarn-mistral"):
            self.assertIn(name, text)

    def test_refusals(self):
        for arguments, code, mention in ((["kerple-owt", "--dry-run"], USAGE, "did you mean 'kerple-owt2'"),
                                         (["kerple-owt2"], DATA, "data.store=DIR"),
                                         (["kerple-owt2", "data.store=nowhere"], DATA, "nowhere: there is no token store"),
                                         (["yarn-mistral"], USAGE, "--dry-run"),
                                         (["yarn-mistral", "--slurm", "x.sbatch"], USAGE, "--dry-run"),
                                         (["kerple-owt2", "table5"], USAGE, "reproduce them apart"),
                                         (["kerple-owt2", "--scale", "demo"], USAGE, "no demo scale")):
            done = self.run_any("reproduce", *arguments, *CONFIGS)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(mention, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertEqual(list(self.home.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
