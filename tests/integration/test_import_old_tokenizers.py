"""Tests which tokenizer `longbow import hf` makes of folders from before tokenizer.json: of vocab.json and merges.txt, and
of a tokenizer.model, with the files that say which tokens are special and whether a BOS begins a text."""

import json
import unittest

from hf_case import FOLDERS, HfCase, Model, checkpoint_of


class FoldersWithoutTokenizerJson(HfCase):
    """Is their tokenizer that of the golden folder's tokenizer.json, from which the older files are made here?"""

    def imported(self, folder):
        """Returns the tokenizer of the checkpoint, and what its manifest says of a BOS."""
        checkpoint = checkpoint_of(self.import_hf(folder))
        manifest = json.loads((checkpoint / "manifest.json").read_text())
        about = {key: json.loads((checkpoint / "tokenizer.meta.json").read_text())[key] for key in ("kind", "boundary")}
        return json.loads((checkpoint / "tokenizer.json").read_text()), {**about, "bos": manifest["bos"]}

    def folder_of(self, name):
        model = Model(name)
        folder = model.write(self.dir / "model")
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        (folder / "tokenizer.json").unlink()
        return folder, tokenizer

    def same_model(self, ours, theirs, *keys):
        self.assertEqual([merge.split(" ") for merge in ours["model"]["merges"]], theirs["model"]["merges"])
        for key in ("vocab", *keys):
            self.assertEqual(ours["model"][key], theirs["model"][key], key)

    def test_opt(self):
        folder, theirs = self.folder_of("opt")
        # The two tokens that were learnt last make room for two that are added.
        vocab = {token: id for token, id in theirs["model"]["vocab"].items() if id < 318}
        theirs["model"].update(vocab=vocab, merges=[one for one in theirs["model"]["merges"] if "".join(one) in vocab])
        (folder / "vocab.json").write_text(json.dumps(theirs["model"]["vocab"]))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(
            " ".join(merge) + "\n" for merge in theirs["model"]["merges"]))
        flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
        end, pad = {"content": "</s>", **flags}, {"content": "<pad>", **flags}
        (folder / "tokenizer_config.json").write_text(json.dumps(
            {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": False, "errors": "replace",
             "bos_token": end, "eos_token": end, "unk_token": end}))
        (folder / "special_tokens_map.json").write_text(json.dumps(
            {"bos_token": end, "eos_token": end, "pad_token": pad}))
        (folder / "added_tokens.json").write_text(json.dumps({"<later>": 319, "<sooner>": 318}))
        ours, about = self.imported(folder)
        self.assertEqual(about, {"kind": "hf", "boundary": "</s>", "bos": "first"})
        self.same_model(ours, theirs)
        self.assertEqual(ours["pre_tokenizer"]["type"], "ByteLevel")
        self.assertEqual(ours["post_processor"]["special_tokens"]["</s>"]["ids"], [2])
        self.assertEqual({one["content"]: (one["id"], one["special"]) for one in ours["added_tokens"]},
                         {"</s>": (2, True), "<pad>": (1, True), "<later>": (319, False), "<sooner>": (318, False)})

    def test_llama(self):
        folder, theirs = self.folder_of("llama")
        (folder / "tokenizer.model").write_bytes((FOLDERS / "llama/tokenizer.model").read_bytes())
        ours, about = self.imported(folder)
        self.assertEqual(about, {"kind": "hf", "boundary": "<s>", "bos": "first"})
        self.same_model(ours, theirs, "unk_token", "fuse_unk", "byte_fallback")
        self.assertEqual(ours["normalizer"], theirs["normalizer"])
        self.assertEqual(ours["decoder"], theirs["decoder"])
        self.assertEqual(ours["pre_tokenizer"], None)
        self.assertEqual({one["content"]: one["id"] for one in ours["added_tokens"]}, {"<unk>": 0, "<s>": 1, "</s>": 2})
        (folder / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": False}))
        ours, about = self.imported(folder)
        self.assertEqual((ours["post_processor"], about["bos"]), (None, "never"))

    def test_damaged_settings(self):
        folder, _ = self.folder_of("llama")
        (folder / "tokenizer.model").write_bytes((FOLDERS / "llama/tokenizer.model").read_bytes())
        for text in ("[]", "{", "\x00"):
            (folder / "tokenizer_config.json").write_text(text)
            self.assertIn("tokenizer_config.json", self.import_hf(folder, code=4))


if __name__ == "__main__":
    unittest.main()
