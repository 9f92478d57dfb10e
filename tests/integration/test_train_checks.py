"""Tests that `longbow train` refuses before it writes any file, does not take one store for another, and finds a moved
one again."""
import os
import shutil
import subprocess
import sys
import unittest

from patience import PATIENCE
import train_case
from train_case import TrainCase


def longbow(*arguments):
    environment = {key: value for key, value in os.environ.items() if key != "LONGBOW_FAILPOINT"}
    return subprocess.run([train_case.LONGBOW, *map(str, arguments)], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE)


def entries(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class Checks(TrainCase):
    def setUp(self):
        """Makes a folder with a base configuration, its text and store, a configuration that includes it, and a second
        store."""
        self.home = self.fresh("home-" + self.id().rsplit(".", 1)[1])
        (self.home / "data").mkdir(parents=True)
        text = train_case.CONFIG_FILE.read_text().replace(str(train_case.FOLDER / "store"),
                                                          str(self.home / "data/novels"))
        (self.home / "base.yaml").write_text(text)
        self.config = self.home / "tiny.yaml"
        self.config.write_text("include: base.yaml\ntrain: {stop: 4 updates}\nschedule: {warmup: 2 updates}\n")
        shutil.copytree(train_case.FOLDER / "store", self.home / "data/novels")
        shutil.copytree(train_case.FOLDER / "store", self.home / "data/mine")

    def train(self, run, *arguments, config=None):
        return longbow("train", "-c", config or self.config, "--run-dir", run, "--threads", 1,
                       "--device", "cpu", *arguments)

    def refused(self, code, texts, *arguments, config=None):
        """Checks that the command is refused with these texts and leaves nothing behind."""
        before = entries(self.home)
        done = self.train(self.home / "runs/new", *arguments, config=config)
        self.assert_exit(done, code, *texts)
        self.assertEqual(entries(self.home), before)
        self.assertEqual(done.stdout, "")

    def test_a_misspelt_store_is_no_order_to_make_one(self):
        data = self.home / "data"
        for flags in ((), ("--dry-run",)):
            with self.subTest(flags=flags):
                self.refused(3, ["data/mien", f"did you mean {data / 'mine'}?", "base.yaml", "train.txt"],
                             f"data.store={data / 'mien'}", *flags)
                self.refused(3, [f"the stores there: {data / 'mine'}, {data / 'novels'}"],
                             f"data.store={data / 'a-new-corpus'}", *flags)
        self.refused(3, [f"did you mean {data / 'mine'}?"], f"data.store={self.home / 'dta/mine'}")
        # The store is named in a file that comes after the one that names the text, and in the file that includes it.
        second = self.home / "second.yaml"
        second.write_text(f"data: {{store: {data / 'mien'}}}\n")
        self.refused(3, ["second.yaml:1", "did you mean"], "-c", second)
        including = self.home / "including.yaml"
        including.write_text(f"include: base.yaml\ndata: {{store: {data / 'mien'}}}\n")
        self.refused(3, ["including.yaml:2", "did you mean"], config=including)
        self.refused(4, ["mien", f"did you mean {data / 'mine'}?"], f"data.store={data / 'mien'}", "data.train=null",
                     "data.valid=null", "tokenizer.kind=null")
        done = longbow("bench", "train", "-c", self.config, f"data.store={data / 'mien'}", "--steps", 1)
        self.assert_exit(done, 3, "did you mean")
        run = self.home / "run"
        self.assert_exit(self.train(run), 0)
        self.assert_exit(longbow("eval", run, "--data", data / "mien", "--lengths", 16), 4,
                         f"did you mean {data / 'mine'}?")

    def test_a_store_is_made_from_the_text_beside_it(self):
        made = self.home / "data/made"
        done = self.train(self.home / "run", f"data.store={made}", f"data.train=[{train_case.FOLDER / 'train.txt'}]")
        self.assert_exit(done, 0, "preparing")
        self.assertTrue((made / "manifest.json").exists())
        self.assertIn("train.txt", (self.home / "run/config.yaml").read_text())
        shutil.rmtree(self.home / "data/novels")
        self.assert_exit(self.train(self.home / "plain"), 0, "preparing")

    def test_the_settings_name_what_was_used(self):
        run = self.home / "run"
        self.assert_exit(self.train(run, f"data.store={self.home / 'data/mine'}"), 0)
        text = (run / "config.yaml").read_text()
        self.assertIn("data/mine", text)
        for other in ("train.txt", "valid.txt", "novels", "tokenizer:"):
            self.assertNotIn(other, text)
        self.assert_exit(self.train(self.home / "again", config=run / "config.yaml"), 0)
        self.assertEqual((self.home / "again/config.yaml").read_text(), text)
        kept = self.home / "kept"
        self.assert_exit(self.train(kept), 0)
        self.assertIn("train.txt", (kept / "config.yaml").read_text())

    def test_text_beside_a_store_of_other_text(self):
        other = self.home / "other.txt"
        train_case.write_text(other, 50, 4)
        self.refused(4, ["data.train=", "data/novels", "already exists"], f"data.train=[{other}]")
        changed = self.home / "changed.yaml"
        changed.write_text((self.home / "base.yaml").read_text().replace(str(train_case.FOLDER / "train.txt"),
                                                                         str(other)))
        done = self.train(self.home / "run", "train.stop=4 updates", config=changed)
        self.assert_exit(done, 0, "other text or settings than the configuration names")
        self.assertNotIn("other.txt", (self.home / "run/config.yaml").read_text())

    def test_a_dry_run_writes_nothing(self):
        shutil.rmtree(self.home / "data/novels")
        before = entries(self.home)
        done = self.train(self.home / "runs/new", "--dry-run")
        self.assert_exit(done, 0)
        self.assertIn("does not exist yet", done.stdout)
        self.assertRegex(done.stdout, r"an update +128 tokens")
        done = self.train(self.home / "runs/new", "--dry-run", "tokenizer.kind=bpe", "tokenizer.vocab_size=300")
        self.assertRegex(done.stdout, r"parameters +\d")
        self.assertEqual(entries(self.home), before)
        self.refused(4, ["absent.txt", "no such file"], "--dry-run", f"data.train=[{self.home / 'absent.txt'}]",
                     f"data.store={self.home / 'data/novels'}")

    def test_refusals_leave_nothing(self):
        self.refused(3, ["train.batch", "9 ranks"], "--nproc", 9)
        self.refused(3, ["train.batch", "9 ranks"], "--nproc", 9, "--dry-run")
        self.refused(5, ["nothing"], f"train.init_from={self.home / 'nothing'}")
        self.refused(3, ["position.max_length"], "position.method=learned", "position.max_length=8")
        self.refused(2, ["ends at 16", "32"], "position.method=learned")
        self.refused(4, ["fewer than train.length"], "train.length=16384", "eval.max_batch_tokens=32768")
        self.refused(4, ["data.expect_vocab_size"], "data.expect_vocab_size=77")
        # Without a store, none is made for a run that cannot be.
        shutil.rmtree(self.home / "data/novels")
        self.refused(3, ["9 ranks"], "--nproc", 9)
        self.refused(3, ["position.max_length"], "position.method=learned", "position.max_length=8")
        self.refused(3, ["ends at 16", "32"], "position.method=learned")
        self.refused(4, ["absent.txt"], f"data.train=[{self.home / 'absent.txt'}]",
                     f"data.store={self.home / 'data/novels'}")
        for flags in ((), ("--nproc", 2)):
            self.refused(4, ["data.expect_vocab_size"], "data.expect_vocab_size=77", *flags)
        self.refused(4, ["train.init_from", "another tokenizer"], f"train.init_from={train_case.BASE}",
                     "tokenizer.kind=bpe", "tokenizer.vocab_size=300")
        self.refused(5, ["layers.0.ffn"], f"train.init_from={train_case.BASE}", "model.ffn_dim=48")
        whole = (train_case.last(train_case.BASE) / "model.safetensors").read_bytes()
        broken = self.home / "broken"
        shutil.copytree(train_case.last(train_case.BASE), broken)
        (broken / "model.safetensors").write_bytes(whole[:-1])
        self.refused(5, ["model.safetensors"], f"train.init_from={broken}")

    def test_a_refused_run_keeps_what_was_there(self):
        run = self.home / "runs/new"
        run.mkdir(parents=True)
        (run / "notes.txt").write_text("mine")
        self.refused(4, ["data.expect_vocab_size"], "data.expect_vocab_size=77")
        self.assert_exit(self.train(run), 0)
        before = (run / "log.txt").read_text()
        self.assert_exit(self.train(run, "optim.lr=0.5"), 3, "optim.lr: 0.01 -> 0.5",
                         f"--from {run} optim.lr=0.5 --run-dir")
        self.assertTrue((run / "log.txt").read_text().startswith(before))

    def test_a_store_that_was_moved_is_the_same(self):
        run, straight = self.home / "run", self.home / "straight"
        steady = ("schedule.name=constant", "eval.every=0 updates")
        self.assert_exit(self.train(straight, *steady, "train.stop=8 updates"), 0)
        self.assert_exit(self.train(run, *steady), 0)
        (self.home / "data/novels").rename(self.home / "data/moved")
        self.assert_exit(self.train(run, *steady, f"data.store={self.home / 'data/moevd'}"), 3, "did you mean")
        done = self.train(run, *steady, "train.stop=8 updates", f"data.store={self.home / 'data/moved'}")
        self.assert_exit(done, 0, "data.store:", "the same data", "learning rate of 0.01")
        self.assertEqual(train_case.metrics(run)[-1], train_case.metrics(straight)[-1])
        other = self.home / "other.txt"
        train_case.write_text(other, 300, 4)
        prepared = longbow("prepare", "--tokenizer", f"word:{self.home / 'data/moved/dict.txt'}", "--train", other,
                           "--out", self.home / "data/other")
        self.assert_exit(prepared, 0)
        self.assert_exit(self.train(run, *steady, "train.stop=12 updates", f"data.store={self.home / 'data/other'}"), 4,
                         "not the one that", "data/other")

    def test_validation_that_a_plain_store_cannot_give(self):
        plain = self.home / "data/plain"
        self.assert_exit(longbow("prepare", "--tokenizer", "word", "--train", train_case.FOLDER / "train.txt",
                                 "--out", plain, "--quiet"), 0)
        self.refused(3, ["eval.every=2 updates", "has no valid split", "data.valid_store"], f"data.store={plain}",
                     "eval.every=2 updates")
        # A setting from a file below the one that names the store does not count as a wish for validation.
        run = self.home / "run"
        self.assert_exit(self.train(run, f"data.store={plain}"), 0, "has no valid split")
        self.assert_exit(self.train(self.home / "again", config=run / "config.yaml"), 0)
        self.assert_exit(self.train(self.home / "elsewhere", f"data.store={plain}", "eval.every=2 updates",
                                    f"data.valid_store={self.home / 'data/novels'}"), 0)
        self.assertIn("valid", [row["event"] for row in train_case.metrics(self.home / "elsewhere")])

    def test_a_longer_stop_says_its_learning_rate(self):
        run = self.home / "run"
        self.assert_exit(self.train(run), 0)
        before = entries(run / "checkpoints")
        done = self.train(run, "train.stop=8 updates")
        self.assert_exit(done, 3, "learning rate of 0", f"--from {run}", "schedule.name=constant",
                         "train.stop=8 updates")
        self.assertEqual(entries(run / "checkpoints"), before)
        slow = self.home / "slow"
        floor = ("schedule.min_lr=0.001",)
        self.assert_exit(self.train(slow, *floor), 0)
        self.assert_exit(self.train(slow, *floor, "train.stop=8 updates"), 0, "learning rate of 0.001",
                         "keeps the period of 4 updates")
        periodic = self.home / "periodic"
        period = ("schedule.period=16 updates",)
        self.assert_exit(self.train(periodic, *period), 0)
        self.assert_exit(self.train(periodic, *period, "train.stop=8 updates"), 0, "learning rate from 0.0")

    def test_settings_that_longbow_wrote_are_no_mistakes(self):
        run = self.home / "run"
        self.assert_exit(self.train(run), 0)
        written = run / "config.yaml"
        for number, overrides in enumerate(
            ([f"train.init_from={run}"], ["optim.name=sgd"], ["position.method=rotary"], ["schedule.name=constant"],
             ["train.seeds=[1,2]"], [f"data.mixture=[{self.home / 'data/mine'}=1,{self.home / 'data/novels'}=1]"])):
            with self.subTest(overrides=overrides):
                self.assert_exit(self.train(self.home / f"of-{number}", *overrides, config=written), 0)
        # Without the line at its top and under another name, it is the user's file.
        copied = self.home / "copied.yaml"
        copied.write_text("".join(line for line in written.read_text().splitlines(True) if not line.startswith("#")))
        self.refused(3, ["model.init", "no train.init_from"], f"train.init_from={run}", config=copied)
        # A file of an earlier version has no such line and is recognized by its place.
        written.write_text(copied.read_text())
        self.assert_exit(self.train(self.home / "of-old", f"train.init_from={run}", config=written), 0)
        self.refused(3, ["optim.beta1", "adamw"], "optim.name=sgd", "optim.beta1=0.5", config=written)

    def test_the_files_of_a_run_that_diverged(self):
        run = self.home / "bad"
        wild = ("optim.name=sgd", "optim.lr=1000", "optim.clip_norm=0", "schedule.name=constant",
                "schedule.warmup=0 updates", "train.stop=30 updates", "train.max_bad_updates=3", "log.every=1 updates")
        done = self.train(run, *wild)
        self.assertIn(done.returncode, (0, 65), done.stderr)
        self.assertEqual(self.train(run, *wild).returncode, done.returncode)
        self.assertTrue(train_case.metrics(run))
        self.assertNotIn("NaN", (run / "metrics.jsonl").read_text())
        self.assertNotIn("Infinity", (run / "metrics.jsonl").read_text())
        store = self.home / "data/novels"
        for command in (["eval", run, "--data", store, "--lengths", 16],
                        ["eval", run, "--data", store, "--lengths", 32], ["inspect", "checkpoint", run, "--verify"],
                        ["verify", run], ["generate", run, "--prompt", "the sun", "--max-new-tokens", 2],
                        ["report", run],
                        ["analyze", "early-token", run, "--data", store, "--lengths", "16,32"],
                        ["train", "--from", f"{run}@last", "optim.lr=0.01", "--run-dir", self.home / "forked"]):
            with self.subTest(command=command[:2]):
                done = longbow(*command, "--threads", 1) if command[0] != "report" else longbow(*command)
                # The weights of that moment may be beyond recovery; how far they go depends on the machine's sums.
                if command[0] == "generate" and done.returncode != 0:
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertIn("scores are not numbers", done.stderr)
                else:
                    self.assertIn(done.returncode, (0, 65) if command[0] == "train" else (0,), done.stderr)


setUpModule, tearDownModule = train_case.set_up, train_case.tear_down


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
