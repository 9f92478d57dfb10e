"""Tests `longbow study` on the real binary (environment: LONGBOW): a tiny grid that is killed and interrupted on its way
has the table of an undisturbed one, saved rows train nothing again, and mistakes in the file are found before any
work."""
import csv
import json
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import unittest

from patience import PATIENCE, wait_for

LONGBOW = os.environ["LONGBOW"]
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n"
BASE = """model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
tokenizer: {kind: bpe, vocab_size: 270}
data: {store: store, train: train.txt, valid: valid.txt}
train: {length: 16, batch: 4, stop: 12 updates}
log: {tensorboard: false}
"""
STUDY = """name: tiny
title: Two methods & a change
base: base.yaml
settings:
  schedule.warmup: 2 updates
vary:
  method:
    alibi: {position.method: alibi}
    rotary:
      position: {method: rotary}
    rotary-pi:
      position.method: rotary
      at_evaluation: {position.scaling: linear, position.factor: 4}
seeds: [1, 2]
eval:
  multiples: [1, 4]
  max_stream_tokens: 10240
baseline: alibi
parts:
  first: [alibi]
  second: [rotary, rotary-pi]
rows: ../results
"""

TASK_BASE = """model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
task: {name: copy, length: 3}
train: {length: 8, batch: 4, stop: 12 updates}
schedule: {warmup: 2 updates}
log: {tensorboard: false}
"""
TASK_STUDY = """name: tiny
base: base.yaml
vary:
  method:
    alibi: {position.method: alibi}
    learned: {position.method: learned}
seeds: [1, 2]
probe: {kind: tasks, items: 20, seed: 5}
baseline: alibi
rows: ../results
"""

TRAINED = """name: tiny
base: base.yaml
vary:
  method:
    kerple: {position.method: kerple}
    fox: {position.method: fox}
seeds: [1, 2]
eval: {multiples: [1, 4], max_stream_tokens: 10240}
baseline: kerple
rows: ../results
"""
# Where the child of a study may be killed, by its own passages. None is so far that a kill lets more than a model be
# finished, so that five of them find work.
STORE_KILLS = ["data.chunk", "data.save"]
KILLS = ([f"train.update:{passage}" for passage in range(1, 5)] +
         [f"checkpoint.{place}:{passage}" for place in ("after_model", "before_rename", "before_last", "after_last")
          for passage in (1, 2)] + ["eval.batch", "eval.row:1", "eval.row:2"])


