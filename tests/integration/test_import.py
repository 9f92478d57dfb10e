"""Tests `longbow import fairseq`, and what can be done with the result, through the real binary: the golden checkpoints
of the authors' code must give their perplexities and log-probabilities."""

import json
import shutil
import unittest

from import_case import CHECKPOINT, DATA, GOLDEN, USAGE, ImportCase, npy, safetensors


class GoldenCheckpoints(ImportCase):
    def check(self, method):
        folder = GOLDEN / f"{method}_adaptive"
        run = self.run_import(folder / "checkpoint.pt", method, folder / "dict.txt")
        text, count = self.text_of(method)
        expected = safetensors(folder / "expected.safetensors")
        for row in json.loads((folder / "results.json").read_text()):
            logprobs = self.dir / "logprobs.npy"
            answer = json.loads(self.run_longbow("eval", run, "--text", text, "--lengths", row["L"], "--stride",
                                                 row["stride"], "--json", "--token-logprobs", logprobs, "--again"))
            self.assertEqual((answer["tokens"], answer["position"], answer["train_length"]), (count, method, 32))
            self.assertLess(abs(answer["ppl"] / row["ppl_f64"] - 1), 1e-6, row)
            found = npy(logprobs)
            theirs = expected[f"logprobs_L{row['L']}_ctx{row['context_window']}"]
            self.assertEqual(len(found), len(theirs))
            self.assertLess(max(abs(a - b) for a, b in zip(found, theirs)), 2e-5, row)

    def test_alibi(self):
        self.check("alibi")

    def test_sinusoidal(self):
        self.check("sinusoidal")

    def test_rotary(self):
        self.check("rotary")

    def test_t5(self):
        self.check("t5")


class WhatAnImportedModelIsGoodFor(ImportCase):
    def test_inspect_generate_and_train_on(self):
        run = self.run_import(GOLDEN / "alibi_adaptive/checkpoint_oldstyle.pt")
        about = json.loads(self.run_longbow("inspect", "checkpoint", run, "--verify", "--json"))
        self.assertEqual((about["manifest"]["position"], about["manifest"]["vocab_size"], about["verified"]),
                         ("alibi", 1000, True))
        self.assertIn("head.classes", [weight["name"] for weight in about["weights"]])
        generated = self.run_longbow("generate", run, "--prompt", "w1 w2", "--max-new-tokens", "5", "--past-boundary")
        self.assertTrue(generated.startswith("w1 w2"), generated)

        text, _ = self.text_of("alibi")
        store = self.dir / "store"
        self.run_longbow("prepare", "--tokenizer", f"word:{run}/checkpoints/last", "--train", text, "--valid", text,
                         "--out", store)
        settings = ["data.store=" + str(store), "train.init_from=" + str(run), "train.length=32", "train.batch=2",
                    "train.stop=1 updates", "optim.lr=1e-9", "eval.lengths=[32]", "log.tensorboard=false"]
        config = self.dir / "model.yaml"
        model = (run / "config.yaml").read_text().split("position:")[0]
        config.write_text("\n".join(line for line in model.splitlines() if "init:" not in line)
                          + "\nposition:\n  method: alibi\n")
        self.run_longbow("train", "-c", config, *settings, "--run-dir", self.dir / "on")

        def perplexity(checkpoint):
            return json.loads(self.run_longbow("eval", checkpoint, "--data", store, "--lengths", "32", "--json"))["ppl"]

        self.assertAlmostEqual(perplexity(self.dir / "on") / perplexity(run), 1, places=4)

    def test_our_own_save_and_load_keep_the_perplexity(self):
        run = self.run_import(GOLDEN / "alibi_adaptive/checkpoint.pt")
        text, _ = self.text_of("alibi")
        copy = self.dir / "copy"
        shutil.copytree(run / "checkpoints/last", copy)  # a checkpoint needs nothing beside it
        rows = [json.loads(self.run_longbow("eval", place, "--text", text, "--lengths", "48", "--json",
                                            "--out", self.dir / f"{i}.jsonl"))
                for i, place in enumerate((run, copy))]
        self.assertEqual(rows[0]["ppl"], rows[1]["ppl"])
        self.assertEqual(rows[0]["nll"], rows[1]["nll"])


class Mistakes(ImportCase):
    def test_position_and_dictionary(self):
        t5 = GOLDEN / "t5_adaptive"
        self.assertIn("--position t5 is right, not alibi",
                      self.run_import(t5 / "checkpoint.pt", "alibi", t5 / "dict.txt", code=CHECKPOINT))
        self.assertIn("did you mean alibi?",
                      self.run_import(t5 / "checkpoint.pt", "alibbi", t5 / "dict.txt", code=USAGE))
        short = self.dir / "dict.txt"
        short.write_text("".join((t5 / "dict.txt").read_text().splitlines(keepends=True)[:-3]))
        self.assertIn("fills the vocabulary up to a multiple of 8",
                      self.run_import(t5 / "checkpoint.pt", "t5", short, code=DATA))
        self.assertIn("No such file", self.run_import(self.dir / "none.pt", code=CHECKPOINT))
        self.assertIn("not a file of torch.save", self.run_import(short, code=CHECKPOINT))

    def test_a_taken_place(self):
        run = self.run_import(GOLDEN / "alibi_adaptive/checkpoint.pt")
        folder = GOLDEN / "alibi_adaptive"
        error = self.run_longbow("import", "fairseq", folder / "checkpoint.pt", "--dict", folder / "dict.txt",
                                 "--position", "alibi", "--out", run, code=USAGE)
        self.assertIn("already exists", error)


if __name__ == "__main__":
    unittest.main()
