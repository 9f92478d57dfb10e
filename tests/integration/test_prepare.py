"""Tests `longbow prepare`: what it writes, what it keeps, and how much memory it takes."""

import gzip
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import unittest

from prepare_case import DATA, LONGBOW, PrepareCase, corpus


class Stores(PrepareCase):
    def test_manifest_counts_and_text(self):
        text = self.train.read_text()
        out = self.prepare()
        self.assertIn("train", out)
        manifest = self.manifest()
        train = manifest["splits"]["train"]
        self.assertEqual(manifest["tokenizer"]["kind"], "bpe")
        self.assertEqual(train["raw_bytes"], len(text.encode()))
        self.assertEqual(train["words"], len(text.split()))
        self.assertEqual(train["documents"], 1)
        self.assertEqual(train["sources"][0]["name"], "train.txt")
        self.assertEqual(sum(s["bytes"] for s in train["shards"]), 2 * train["tokens"])
        span = json.loads(self.run_longbow("inspect", "data", self.store, "--tokens", ":", "--json"))["span"]
        self.assertEqual(span["text"], text + "<|endoftext|>")
        self.assertEqual(len(span["ids"]), train["tokens"])
        self.assertEqual(span["ids"][-1], manifest["tokenizer"]["boundary"])

    def test_word_tokenizer_ends_each_line(self):
        self.prepare(tokenizer="word", size=())
        manifest = self.manifest()
        text = self.train.read_text()
        train = manifest["splits"]["train"]
        self.assertEqual(train["tokens"], len(text.split()) + text.count("\n"))
        self.assertEqual(train["words"], train["tokens"])
        span = json.loads(self.run_longbow("inspect", "data", self.store, "--tokens", "0:50", "--json"))["span"]
        self.assertEqual(" ".join(span["text"].split()), " ".join(text.split()[:len(span["text"].split())]))

    def test_sentencepiece_is_learnt(self):
        for model in ("unigram", "bpe"):
            store = self.dir / model
            self.run_longbow("prepare", "tokenizer.sentencepiece_model=" + model, "--tokenizer", "sentencepiece",
                             "--vocab-size", 300, "--train", self.train, "--out", store)
            train = self.manifest(store)["splits"]["train"]
            self.assertEqual(train["raw_bytes"], self.train.stat().st_size)
            text = json.loads(self.run_longbow("inspect", "data", store, "--tokens", "0:40", "--json"))["span"]["text"]
            self.assertEqual(" ".join(text.split())[:60],
                             " ".join(self.train.read_text().split())[:len(" ".join(text.split())[:60])])

    def test_wordpiece_from_a_vocabulary(self):
        pieces = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(c) for c in range(33, 127)]
                  + ["##" + chr(c) for c in range(97, 123)])
        vocab = self.write("vocab.txt", "\n".join(pieces) + "\n")
        self.prepare(tokenizer=f"wordpiece:{vocab}", size=())
        manifest = self.manifest()
        self.assertEqual(manifest["tokenizer"]["vocab_size"], len(pieces))
        self.assertEqual(manifest["tokenizer"]["boundary"], 3)
        self.assertIsNone(manifest["tokenizer"]["trained"])

    def test_held_out_text_with_an_existing_vocabulary(self):
        self.prepare()
        self.run_longbow("prepare", "--tokenizer", f"bpe:{self.store}", "--valid", self.valid,
                         "--out", self.dir / "held")
        held, both = self.manifest(self.dir / "held"), self.manifest()
        self.assertEqual(list(held["splits"]), ["valid"])
        self.assertEqual(held["splits"]["valid"]["fingerprint"], both["splits"]["valid"]["fingerprint"])
        self.assertEqual(held["tokenizer"]["fingerprint"], both["tokenizer"]["fingerprint"])

    def test_compressed_text_gives_the_same_ids(self):
        self.prepare()
        plain = self.manifest()["splits"]["train"]["fingerprint"]
        data = self.train.read_bytes()
        packed = [self.write("train.gz", gzip.compress(data)), self.write("train.xz", lzma.compress(data))]
        if shutil.which("zstd"):
            subprocess.run(["zstd", "-q", str(self.train)], check=True)
            packed.append(pathlib.Path(str(self.train) + ".zst"))
        for path in packed:
            store = self.dir / (path.name + ".store")
            self.run_longbow("prepare", "--tokenizer", "bpe", "--vocab-size", 400, "--train", path, "--out", store)
            train = self.manifest(store)["splits"]["train"]
            self.assertEqual(train["fingerprint"], plain, path.name)
            self.assertEqual(train["sources"][0]["file_bytes"], path.stat().st_size)

    def test_documents(self):
        text = "one\ntwo\n\n\nthree\n\nfour\n\n\n\n\nfive"
        train = self.write("documents.txt", text)
        for rule, documents in {"file": [text], "line": ["one", "two", "three", "four", "five"],
                                "blank_line": ["one\ntwo\n", "three\n\nfour\n", "five"],
                                "blank_line:1": ["one\ntwo\n", "three\n", "four\n", "five"]}.items():
            store = self.dir / rule.replace(":", "-")
            self.run_longbow("prepare", "--tokenizer", "bpe", "--vocab-size", 260, "--train", train,
                             "--documents", rule, "--out", store)
            manifest = self.manifest(store)
            self.assertEqual(manifest["splits"]["train"]["documents"], len(documents), rule)
            self.assertEqual(manifest["splits"]["train"]["raw_bytes"], len(text))
            span = json.loads(self.run_longbow("inspect", "data", store, "--tokens", ":", "--json"))["span"]["text"]
            self.assertEqual(span, "".join(d + "<|endoftext|>" for d in documents), rule)

    def test_bytes_do_not_depend_on_threads(self):
        self.train = self.write("train.txt", corpus(400000, 3))
        for tokenizer in ("bpe", "word"):
            one, two = self.dir / (tokenizer + "1"), self.dir / (tokenizer + "2")
            self.prepare("--threads", 1, out=one, tokenizer=tokenizer)
            self.prepare("--threads", 2, out=two, tokenizer=tokenizer)
            self.assertEqual(self.contents(one), self.contents(two))

    def test_a_config_says_what_to_prepare(self):
        config = self.write("c.yaml", f"data:\n  train: [{self.train}]\n  valid: [{self.valid}]\n"
                            f"  store: {self.store}\ntokenizer: {{kind: bpe, vocab_size: 300}}\n")
        self.run_longbow("prepare", "-c", config)
        self.assertEqual(self.manifest()["tokenizer"]["vocab_size"], 300)
        self.run_longbow("prepare", "-c", config, "tokenizer.vocab_size=310", "--out", self.dir / "other")
        self.assertEqual(self.manifest(self.dir / "other")["tokenizer"]["vocab_size"], 310)

    def test_overrides_may_stand_after_files(self):
        store = self.dir / "other"
        self.run_longbow("prepare", "--tokenizer", "bpe", "--out", store, "--train", self.train,
                         "tokenizer.vocab_size=310")
        self.assertEqual(self.manifest(store)["tokenizer"]["vocab_size"], 310)
        self.assertIn("tokenizer.vocabsize",
                      self.run_longbow("prepare", "--tokenizer", "bpe", "--out", store, "--train", self.train,
                                       "tokenizer.vocabsize=310", code=3))

    def test_sources_are_not_touched(self):
        before = (self.train.read_bytes(), self.train.stat().st_mtime_ns)
        self.prepare()
        self.assertEqual((self.train.read_bytes(), self.train.stat().st_mtime_ns), before)


