"""Tests `longbow reproduce` and `longbow analyze` on the real binary (environment: LONGBOW, LONGBOW_SOURCE): a
miniature of the demo scale that is killed and interrupted on its way ends with filled and labelled tables, and nothing
is trained or measured twice."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

from patience import PATIENCE, wait_for

LONGBOW = os.environ["LONGBOW"]
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n"
# The demo's grid with a model and a training that take seconds.
MINIATURE = ["--scale", "demo", "--configs", str(SOURCE / "configs"), "--run-dir", "runs", "--threads", "1",
             "--max-stream-tokens", "400", "model.layers=1", "model.dim=16", "model.heads=2",
             "model.ffn_dim=32", "tokenizer.vocab_size=300", "data.store=store", "data.train=[train.txt]",
             "data.valid=[valid.txt]", "data.test=[valid.txt]", "train.stop=12 updates", "schedule.warmup=2 updates",
             "schedule.period=12 updates", "eval.every=6 updates", "eval.valid_tokens=200"]


class Reproduce(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longbow-reproduce-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        (self.home / "train.txt").write_text(TEXT * 600)
        (self.home / "valid.txt").write_text(TEXT[::-1] * 60)

    def run_any(self, *arguments):
        return subprocess.run([LONGBOW, *map(str, arguments)], cwd=self.home, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def run_ok(self, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def start(self, point, *names):
        """Starts a run whose child processes wait at the fail point for a signal."""
        return subprocess.Popen([LONGBOW, "reproduce", *names, *MINIATURE], cwd=self.home,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "LONGBOW_FAILPOINT": f"{point}=wait"})

    def wait_for(self, path, process):
        wait_for(lambda: (self.home / path).exists() or process.poll() is not None, path)
        self.assertIsNone(process.poll(), "it ended before " + path)

    def rows(self, model):
        return [json.loads(line)
                for line in (self.home / "runs/demo" / model / "results.jsonl").read_text().splitlines()]

    def test_killed_and_interrupted_it_goes_on(self):
        process = self.start("eval.row", "table13", "figure11")
        self.wait_for("runs/demo/sinusoidal-64/results.jsonl", process)
        process.kill()
        process.communicate()

        process = self.start("train.update:9", "table13", "figure11")
        self.wait_for("runs/demo/sinusoidal-128/checkpoints/last", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, said)
        self.assertIn("run the same command again", said)
        self.assertFalse((self.home / "runs/tables").exists())

        stdout = self.run_ok("reproduce", "table13", "figure11", *MINIATURE)
        self.assertIn("NOT A REPRODUCTION", stdout)
        self.assertIn("Settings changed by the caller: model.layers=1", stdout)
        ours = re.search(r"\| Sinusoidal \| 512 \(64\) \| ours \|([^\n]*)\|\n", stdout)
        self.assertEqual(len(re.findall(r"\d+\.\d\d", ours.group(1))), 5, stdout)
        self.assertEqual(sorted(row["length"] for row in self.rows("sinusoidal-64")), [64, 128, 192, 256, 384])
        self.assertTrue(all(row["stride"] == 1 and row["max_stream_tokens"] == 400 and row["updates"] == 12
                            for row in self.rows("sinusoidal-64")))
        svg = (self.home / "runs/figures/figure11.svg").read_text()
        self.assertIn("ALiBi, L=512, ours", svg)
        self.assertIn("ALiBi, L=512, paper", svg)
        self.assertIn("NOT A REPRODUCTION", svg)

        # The second time, nothing remains to do.
        again = self.run_any("reproduce", "table13", "figure11", *MINIATURE)
        self.assertEqual((again.returncode, again.stdout), (0, stdout))
        self.assertNotIn("[1/", again.stderr)
        self.assertIn("missing in all: 0.000 h", self.run_ok("reproduce", "table13", "figure11", *MINIATURE,
                                                             "--dry-run"))

        # Its runs are ordinary runs.
        table = self.run_ok("analyze", "early-token", "runs/demo/alibi-64", "--data", "store", "--lengths", "32,128",
                            "--out", "early", "--threads", "1")
        self.assertRegex(table, r"from 32 to 128: gain [+-]\d")
        analysis = json.loads((self.home / "early/early-token.json").read_text())
        gain = analysis["gains"][0]
        self.assertAlmostEqual(gain["gain"]["nats"], gain["early"]["nats"] + gain["context"]["nats"], places=9)
        self.assertTrue((self.home / "early/early-token.svg").read_text().startswith("<svg xmlns"))

    def test_a_model_that_fails_is_reported(self):
        done = self.run_any("reproduce", "table13", *MINIATURE, "train.length=1000000")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("of the plan's models failed: demo/sinusoidal-64 (train, code 4, runs/logs/", done.stderr)

    def test_refusals(self):
        for arguments, code, mention in ((["tabel5"], 2, "did you mean 'table5'"),
                                         (["train.stop=1 updates"], 2, "name a table or figure"),
                                         (["table5", "--configs", "nowhere"], 2, "--configs"),
                                         (["table5", "--configs", str(SOURCE / "configs"), "--scale", "demo"], 4,
                                          "scripts/corpora/austen")):
            done = self.run_any("reproduce", *arguments)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(mention, done.stderr)
            self.assertEqual(done.stdout, "")

    def test_the_papers_scale_is_planned(self):
        plan = self.run_ok("reproduce", "all", "--dry-run", "--scale", "paper", "--configs", str(SOURCE / "configs"))
        self.assertEqual(len(re.findall(r"^(?:wikitext103|bookcorpus|cc100)/\S+ +to train, ", plan, re.MULTILINE)), 34,
                         plan)
        self.assertIn("GPU hours of one V100", plan)
        self.run_ok("reproduce", "table8", "--scale", "paper", "--configs", str(SOURCE / "configs"),
                    "--slurm", "table8.sbatch")
        script = (self.home / "table8.sbatch").read_text()
        self.assertIn("#SBATCH --array=0-5", script)
        self.assertEqual(subprocess.run(["bash", "-n", "table8.sbatch"], cwd=self.home, check=False).returncode, 0)
        commands = self.run_ok("reproduce", "table8", "--scale", "paper", "--configs", str(SOURCE / "configs"),
                               "--print-commands")
        self.assertEqual(commands.count("longbow train "), 6)

    def test_configs_of_the_paper(self):
        """The number of parameters and of updates per epoch need no data."""
        for name, numbers in (("wikitext103/alibi-512", ["parameters             246,933,504",
                                                         "73,728 tokens", "1,401 updates", "204.1 epochs"]),
                              ("wikitext103/sinusoidal-2048", ["parameters             246,933,504",
                                                               "65,536 tokens", "1,576 updates", "181.5 epochs"]),
                              ("wikitext103/t5-3072",
                               ["parameters             246,933,760", "73,728 tokens", "1,401 updates"]),
                              ("bookcorpus/alibi-512", ["parameters             231,", "73,728 tokens"])):
            config = SOURCE / f"configs/{name}.yaml"
            self.run_ok("config", "check", "-c", config)
            shown = self.run_ok("config", "show", "-c", config)
            planned = self.run_ok("train", "-c", config, "--dry-run")
            for number in numbers:
                self.assertRegex(shown, "# .*" + re.escape(number))
                self.assertIn(number, planned)
        self.run_ok("config", "check", "-c", SOURCE / "configs/cc100/sinusoidal-2048.yaml")

    def test_published_tables_alone(self):
        self.assertIn("| ALiBi | 512 | – | – | – | 19.73 | 18.81 | 18.50 | 18.48 | 18.40 |",
                      self.run_ok("report", "--paper", "table5"))
        done = self.run_any("report", "--paper", "table16")
        self.assertEqual(done.returncode, 2)
        self.assertIn("table15", done.stderr)
        self.assertEqual(self.run_any("report").returncode, 2)


if __name__ == "__main__":
    unittest.main()
