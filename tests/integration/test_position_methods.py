"""Trains a tiny model with each position method whose numbers are learned, continues it, and measures it beyond the
length of its training; measures runs with modifiers that they were not trained with."""

import json
import subprocess
import unittest

import train_case
from patience import PATIENCE

LEARNED = {"fire": ("position.threshold_length=8",), "fox": (), "grape": ("position.gate=key",), "wall": (), "cope": (),
           "dape": (), "path": ("position.fox=true",), "pope": (), "alibi": ("position.trainable=true",),
           "kerple": ("position.kernel=power",), "rotary": ("position.temperature=ssmax", "position.temperature_bias=true", "position.sink_logit=true")}
FIXED = ("xpos", "stick_breaking")


def setUpModule():
    train_case.set_up()


def tearDownModule():
    train_case.tear_down()


class Methods(train_case.TrainCase):
    def eval(self, run, *arguments, lengths="16,64"):
        out = train_case.FOLDER / "rows.jsonl"
        out.unlink(missing_ok=True)
        done = subprocess.run([train_case.LONGBOW, "eval", str(run), "--data", str(train_case.FOLDER / "store"), "--split", "valid",
                               "--lengths", lengths, "--threads", "1", "--out", str(out), *arguments],
                              capture_output=True, text=True, timeout=PATIENCE)
        rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
        return done, rows

    def test_training_goes_on_bit_for_bit(self):
        for method, options in {**LEARNED, **dict.fromkeys(FIXED, ())}.items():
            with self.subTest(method):
                run = self.fresh(method)
                settings = (f"position.method={method}", *options, "schedule.name=constant", "schedule.warmup=0 updates",
                            "checkpoint.every=2 updates",
                            "eval.every=4 updates")
                self.assert_exit(train_case.train(run, *settings, "train.stop=2 updates"), 0)
                self.assert_exit(train_case.train(run, *settings, "train.stop=4 updates"), 0, "continuing from")
                done = subprocess.run([train_case.LONGBOW, "verify", str(run), "--threads", "1"], capture_output=True,
                                      text=True, timeout=PATIENCE)
                self.assert_exit(done, 0)
                self.assertIn("bit for bit", done.stdout)
                done, rows = self.eval(run)
                self.assert_exit(done, 0)
                self.assertEqual([row["length"] for row in rows], [16, 64])
                for row in rows:
                    self.assertLess(row["nll"], 6)

    def test_modifiers_apply_to_what_was_trained_without(self):
        done, plain = self.eval(train_case.BASE)
        self.assert_exit(done, 0)
        for changes, same in ((("position.sink_logit=true",), False), (("position.temperature=log_n",), False),
                              (("position.temperature=head_scale",), True), (("position.draw=integers",), False),
                              (("position.window=8", "position.sinks=2"), False), (("position.interpolate=true",), False)):
            with self.subTest(changes):
                done, rows = self.eval(train_case.BASE, *changes)
                self.assert_exit(done, 0)
                self.assertEqual(rows[1]["overrides"], " ".join(changes))
                self.assertEqual(rows[1]["nll"] == plain[1]["nll"], same)

    def test_ranges_of_a_trained_rotary_model(self):
        run = self.fresh("turned")
        self.assert_exit(train_case.train(run, "position.method=rotary", "schedule.warmup=0 updates", "train.stop=3 updates"), 0)
        losses = {}
        for name in ("rerope", "leaky_rerope", "self_extend"):
            done, rows = self.eval(run, f"position.range={name}")
            self.assert_exit(done, 0)
            losses[name] = rows[1]["nll"]
        for name in ("lm_infinite", "streaming"):
            done, rows = self.eval(run, f"position.range={name}", "position.window=8", "position.sinks=2")
            self.assert_exit(done, 0)
            losses[name] = rows[1]["nll"]
        self.assertEqual(len(set(losses.values())), len(losses), losses)

    def test_what_a_method_does_not_take_is_refused(self):
        for arguments, texts in ((("position.method=fox", "position.draw=integers"), ("draw",)),
                                 (("position.range=rerope",), ("range",)),
                                 (("position.temperature_floor=4",), ("temperature_floor", "position.temperature: llama4")),
                                 (("position.sinks=2",), ("sinks", "window")),
                                 (("position.method=cope", "attention.backend=sdpa"), ("only reference",)),
                                 (("position.method=wall", "attention.backend=sdpa"), ("each channel",)),
                                 (("position.method=fire", "attention.backend=fused"), ("do not add", "curve")),
                                 (("position.method=kerple", "position.draw=floats"), ("draw",))):
            with self.subTest(arguments):
                run = self.fresh("refused")
                done = train_case.train(run, *arguments)
                self.assert_exit(done, 3, *texts)
                self.assertFalse((run / "checkpoints").exists())


if __name__ == "__main__":
    unittest.main()
