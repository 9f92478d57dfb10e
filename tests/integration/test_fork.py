"""Tests `longbow train --from`: what a forked run takes over, through the real binary."""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

from patience import PATIENCE
import train_case
from train_case import TrainCase


def fork(source, run, *arguments, failpoint=None):
    environment = {key: value for key, value in os.environ.items() if key != "LONGBOW_FAILPOINT"}
    if failpoint:
        environment["LONGBOW_FAILPOINT"] = failpoint
    command = [train_case.LONGBOW, "train", "--from", str(source), "--run-dir", str(run), "--threads", "1",
               "--device", "cpu", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)


def state(checkpoint):
    return json.loads((checkpoint / "state.json").read_text())


def rows(run, event="train"):
    return [row for row in train_case.metrics(run) if row["event"] == event]


class Forks(TrainCase):
    def assert_same_weights(self, run, expected):
        self.assertEqual(train_case.last(run).name, train_case.last(expected).name)
        names = sorted(path.name for path in train_case.last(expected).glob("*.safetensors"))
        self.assertEqual(names, sorted(path.name for path in train_case.last(run).glob("*.safetensors")))
        self.assertGreater(len(names), 1)
        for name in names:
            self.assertEqual((train_case.last(run) / name).read_bytes(),
                             (train_case.last(expected) / name).read_bytes(), name)

    def trained(self, name, *arguments):
        run = self.fresh(name)
        self.assert_exit(train_case.train(run, *arguments), 0)
        return run

    def test_with_nothing_changed_it_is_going_on(self):
        ranks = ("--nproc", "2")
        for name, settings, start in (
                ("adamw", (), ()), ("sgd", ("optim.name=sgd", "optim.lr=0.1", "optim.nesterov=true"), ()),
                ("sgd-plain", ("optim.name=sgd", "optim.momentum=0"), ()),
                ("nag", ("optim.name=nag", "optim.lr=0.1"), ()),
                ("fp16", ("train.dtype=fp16",), ()), ("fairseq", ("train.order=fairseq", "train.seed=3"), ()),
                ("ranks", (), ranks), ("sharded", ("dist.shard_optimizer=true",), ranks),
                ("sharded-nag", ("dist.shard_optimizer=true", "optim.name=nag", "optim.lr=0.1"), ranks)):
            with self.subTest(name):
                straight = self.trained("straight-" + name, *settings, *start)
                forked = self.fresh("forked-" + name)
                done = fork(f"{straight}@step=21", forked, *start)
                self.assert_exit(done, 0, "forked from", "(update 21)",
                                 "continues after 163 inputs" if name == "fairseq" else "continues after 168 inputs",
                                 "nothing")
                self.assert_same_weights(forked, straight)
                self.assertEqual(rows(forked), [row for row in rows(straight) if row["update"] > 21])
                self.assertEqual(state(train_case.last(forked))["samples"], state(train_case.last(straight))["samples"])

    def test_a_run_beside_what_a_link_leads_to(self):
        there, here = self.fresh("there"), self.fresh("here")
        (there / "deep").mkdir(parents=True)
        here.mkdir()
        (here / "link").symlink_to(there / "deep")
        shutil.copytree(train_case.BASE, there / "run", symlinks=True)
        for says in ("forked from", "finished already"):
            done = fork(here / "link/../run", here / "new", "schedule.name=constant", "train.stop=25 updates")
            self.assert_exit(done, 0)
            self.assertIn(says, done.stderr + done.stdout)
        self.assertEqual(json.loads((here / "new/fork.json").read_text())["from"], f"{there.resolve()}/run@last")

    def test_the_same_command_goes_on_with_the_new_run(self):
        source = self.fresh("source")
        shutil.copytree(train_case.BASE, source, symlinks=True)
        change = ("optim.lr=0.004", "train.stop=32 updates")
        straight, killed = self.fresh("fork-straight"), self.fresh("fork-killed")
        self.assert_exit(fork(source, straight, *change), 0, f"the last of {source}", "step-00000024")
        self.assert_exit(fork(source / "checkpoints", straight, *change), 0)
        for point in ("checkpoint.before_rename:1", "train.update:3", "train.update:4"):
            self.assertEqual(fork(source, killed, *change, failpoint=point).returncode, -signal.SIGKILL)
        shutil.rmtree(source)  # the new run holds what it needs of the old one
        self.assert_exit(fork(f"{source}@last", killed, *change), 0, "continuing from")
        self.assert_same_weights(killed, straight)
        self.assertEqual(train_case.metrics(killed), train_case.metrics(straight))
        done = fork(source, killed, *change)
        self.assertIn("finished already", done.stdout)
        self.assert_exit(fork(train_case.BASE, killed, *change), 2, "was forked from", "--run-dir")
        self.assert_exit(fork(source, killed, "optim.lr=0.001", "train.stop=32 updates"), 3, "optim.lr: 0.004 -> 0.001",
                         "--from")
        other = self.fresh("no-fork")
        shutil.copytree(train_case.BASE, other, symlinks=True)
        self.assert_exit(fork(train_case.BASE, other), 2, "a run that --from did not start", "--run-dir")

    def test_a_finished_cosine_goes_on_with_another_schedule(self):
        run = self.fresh("constant")
        done = fork(train_case.BASE, run, "schedule.name=constant", "train.stop=30 updates", "log.every=1 updates")
        self.assert_exit(done, 0, "schedule.name: cosine -> constant", "train.stop: 24 updates -> 30 updates",
                         "0.01, constant")
        self.assertEqual([row["lr"] for row in rows(run)], [0.01] * 6)
        # The schedule's period is computed anew, counted from the very first update: half of the 48 updates are done.
        longer = self.fresh("longer")
        self.assert_exit(fork(train_case.BASE, longer, "train.stop=48 updates", "log.every=1 updates"), 0)
        fresh = self.trained("fresh-48", "train.stop=48 updates", "log.every=1 updates")
        self.assertEqual([row["lr"] for row in rows(longer)], [row["lr"] for row in rows(fresh) if row["update"] > 24])
        self.assert_exit(fork(train_case.BASE, self.fresh("zero"), "schedule.period=24 updates",
                              "train.stop=30 updates"), 3, "learning rate of 0", "schedule.name=constant")
        self.assert_exit(fork(train_case.BASE, self.fresh("over"), "optim.lr=0.001"), 3, "no updates remain",
                         "train.stop")
        for name in ("zero", "over"):
            self.assertFalse((train_case.FOLDER / name).exists(), name)

    def test_another_optimizer_starts_anew(self):
        run = self.fresh("changed-optimizer")
        done = fork(train_case.BASE, run, "optim.name=nag", "schedule.name=constant", "train.stop=26 updates")
        self.assert_exit(done, 0, "nag starts without state: adamw -> nag")
        self.assertEqual(state(run / "checkpoints/step-00000024")["optimizer_steps"], 0)
        self.assertEqual(state(train_case.last(run))["optimizer_steps"], 2)
        kept = self.fresh("kept-optimizer")
        self.assert_exit(fork(train_case.BASE, kept, "optim.beta2=0.9", "schedule.name=constant",
                              "train.stop=26 updates"), 0, "state of adamw after 24 steps")
        self.assertEqual(state(train_case.last(kept))["optimizer_steps"], 26)
        name = "optimizer-00000-of-00001.safetensors"
        self.assertEqual((kept / "checkpoints/step-00000024" / name).read_bytes(),
                         (train_case.last(train_case.BASE) / name).read_bytes())

    def test_other_data_start_at_their_beginning(self):
        text = train_case.FOLDER / "second.txt"
        train_case.write_text(text, 200, 9)
        prepared = subprocess.run([train_case.LONGBOW, "prepare",
                                   "--tokenizer", f"word:{train_case.FOLDER / 'store' / 'dict.txt'}",
                                   "--train", str(text), "--out", str(train_case.FOLDER / "second"), "--quiet"],
                                  capture_output=True, text=True)
        self.assertEqual(prepared.returncode, 0, prepared.stderr)
        run = self.fresh("second-store")
        done = fork(train_case.BASE, run, f"data.store={train_case.FOLDER / 'second'}", "schedule.name=constant",
                    "train.stop=26 updates")
        self.assert_exit(done, 0, "starts at the beginning", "has no valid split")
        first, end = state(run / "checkpoints/step-00000024"), state(train_case.last(run))
        self.assertEqual((first["updates"], first["samples"], end["samples"], end["tokens"]), (24, 0, 16, 26 * 128))
        self.assertNotIn("train.txt", (run / "config.yaml").read_text())
        self.assertLess(rows(run)[-1]["epoch"], 1)

    def test_another_length_keeps_the_tokens_seen(self):
        run = self.fresh("length")
        done = fork(train_case.BASE, run, "train.length=32", "eval.lengths=[32]", "schedule.name=constant",
                    f"train.stop={24 * 128 + 4 * 256} tokens", "log.every=1 updates")
        self.assert_exit(done, 0, "192 inputs of 16 tokens are 96 of 32")
        self.assertEqual((state(train_case.last(run))["updates"], state(train_case.last(run))["samples"]),
                         (28, 96 + 32))
        before = rows(train_case.BASE)[-1]["epoch"]
        self.assertGreater(rows(run)[0]["epoch"], before)
        self.assertLess(rows(run)[0]["epoch"], before + 0.5)

    def test_what_does_not_fit_is_named_and_leaves_nothing(self):
        refused = self.fresh("refused")
        source = train_case.BASE
        for code, texts, arguments in (
                (3, ("layers.0.ffn.in.weight", "[32, 16]", "[48, 16]", "model.ffn_dim: 32 -> 48"),
                 ("model.ffn_dim=48",)),
                (3, ("layers.1.attention.k.weight", "is not in the checkpoint"), ("model.layers=2",)),
                (2, ("train.init_from", "--from"), (f"train.init_from={source}",)),
                (3, ("model.init",), ("model.init=gpt2",)),
                (2, ("--resume",), ("--resume", "auto")),
                (2, ("-c",), ("-c", str(train_case.CONFIG_FILE))),
                (3, ("optim.lrr",), ("optim.lrr=1",))):
            with self.subTest(arguments=arguments):
                self.assert_exit(fork(source, refused, *arguments, "train.stop=30 updates"), code, *texts)
                self.assertFalse(refused.exists())
        self.assert_exit(fork(f"{source}@step=5", refused), 5, "step=")
        done = subprocess.run([train_case.LONGBOW, "train", "--from", str(source)], capture_output=True, text=True)
        self.assert_exit(done, 2, "--run-dir")
        done = subprocess.run([train_case.LONGBOW, "train"], capture_output=True, text=True)
        self.assert_exit(done, 2, "-c FILE", "--from")

    def test_position_methods_without_weights_may_change(self):
        run = self.fresh("rotary")
        self.assert_exit(fork(train_case.BASE, run, "position.method=rotary", "schedule.name=constant",
                              "train.stop=25 updates"), 0, "position.method: alibi -> rotary")

    def test_another_method_starts_its_parameters_anew(self):
        steady = ("schedule.name=constant",)
        biased = self.fresh("biased")
        self.assert_exit(fork(train_case.BASE, biased, "position.method=t5", "train.stop=28 updates", *steady), 0,
                         "new, with first values and no optimizer state: position.weight")
        done = subprocess.run([train_case.LONGBOW, "verify", str(biased), "--threads", "1"], capture_output=True, text=True)
        self.assert_exit(done, 0)
        # A modifier's parameters are new; the method's own go on with their state.
        modified = self.fresh("modified")
        self.assert_exit(fork(biased, modified, "position.temperature=ssmax", "train.stop=30 updates", *steady), 0,
                         "new, with first values and no optimizer state: position.temperature")
        plain = self.fresh("plain")
        done = fork(modified, plain, "position.method=alibi", "position.temperature=none", "train.stop=32 updates", *steady)
        self.assert_exit(done, 0, "left out: position.temperature, position.weight")

    def test_a_dry_run_says_what_comes_along_and_writes_nothing(self):
        run = self.fresh("planned-fork")
        done = fork(train_case.BASE, run, "--dry-run", "optim.name=sgd", "schedule.name=constant",
                    "train.stop=34 updates")
        self.assert_exit(done, 0)
        self.assertRegex(done.stdout, r"the run +10 updates")
        self.assertIn("sgd starts without state", done.stdout)
        self.assertFalse(run.exists())

    def test_several_seeds_fork_alike(self):
        run = self.fresh("fork-seeds")
        arguments = ("train.seeds=[1, 2]", "schedule.name=constant", "train.stop=28 updates")
        self.assertEqual(fork(train_case.BASE, run, *arguments, failpoint="train.update:6").returncode, -signal.SIGKILL)
        done = fork(train_case.BASE, run, *arguments)
        self.assert_exit(done, 0)
        straight = self.fresh("fork-one-seed")
        self.assert_exit(fork(train_case.BASE, straight, *arguments[1:]), 0)
        self.assert_same_weights(run / "seed-1", straight)
        self.assertNotEqual(rows(run / "seed-2"), rows(straight))

    def test_a_fork_verifies_and_is_evaluated(self):
        run = self.fresh("fork-verify")
        self.assert_exit(fork(f"{train_case.BASE}@step=21", run, "schedule.name=constant", "train.stop=27 updates"), 0)
        done = subprocess.run([train_case.LONGBOW, "verify", str(run), "--threads", "1", "--device", "cpu"],
                              capture_output=True, text=True)
        self.assert_exit(done, 0)
        self.assertIn("bit for bit", done.stdout)
        done = subprocess.run([train_case.LONGBOW, "eval", str(run), "--data", str(train_case.FOLDER / "store"),
                               "--lengths", "16", "--threads", "1"], capture_output=True, text=True)
        self.assert_exit(done, 0)
        again = self.fresh("of-its-config")
        done = train_case.subprocess.run([train_case.LONGBOW, "train", "-c", str(run / "config.yaml"),
                                          f"train.init_from={run}@last", "train.stop=4 updates",
                                          "--run-dir", str(again), "--threads", "1"], capture_output=True, text=True)
        self.assert_exit(done, 0, "weights from")


setUpModule, tearDownModule = train_case.set_up, train_case.tear_down


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
