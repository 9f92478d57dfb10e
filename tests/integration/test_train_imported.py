"""Tests training on from an imported public model: its tokenizer, the rows of its embedding, its types and what its
family does with a BOS go on with the run."""

import json
import shutil
import unittest

from hf_case import FOLDERS, checkpoint_of
from import_case import DATA
from test_public_models import PublicCase

# A Llama has a BOS; bloom_heads12 and neox have more rows than ids; opt is fp16, falcon_7b_like and mistral bf16; gpt2
# and opt have learned positions. bloom_heads4 does not say its length.
MODELS = ("llama", "bloom_heads12", "neox", "opt", "falcon_7b_like", "mistral", "gpt2", "bloom_heads4")


class TrainOn(PublicCase):
    def manifest(self, run, which="last"):
        return json.loads((self.dir / run / "checkpoints" / which / "manifest.json").read_text())

    def prepare(self, run):
        shutil.rmtree(self.dir / "store", ignore_errors=True)
        kind = json.loads((checkpoint_of(run) / "tokenizer.meta.json").read_text())["kind"]
        self.run_verb("prepare", "--tokenizer", f"{kind}:{run}", "--train", self.text, "--valid", self.text, "--out", "store")

    def train(self, name, run, stop, *more, code=0):
        return self.run_verb("train", "-c", run / "config.yaml", f"train.init_from={run}", "data.store=store", "train.length=16",
                             "train.batch=2", f"train.stop={stop} updates", "schedule.name=constant", "--run-dir", name, *more, code=code)

    def test_every_kind_of_import(self):
        for name in MODELS:
            with self.subTest(name):
                for leftover in ("trained", "run"):
                    shutil.rmtree(self.dir / leftover, ignore_errors=True)
                run = self.import_hf(FOLDERS / name)
                theirs = json.loads((checkpoint_of(run) / "manifest.json").read_text())
                self.prepare(run)
                self.train("trained", run, 1)
                self.train("trained", run, 3)  # resumed
                ours = self.manifest("trained")
                self.assertEqual(ours["update"], 3)
                for key in ("bos", "tokenizer", "vocab_size", "parameters"):
                    self.assertEqual(ours[key], theirs[key], key)
                # A run that starts from it keeps them too.
                shutil.rmtree(self.dir / "forked", ignore_errors=True)
                self.run_verb("train", "--from", "trained", "train.stop=4 updates", "--run-dir", "forked")
                self.assertEqual(self.manifest("forked")["bos"], theirs["bos"])
                self.assertEqual(self.manifest("forked")["vocab_size"], theirs["vocab_size"])
                self.run_verb("verify", "trained")

    def test_evaluation_goes_on_as_the_family_does(self):
        run = self.import_hf(self.model)
        self.prepare(run)
        self.train("trained", run, 2)
        for place in (run, "trained@step=0"):
            self.run_verb("eval", place, "--data", "store", "--protocol", "hf", "--lengths", 32, "--out", "rows.jsonl")
        first, second = self.rows(self.dir / "rows.jsonl")
        self.assertEqual((first["bos"], second["bos"]), ("first", "first"))
        self.assertEqual(first["nll"], second["nll"], "no update has changed the weights")
        self.run_verb("generate", "trained", "--prompt", "line", "--max-new-tokens", 2)

    def test_a_public_folder_gives_first_weights(self):
        run = self.import_hf(self.model)
        self.prepare(run)
        self.train("from_run", run, 1)
        self.run_verb("train", "-c", run / "config.yaml", f"train.init_from={self.model}", "data.store=store", "train.length=16",
                      "train.batch=2", "train.stop=1 updates", "schedule.name=constant", "--run-dir", "from_folder")
        self.assertEqual(self.manifest("from_run")["files"]["model.safetensors"]["size"],
                         self.manifest("from_folder")["files"]["model.safetensors"]["size"])
        self.assertEqual(self.manifest("from_folder")["bos"], "first")
        for folder in ("from_run", "from_folder"):
            self.run_verb("eval", f"{folder}@last", "--data", "store", "--lengths", 16, "--out", "rows.jsonl")
        self.assertEqual(*[row["nll"] for row in self.rows(self.dir / "rows.jsonl")])

    def test_another_tokenizer_is_refused_with_the_remedy(self):
        run = self.import_hf(self.model)
        self.run_verb("prepare", "--tokenizer", "bpe", "--vocab-size", 300, "--train", self.text, "--valid", self.text, "--out", "store")
        _, log = self.train("trained", run, 1, code=DATA)
        self.assertIn("--tokenizer KIND:RUN", log)


if __name__ == "__main__":
    unittest.main()
