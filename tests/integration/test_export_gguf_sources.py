"""`longbow export gguf` of tokenizers and of what was imported: a file has the ids of the run, public models come back as they
were, and so does a file of llama.cpp's. Needs NumPy and gguf; skipped (exit status 77) without them. LONGBOW_GOLDEN_HF names
another folder with public models than tests/golden/hf."""

import os
import pathlib
import sys
import unittest

try:
    import gguf
    import numpy as np
    from gguf_case import (CHECKPOINT, EXACT, LLAMA, NO_BIAS, PLAIN, TEXTS, ExportCase, checkpoint, longbow, read, write)
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
GOLDEN = pathlib.Path(os.environ.get("LONGBOW_GOLDEN_HF", SOURCE / "tests/golden/hf"))
# Golden folders and what their models are exported to; None: nothing holds them.
FOLDERS = {"bloom_heads4": "bloom", "bloom_heads12": "bloom", "falcon_7b_like": "falcon", "falcon_rw": None, "gpt2": "gpt2",
           "gptj": "phi2", "llama": "llama", "llama3": "llama", "llama_dynamic": None, "llama_linear": "llama",
           "mistral": None, "mpt_biasmax16": "mpt", "mpt_heads4": "mpt", "mpt_heads10": "mpt", "neox": "gptneox",
           "opt": None, "phi": "phi2", "qwen2": "qwen2", "qwen3": "qwen3"}


class Tokenizers(ExportCase):
    def test_our_byte_level_kind(self):
        run = self.train(*LLAMA, PLAIN)
        path = self.export(run)
        fields, _ = read(path)
        self.assertEqual((fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]), ("gpt2", "gpt-2"))
        end = fields["tokenizer.ggml.tokens"].index("<|endoftext|>")
        self.assertEqual(fields["tokenizer.ggml.token_type"][end], gguf.TokenType.CONTROL)
        self.assertEqual((fields["tokenizer.ggml.eos_token_id"], fields["tokenizer.ggml.bos_token_id"]), (end, end))
        self.assertFalse(fields["tokenizer.ggml.add_bos_token"])
        self.assertEqual(self.ids(checkpoint(self.imported("gguf", path))), self.ids(self.folder / "store"))

    def test_sentencepiece(self):
        for model in ("bpe", "unigram"):
            with self.subTest(model):
                store = self.dir / f"store_{model}"
                run = self.train(*LLAMA, PLAIN, "tokenizer.kind=sentencepiece", f"tokenizer.sentencepiece_model={model}",
                                 "tokenizer.vocab_size=290", f"data.store={store}", f"data.train={self.folder}/train.txt")
                path = self.export(run)
                fields, _ = read(path)
                if model == "unigram":
                    self.assertEqual(fields["tokenizer.ggml.model"], "no_vocab")
                    self.assertIn("no tokenizer: its model is of the type Unigram", self.said)
                    self.assertIn("--tokenizer", longbow("import", "gguf", path, "--out", self.dir / "no", code=CHECKPOINT))
                    continue
                self.assertEqual(fields["tokenizer.ggml.model"], "llama")
                types = fields["tokenizer.ggml.token_type"]
                self.assertEqual(types.count(gguf.TokenType.BYTE), 256)
                self.assertEqual(fields["tokenizer.ggml.tokens"][fields["tokenizer.ggml.unknown_token_id"]], "<unk>")
                self.assertIn("in front of each of its lines", self.said)
                lines = [text for text in TEXTS if "\n" not in text and text]
                self.assertEqual(self.ids(checkpoint(self.imported("gguf", path)), lines), self.ids(store, lines))

    def test_a_kind_without_a_form(self):
        run = self.train(*LLAMA, PLAIN, "tokenizer.kind=word", "tokenizer.vocab_size=0", f"data.store={self.dir}/store",
                         f"data.train={self.folder}/train.txt")
        path = self.export(run)
        fields, tensors = read(path)
        self.assertEqual(fields["tokenizer.ggml.model"], "no_vocab")
        self.assertEqual(fields["llama.vocab_size"], tensors["token_embd.weight"][1].shape[0])
        self.assertIn("no tokenizer: ", self.said)


class Imported(ExportCase):
    def test_public_models(self):
        missing = set(FOLDERS) - {path.name for path in GOLDEN.iterdir()}
        self.assertFalse(missing)
        for folder in sorted(path for path in GOLDEN.iterdir() if (path / "config.json").exists()):
            with self.subTest(folder.name):
                run = self.imported("hf", folder)
                if FOLDERS.get(folder.name, "") is None:
                    self.assertIn("in the way", self.export(run, code=CHECKPOINT))
                    continue
                path = self.export(run, "--dtype", "fp32")
                fields, _ = read(path)
                if folder.name in FOLDERS:
                    self.assertEqual(fields["general.architecture"], FOLDERS[folder.name])
                again = self.imported("gguf", path)
                self.assert_same_model(run, path, again, 64, EXACT, words=100)
                self.assertNotIn("no tokenizer", self.said)
                texts = [text for text in TEXTS if folder.name != "mistral" or not text.startswith(" ")]
                self.assertEqual(self.ids(checkpoint(again), texts), self.ids(checkpoint(run), texts))

    def test_ids_of_a_padded_vocabulary(self):
        run = self.imported("hf", GOLDEN / "llama3")
        fields, _ = read(self.export(run))
        tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
        self.assertEqual(len(set(tokens)), len(tokens))
        self.assertTrue(fields["tokenizer.ggml.add_bos_token"])
        self.assertEqual(tokens[fields["tokenizer.ggml.bos_token_id"]], "<|begin_of_text|>")
        self.assertEqual(fields["tokenizer.ggml.pre"], "llama-bpe")
        for text, kind in zip(tokens, types):
            self.assertEqual(text.startswith("[PAD"), kind == gguf.TokenType.UNUSED, text)

    def test_a_file_comes_back(self):
        """All metadata of the tokenizer and the general ones are those that the file came with, and all tensors."""
        run = self.train(*LLAMA, PLAIN, "model.kv_heads=3", NO_BIAS)
        fields, tensors = read(self.export(run))
        def extra(writer):
            writer.add_license("CC0-1.0")
            writer.add_chat_template("{{ messages }}")
        fields |= {"general.name": "A model's own name", "tokenizer.ggml.pre": "phi-2", "tokenizer.ggml.eos_token_id": 7}
        path = write(self.dir / "other.gguf", fields, tensors, extra)
        again, values = read(self.export(self.imported("gguf", path)))
        before, _ = read(path)
        for key, value in before.items():
            if key.startswith(("general.", "tokenizer.", "llama.")):
                self.assertEqual(again[key], value, key)
        self.assertEqual(again["tokenizer.ggml.pre"], "phi-2")
        for name, (kind, array) in tensors.items():
            self.assertEqual(values[name][0], kind)
            np.testing.assert_array_equal(values[name][1], array, name)


if __name__ == "__main__":
    unittest.main()