def children_of(pid):
    """Yields (process, state) of the children of a process."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended meanwhile
            continue
        if int(parent) == pid:
            yield int(path.parent.name), state


class Study(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longbow-study-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        (self.home / "train.txt").write_text(TEXT * 100)
        (self.home / "valid.txt").write_text(TEXT.swapcase() * 160)
        self.write(BASE, STUDY)

    def write(self, base, study):
        (self.home / "studies").mkdir(exist_ok=True)
        (self.home / "studies/base.yaml").write_text(base)
        (self.home / "studies/tiny.yaml").write_text(study)

    def run_any(self, *arguments):
        return subprocess.run([LONGBOW, "study", "studies/tiny.yaml", *arguments], cwd=self.home, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)

    def run_ok(self, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def start(self, point):
        """Starts a study whose child processes wait at the fail point for a signal."""
        return subprocess.Popen([LONGBOW, "study", "studies/tiny.yaml", "--save-rows"], cwd=self.home,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "LONGBOW_FAILPOINT": f"{point}=wait"})

    def wait_for(self, path, process):
        wait_for(lambda: (self.home / path).exists() or process.poll() is not None, path)
        self.assertIsNone(process.poll(), "it ended before " + path)

    def check_table(self, stdout):
        self.assertIn("### Two methods", stdout)
        data = json.loads((self.home / "runs/tiny/tables/tiny.json").read_text())
        self.assertEqual([model["name"] for model in data["models"]], ["alibi", "rotary", "rotary-pi"])
        self.assertEqual((data["correction"], data["comparisons"]), ("holm", 4))
        for model in data["models"]:
            for cell, length in zip(model["cells"], (16, 64)):
                self.assertEqual((cell["length"], cell["seeds"]), (length, 2))
                ppl = [row["ppl"] for row in cell["rows"]]
                mean = sum(ppl) / 2
                sd = abs(ppl[0] - ppl[1]) / 2 ** 0.5
                self.assertAlmostEqual(cell["mean"], mean, places=9)
                self.assertAlmostEqual(cell["sd"], sd, places=9)
                losses = [row["nll"] for row in cell["rows"]]  # of two values, the error of the mean is half their distance
                half = 12.7062047364 * abs(losses[0] - losses[1]) / 2
                self.assertAlmostEqual(math.log(cell["ci"][1]), sum(losses) / 2 + half, places=6)
                if model["name"] == "alibi":
                    self.assertNotIn("difference", cell)
                    continue
                difference = cell["difference"]
                alibi = data["models"][0]["cells"][model["cells"].index(cell)]
                nll = [[row["nll"] for row in one["rows"]] for one in (alibi, cell)]
                self.assertAlmostEqual(difference["mean"], sum(nll[1]) / 2 - sum(nll[0]) / 2, places=9)
                self.assertGreaterEqual(difference["p_holm"], difference["p"])
        rotary, changed = data["models"][1:]
        self.assertEqual(rotary["settings"], changed["settings"])
        self.assertEqual([row["checkpoint"] for row in rotary["cells"][0]["rows"]],
                         [row["checkpoint"] for row in changed["cells"][0]["rows"]], "one training serves both")
        self.assertNotEqual(rotary["cells"][1]["mean"], changed["cells"][1]["mean"])
        rows = list(csv.reader((self.home / "runs/tiny/tables/tiny.csv").read_text().splitlines()[1:]))
        self.assertEqual(rows[0][:4], ["model", "method", "stride", "length"])
        self.assertEqual(len(rows), 7)
        page = (self.home / "runs/tiny/tables/tiny.html").read_text()
        self.assertIn("Two methods &amp; a change", page)
        self.assertIn("<svg", page)
        self.assertTrue((self.home / "runs/tiny/figures/tiny.svg").read_text().startswith("<svg"))

    def test_disturbed_or_not_the_table_is_the_same(self):
        process = self.start("eval.row")
        self.wait_for("runs/tiny/alibi/seed-1/results.jsonl", process)
        process.kill()
        process.communicate()
        process = self.start("train.update:9")
        self.wait_for("runs/tiny/rotary/seed-1/checkpoints/last", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, said)
        self.assertFalse((self.home / "results").exists())
        table = self.run_ok("--save-rows").stdout
        self.check_table(table)
        runs = [path.parent.name for path in (self.home / "runs/tiny").glob("*/*/config.yaml")]
        self.assertEqual(sorted(runs), ["seed-1", "seed-1", "seed-2", "seed-2"])

        shutil.rmtree(self.home / "results")
        first = self.run_ok("--run-dir", "calm", "--part", "first").stdout
        self.assertIn("2 of 4 models are not done yet", first)
        self.assertEqual({path.name for path in (self.home / "calm").iterdir() if path.is_dir()} - {"logs"},
                         {"alibi", "tables", "figures"})

        def without_files(stdout):
            return [line for line in stdout.splitlines() if not line.startswith(("runs/", "calm/"))]
        self.assertEqual(without_files(self.run_ok("--run-dir", "calm", "--part", "second").stdout),
                         without_files(table))

    def kill_at(self, point):
        """Starts a study, and kills it and its child once this has come to the fail point."""
        process = subprocess.Popen([LONGBOW, "study", "studies/tiny.yaml", "--jobs", "1", "--threads", "1", "--save-rows"],
                                   cwd=self.home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "LONGBOW_FAILPOINT": f"{point}=freeze"})
        children = []

        def frozen():
            children[:] = children_of(process.pid)
            return process.poll() is not None or any(state == "T" for _, state in children)
        wait_for(frozen, point)
        self.assertIsNone(process.poll(), f"it ended before {point}")
        process.kill()
        for child, _ in children:
            os.kill(child, signal.SIGKILL)
        process.communicate()

    def test_killed_five_times_the_table_is_the_same(self):
        self.write(BASE.replace("dropout: 0.0", "dropout: 0.1") + "checkpoint: {every: 4 updates, keep_last: 2}\n",
                   TRAINED)
        draw = random.Random(3)
        points = [draw.choice(STORE_KILLS)] + [draw.choice(KILLS) for _ in range(5)]
        with self.subTest(points=points):
            for point in points:
                self.kill_at(point)
            # Another number of threads would add in another order.
            disturbed = self.run_ok("--save-rows", "--threads", "1").stdout
            for folder in ("runs", "results"):
                shutil.move(self.home / folder, self.home / f"{folder}-disturbed")
            self.assertEqual(self.run_ok("--save-rows", "--threads", "1").stdout, disturbed)
            for calm in ("runs/tiny/tables", "runs/tiny/figures"):
                files = sorted((self.home / calm).iterdir())
                self.assertGreater(len(files), 0)
                for file in files:
                    other = self.home / calm.replace("runs", "runs-disturbed") / file.name
                    self.assertEqual(other.read_bytes(), file.read_bytes(), file.name)

    def test_rows_in_the_folder_train_nothing(self):
        table = self.run_ok("--save-rows").stdout
        self.check_table(table)
        rows = (self.home / "results/tiny.jsonl").read_text()
        self.assertEqual(len(rows.splitlines()), 12)
        for path in ("runs", "store"):
            shutil.rmtree(self.home / path)
        (self.home / "train.txt").unlink()
        (self.home / "valid.txt").unlink()
        self.assertIn("0 of them done here, 4 by the rows in", self.run_ok("--dry-run").stdout)
        again = self.run_ok("--save-rows")
        self.assertEqual(again.stdout, table)
        self.assertNotIn("[1/", again.stderr)
        self.check_table(again.stdout)
        self.assertEqual((self.home / "results/tiny.jsonl").read_text(), rows)

        self.write(BASE + "checkpoint: {keep_last: 1}\n", STUDY)
        self.assertIn("nothing is missing", self.run_ok("--dry-run").stdout)
        self.write(BASE, STUDY.replace("seeds: [1, 2]", "seeds: [1, 2, 3]"))
        commands = self.run_ok("--print-commands").stdout
        self.assertEqual(commands.count("longbow train "), 2)
        self.assertIn("train.seed=3", commands)
        self.assertIn("eval runs/tiny/rotary/seed-3 position.scaling=linear position.factor=4 --data store", commands)
        self.assertTrue(commands.endswith("longbow study studies/tiny.yaml --run-dir runs/tiny\n"))
        self.assertEqual(subprocess.run(["bash", "-n"], input=commands, text=True, check=False).returncode, 0)
        self.write(BASE.replace("12 updates", "13 updates"), STUDY)
        refused = self.run_any()
        self.assertEqual(refused.returncode, 4, refused.stderr)
        self.assertIn("train.txt: the text does not exist", refused.stderr)

        (self.home / "results/tiny.jsonl").write_text(rows + "<<<<<<< HEAD\n")
        broken = self.run_any("--dry-run")
        self.assertEqual(broken.returncode, 4, broken.stderr)
        self.assertIn("results/tiny.jsonl:13: ", broken.stderr)

    def test_a_plan_says_what_it_costs(self):
        plan = self.run_ok("--dry-run").stdout
        self.assertIn("4 models, 0 of them done here", plan)
        for line in ("part first          2 models to do, about ", "part second         2 models to do, about ",
                     "on this machine about "):
            self.assertIn(line, plan)
        self.assertFalse((self.home / "runs").exists())
        self.run_ok("--slurm", "array.sbatch")
        self.assertIn("#SBATCH --array=0-3", (self.home / "array.sbatch").read_text())

    def test_a_study_of_tasks(self):
        self.write(TASK_BASE, TASK_STUDY)
        process = self.start("train.update:9")
        self.wait_for("runs/tiny/alibi/seed-1/checkpoints/last", process)
        process.kill()
        process.communicate()
        table = self.run_ok("--save-rows").stdout
        self.assertIn("to L", table)
        self.assertIn("learned: the positions end at 8 tokens", table)
        data = json.loads((self.home / "runs/tiny/tables/tiny.json").read_text())
        self.assertEqual(data["probe"], {"kind": "tasks", "items": 20, "seed": 5})
        alibi, learned = data["models"]
        for cell, bucket in zip(alibi["cells"], ([0, 1], [1, 2], [2, 4], [4, 8])):
            self.assertEqual((cell["bucket"], cell["seeds"]), (bucket, 2))
            values = [row["exact_match"] for row in cell["rows"]]
            self.assertAlmostEqual(cell["exact_match"], sum(values) / 2, places=9)
        self.assertEqual([cell["seeds"] for cell in learned["cells"]], [2, 0, 0, 0])
        self.assertEqual(learned["cells"][0]["difference"]["seeds"], 2)
        rows = list(csv.reader((self.home / "runs/tiny/tables/tiny.csv").read_text().splitlines()[1:]))
        self.assertEqual((rows[0][0], len(rows)), ("model", 9))
        self.assertIn("<svg", (self.home / "runs/tiny/tables/tiny.html").read_text())
        self.assertFalse((self.home / "store").exists())

        again = self.run_ok("--save-rows")
        self.assertEqual(again.stdout, table)
        self.assertNotIn("[1/", again.stderr)
        probes = self.home / "runs/tiny/alibi/seed-1/probes.jsonl"
        whole = probes.read_text()
        self.assertEqual(len(whole.splitlines()), 4)
        saved = self.home / "results/tiny.jsonl"
        self.assertEqual(len(saved.read_text().splitlines()), 10)

        # A probe that was cut short is made again, and nothing else is.
        shutil.move(self.home / "results", self.home / "aside")
        probes.write_text(whole[:whole.rindex("{") + 9])
        repeated = self.run_ok()
        self.assertEqual(repeated.stdout, table)
        self.assertIn("[1/1] alibi/seed-1: probe tasks", repeated.stderr)

        shutil.move(self.home / "aside", self.home / "results")
        shutil.rmtree(self.home / "runs")
        self.assertIn("0 of them done here, 4 by the rows in", self.run_ok("--dry-run").stdout)
        self.assertEqual(self.run_ok().stdout, table)
        self.write(TASK_BASE, TASK_STUDY.replace("items: 20", "items: 30"))
        commands = self.run_ok("--print-commands").stdout
        self.assertIn("longbow probe tasks runs/tiny/alibi/seed-1 --items 30 --seed 5 --out "
                      "runs/tiny/alibi/seed-1/probes.jsonl\n", commands)
        self.assertNotIn("prepare", commands)
        self.assertIn("on this machine about ", self.run_ok("--dry-run").stdout)

    def test_probes_of_models_of_a_text(self):
        grid = TRAINED.replace("eval: {multiples: [1, 4], max_stream_tokens: 10240}\n", "")
        trained = 0
        # What each kind asks, how many rows of probes.jsonl a model has then, and where they have the cells' numbers.
        for probe, count, numbers in (
                ("kind: context, multiples: [0.5, 4], items: 20, seed: 3", 1,
                 [lambda rows: rows[0]["contexts"][0]["gain"], lambda rows: rows[0]["contexts"][2]["gain"],
                  lambda rows: rows[0]["effective_context"]]),
                ("kind: passkey, lengths: [600], items: 2", 1, [lambda rows: rows[0]["hits"]]),
                ("kind: attention, multiples: [2], items: 2", 2,
                 [lambda rows, key=key: None if rows[0][key] is None else (rows[0][key] + rows[1][key]) / 2
                  for key in ("entropy", "entropy_beyond", "sinks", "near", "far")])):
            with self.subTest(probe):
                self.write(BASE, grid + "probe: {" + probe + "}\n")
                done = self.run_ok("--save-rows")
                trained += done.stderr.count(": train\n")
                data = json.loads((self.home / "runs/tiny/tables/tiny.json").read_text())
                for model in data["models"]:
                    rows = [[json.loads(line) for line in
                             (self.home / f"runs/tiny/{model['name']}/seed-{seed}/probes.jsonl").read_text().splitlines()
                             ][-count:] for seed in (1, 2)]
                    self.assertEqual(len(model["cells"]), len(numbers))
                    for cell, number in zip(model["cells"], numbers):
                        found = [number(one) for one in rows]
                        found = [one for one in found if one is not None]
                        self.assertEqual(cell["seeds"], len(found))
                        if found:
                            key = {"context": "gain", "passkey": "hits", "attention": "value"}[data["probe"]["kind"]]
                            self.assertAlmostEqual(cell[key], sum(found) / len(found), places=9)
                        if model["name"] == "fox" and len(found) == 2:
                            self.assertEqual(cell["difference"]["seeds"], 2)
                again = self.run_ok("--save-rows")
                self.assertEqual(again.stdout, done.stdout)
                self.assertNotIn("[1/", again.stderr)
                self.assertEqual(len((self.home / "results/tiny.jsonl").read_text().splitlines()), 4 * count)
        self.assertEqual(trained, 4, "one training serves all probes")
        shutil.rmtree(self.home / "runs")
        (self.home / "train.txt").unlink()
        self.assertEqual(self.run_ok().stdout, again.stdout)

    def test_the_shipped_study_of_tasks_is_planned(self):
        root = pathlib.Path(__file__).resolve().parents[2]
        done = subprocess.run([LONGBOW, "study", str(root / "configs/studies/length-tasks.yaml"), "--part", "copy",
                               "--run-dir", "none", "--print-commands"], cwd=self.home, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLessEqual(done.stdout.count("longbow train "), 15)

    def test_refusals(self):
        for change, code, mention in (
                (("seeds: [1, 2]", "sedes: [1, 2]"), 3, "tiny.yaml:14: a study: unknown key 'sedes', did you mean 'seeds'?"),
                (("seeds: [1, 2]", "seeds: [1, -2]"), 3, "tiny.yaml:14: seeds: expected seeds, whole numbers from 0"),
                (("  multiples: [1, 4]", "  lenghts: [16]"), 3, "tiny.yaml:16: eval: unknown key 'lenghts'"),
                (("position.factor: 4", "position.factr: 4"), 3, "tiny.yaml:13: "),
                (("{position.method: alibi}", "{position.method: alibbi}"), 3, "tiny.yaml:8: "),
                (("position.factor: 4", "train.length: 4"), 3, "tiny.yaml:13: train.length=4: an evaluation may override"),
                (("position.scaling: linear, position.factor: 4", "position.method: t5"), 3, "tiny.yaml:13: "),
                (("baseline: alibi", "baseline: alibbi"), 3, "tiny.yaml:18: baseline: there is no value 'alibbi', did you"),
                (("second: [rotary, rotary-pi]", "second: [rotary]"), 3, "parts: no part has rotary-pi"),
                (("base: base.yaml", "base: bass.yaml"), 3, "tiny.yaml:3: base: there is no file"),
                (("title:", "name:"), 3, "tiny.yaml:2: name is written here twice"),
                (("baseline: alibi", "probe: {kind: tasks}"), 3, "tiny.yaml:18: probe: a study measures what its"),
                (("eval:\n  multiples: [1, 4]\n  max_stream_tokens: 10240", "probe: {kind: tasks}"), 3,
                 "tiny.yaml:15: probe.kind: tasks: alibi has no task.name"),
                (("rows: ../results", ""), 2, "--save-rows")):
            self.write(BASE, STUDY.replace(*change))
            done = self.run_any("--save-rows")
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(mention, done.stderr)
            self.assertEqual(done.stdout, "")
        self.write(BASE, STUDY)
        done = self.run_any("--part", "frist")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("did you mean first?", done.stderr)
        self.assertEqual(sorted(path.name for path in self.home.iterdir()), ["studies", "train.txt", "valid.txt"])

    def test_every_study_of_the_repository_is_right(self):
        studies = sorted((SOURCE / "configs/studies").glob("*.yaml"))
        self.assertGreaterEqual(len(studies), 1)
        for study in studies:
            with self.subTest(study=study.name):
                planned = subprocess.run([LONGBOW, "study", study, "--print-commands", "--run-dir", "planned"],
                                         cwd=self.home, capture_output=True, text=True, timeout=PATIENCE, check=False)
                self.assertEqual(planned.returncode, 0, planned.stderr)


if __name__ == "__main__":
    unittest.main()
