"""Tests that nothing is imported into the cache for a command that is refused: what a public model is to be measured on,
where the results go and what its settings allow are looked at first."""

import unittest

from hf_case import Model
from import_case import CHECKPOINT, DATA, USAGE
from public_case import FOUND, IMPORTED, PublicCase

FAILURE, CONFIG = 1, 3


class Checks(PublicCase):
    def setUp(self):
        super().setUp()
        self.gpt2 = Model("gpt2").write(self.dir / "gpt2")  # its positions end
        self.end = Model("gpt2").settings["n_positions"]

    def refused(self, code, text, *arguments):
        with self.subTest(" ".join(map(str, arguments))):
            _, log = self.run_verb(*arguments, code=code)
            self.assertIn(str(text), log)
            self.assertNotIn(IMPORTED, log)
            self.assertEqual(self.entries(), [])

    def test_eval(self):
        (self.dir / "empty.txt").write_text("")
        store = self.dir / "store"
        self.run_verb("prepare", "--tokenizer", f"hf:{self.model}", "--train", self.text, "--out", store)
        lengths = ("--lengths", "16")
        for code, text, *arguments in (
                (DATA, "nowhere.txt", "--text", "nowhere.txt"),
                (DATA, "it is a folder", "--text", self.model),
                (DATA, "no tokens", "--text", "empty.txt"),
                (DATA, "nowhere.npy", "--ids", "nowhere.npy"),
                (DATA, "text.txt", "--ids", self.text),
                (DATA, "nowhere", "--data", "nowhere"),
                (DATA, "valid", "--data", store),
                (CHECKPOINT, "missing", "missing", "--text", self.text),
                (CONFIG, "position.scaling", "position.scaling=nonsense", "--text", self.text),
                (FAILURE, "nowhere", "--text", self.text, "--out", "nowhere/rows.jsonl"),
                (USAGE, "needs {run}", "gpt2", "--text", self.text, "--token-logprobs", "x.npy"),
                (USAGE, "the text that is measured", "--text", self.text, "--out", self.text)):
            self.refused(code, text, "eval", self.model, *arguments, *lengths)
        # The other model is refused, and neither is imported.
        self.refused(USAGE, f"ends at {self.end}", "eval", self.model, self.gpt2, "--text", self.text, "--lengths",
                     2 * self.end)

    def test_other_verbs(self):
        (self.dir / "file").write_text("")
        data = ("--text", "nowhere.txt")
        self.refused(DATA, "nowhere.txt", "probe", "context", self.model, *data)
        self.refused(DATA, "nowhere.txt", "probe", "attention", self.model, *data)
        self.refused(DATA, "nowhere.txt", "probe", "keys", self.model, "--evaluator", self.gpt2, *data)
        self.refused(USAGE, "different tokenizers", "probe", "keys", self.model, "--evaluator", self.gpt2, "--text",
                     self.text, "--short", 16, "--long", 64)
        self.refused(USAGE, f"ends at {self.end}", "probe", "passkey", self.gpt2, "--lengths", 2 * self.end)
        self.refused(FAILURE, "nowhere", "probe", "passkey", self.model, "--out", "nowhere/rows.jsonl")
        store = self.dir / "store"
        self.run_verb("prepare", "--tokenizer", f"hf:{self.model}", "--train", self.text, "--valid", self.text, "--out",
                      store)
        lengths = ("--data", store, "--lengths", "16,32")
        self.refused(FAILURE, "file", "analyze", "early-token", self.model, *lengths, "--out", "file")
        self.refused(DATA, "dev", "analyze", "early-token", self.model, *lengths, "--split", "dev")
        self.refused(USAGE, f"ends at {self.end}", "generate", self.gpt2, "--prompt", "word " * self.end)
        self.refused(FAILURE, "file", "export", "hf", self.model, "--out", "file/model")
        self.refused(FAILURE, "nowhere", "export", "gguf", self.model, "--out", "nowhere/model.gguf")

    def test_a_text_that_can_be_read_once_is_read_once(self):
        _, log = self.run_verb("eval", self.model, "--text", "/dev/stdin", "--lengths", "16,32",
                               shell=f'cat "{self.text}" | "$0" "$@"')
        self.assertIn(IMPORTED, log)
        piped = self.rows()
        _, log = self.eval(self.model, arguments=("--again", "--out", "file.jsonl"))
        self.assertIn(FOUND, log)
        self.assertEqual([row["nll"] for row in piped], [row["nll"] for row in self.rows(self.dir / "file.jsonl")])


if __name__ == "__main__":
    unittest.main()