class Reuse(PrepareCase):
    def test_the_same_request_keeps_the_store(self):
        self.prepare()
        before = (self.store / "manifest.json").stat().st_mtime_ns
        self.assertIn("kept", self.prepare())
        self.assertEqual((self.store / "manifest.json").stat().st_mtime_ns, before)

    def test_another_request_is_refused_and_says_why(self):
        self.prepare()
        before = self.contents(self.store)
        for arguments, named in [({"size": ("--vocab-size", 410)}, "tokenizer.vocab_size: 400 -> 410"),
                                 ({"tokenizer": "word"}, "tokenizer.kind: bpe -> word")]:
            error = self.prepare(code=DATA, **arguments)
            self.assertIn(named, error)
            self.assertIn("--overwrite", error)
        self.assertIn("data.documents: file -> line", self.prepare("--documents", "line", code=DATA))
        text = self.train.read_text()
        self.train.write_text(text.replace("a", "b", 1))
        self.assertIn("has changed", self.prepare(code=DATA))
        self.train.write_text(text + "more")
        self.assertIn("its size differs", self.prepare(code=DATA))
        self.assertEqual(self.contents(self.store), before)
        self.prepare("--overwrite")
        self.assertEqual(self.manifest()["splits"]["train"]["raw_bytes"], len((text + "more").encode()))

    def test_overwrite_replaces_stores_only(self):
        self.store.mkdir()
        (self.store / "precious.txt").write_text("mine")
        self.assertIn("not a token store", self.prepare("--overwrite", code=1))
        self.assertEqual((self.store / "precious.txt").read_text(), "mine")

    def test_an_empty_folder_is_filled(self):
        self.store.mkdir()
        self.prepare()
        self.assertEqual(self.manifest()["format"], "longbow.tokens")


class Memory(PrepareCase):
    def peak(self, size_mb):
        paragraph = corpus(20000, 6).encode()
        path = self.dir / "big.txt"
        with path.open("wb") as text:  # in parts, because a child process starts with the peak memory of this one
            for _ in range(size_mb * 1000000 // len(paragraph)):
                text.write(paragraph)
        out = self.dir / f"big{size_mb}"
        process = subprocess.Popen([LONGBOW, "prepare", "--tokenizer", f"bpe:{self.store}", "--train", str(path),
                                    "--out", str(out), "--threads", "2", "--quiet"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss / 1024

    def test_is_flat(self):
        self.prepare()
        small, large = self.peak(40), self.peak(160)
        # At any time it holds 8 MiB of text and its ids, whatever the input's size. Holding the further 120 MB would
        # cost 240 MB and more.
        self.assertLess(large - small, 80, f"{small:.0f} MiB for 40 MB, {large:.0f} MiB for 160 MB")

if __name__ == "__main__":
    unittest.main()
