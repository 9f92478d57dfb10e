"""Tests the scripts in scripts/corpora, which prepare a corpus from a user's own download, on small made-up folders.
Needs no network and no binary."""

import gzip
import hashlib
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

from patience import PATIENCE

SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))


class CorpusCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-corpora-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.out = self.dir / "out"

    def write(self, name, data):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def script(self, name, *arguments, code=0):
        command = [sys.executable, "-B", SOURCE / "scripts/corpora" / name, *arguments, "--out", self.out]
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        if code:
            lines = [line for line in result.stderr.splitlines() if line.startswith(f"error: {name}: ")]
            self.assertEqual(len(lines), 1, result.stderr)
            return lines[0]
        return result

    def left_over(self):
        return sorted(path.name for path in self.out.rglob(".*"))


class WikiText(CorpusCase):
    TEXT = {"train": " = One = \n the cat <unk> \n\n", "valid": " a b \n", "test": " c \n\n"}

    def folder(self):
        for split, text in self.TEXT.items():
            self.write(f"wikitext-103/wiki.{split}.tokens", text)
        return self.dir / "wikitext-103"

    def test_another_text_is_refused_by_its_counts(self):
        error = self.script("wikitext103", self.folder(), code=1)
        for fact in ("train has 9 tokens instead of 103,227,021", "valid has 3 tokens instead of 217,646",
                     "test has 3 tokens instead of 245,569", "train has 5 distinct words instead of 267,734"):
            self.assertIn(fact, error)
        self.assertFalse(self.out.exists())

    def test_files_land_where_the_configurations_look(self):
        folder = self.folder()
        result = self.script("wikitext103", folder, "--allow-other")
        self.assertIn("warning:", result.stderr)
        facts = json.loads((self.out / "corpus.json").read_text())["splits"]
        for split, text in self.TEXT.items():
            self.assertEqual((self.out / f"wiki.{split}.tokens").read_text(), text)
            self.assertEqual(facts[split]["sha256"], hashlib.sha256(text.encode()).hexdigest())
            self.assertIn(f"--{split} {self.out}/wiki.{split}.tokens", result.stdout)
        self.assertTrue(result.stdout.startswith("longbow prepare --tokenizer word "))
        self.script("wikitext103", self.out, "--allow-other")  # already in place
        self.assertEqual(self.left_over(), [])

    def test_zip(self):
        self.folder()
        archive = self.dir / "w.zip"
        with zipfile.ZipFile(archive, "w") as members:
            for split in self.TEXT:
                members.write(self.dir / f"wikitext-103/wiki.{split}.tokens", f"wikitext-103/wiki.{split}.tokens")
        self.assertIn("not the original", self.script("wikitext103", archive, "--allow-other").stderr)
        self.assertEqual((self.out / "wiki.train.tokens").read_text(), self.TEXT["train"])
        self.write(f"{self.out}/wiki.train.tokens", "verified before")
        self.assertIn("train has 9 tokens", self.script("wikitext103", archive, code=1))
        whole = archive.read_bytes()
        archive.write_bytes(whole[:-40])
        self.assertIn("is damaged", self.script("wikitext103", archive, code=1))
        self.assertEqual((self.out / "wiki.train.tokens").read_text(), "verified before")
        self.assertEqual([path.name for path in self.dir.rglob(".*")], [])

    def test_the_raw_version_is_named(self):
        self.write("raw/wiki.train.raw", "x")
        self.assertIn("this is the raw version", self.script("wikitext103", self.dir / "raw", code=1))
        self.assertIn("No such file", self.script("wikitext103", self.dir / "nothing", code=1))


class BookCorpus(CorpusCase):
    def setUp(self):
        super().setUp()
        self.vocab = self.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n")
        for i in range(20):
            self.write(f"books/{i % 3}/book{i}.txt", f"Title {i}\r\n\r\n\r\n\r\nText of {i}.\n")

    def books(self, *arguments, code=0):
        options = ("--vocab", self.vocab, "--allow-other", "--held-out", "0.1")
        return self.script("bookcorpus", self.dir / "books", *options, *arguments, code=code)

    def lists(self):
        return {split: (self.out / f"{split}.list").read_text().split() for split in ("train", "valid", "test")}

    def test_whole_books_are_held_out(self):
        self.books()
        lists = self.lists()
        self.assertEqual({split: len(names) for split, names in lists.items()}, {"train": 16, "valid": 2, "test": 2})
        self.assertEqual(sorted(sum(lists.values(), [])), sorted(f"{i % 3}/book{i}.txt" for i in range(20)))
        for split, names in lists.items():
            books = (self.out / f"{split}.txt").read_text().rstrip("\n").split("\n\n\n")
            numbers = [name[6:-4] for name in names]
            self.assertEqual(books, [f"Title {n}\n\nText of {n}." for n in numbers])
        self.assertEqual(self.left_over(), [])
        record = json.loads((self.out / "split.json").read_text())
        name = lists["valid"][0]
        digest = hashlib.sha256((self.dir / "books" / name).read_bytes()).hexdigest()
        self.assertEqual(record["books"][name], {"split": "valid", "sha256": digest})

    def test_the_split_is_the_seeds_and_stays(self):
        self.books()
        first = self.lists()
        self.books()
        self.assertEqual(self.lists(), first)
        self.assertIn("drawn with --seed 1", self.books("--seed", "2", code=1))
        self.write("books/new.txt", "x")
        self.assertIn("new.txt is not in it", self.books(code=1))
        (self.dir / "books/new.txt").unlink()
        self.write("books/0/book0.txt", "changed")
        self.assertIn("0/book0.txt has changed", self.books(code=1))
        self.write("books/0/book0.txt", "Title 0\r\n\r\n\r\n\r\nText of 0.\n")
        (self.out / "split.json").unlink()
        self.books("--seed", "2")
        self.assertNotEqual(self.lists(), first)

    def test_another_vocabulary_is_refused(self):
        error = self.script("bookcorpus", self.dir / "books", "--vocab", self.vocab, code=1)
        self.assertIn("has 5 entries, BERT's cased vocabulary has 28,996", error)

    def test_one_large_file_is_no_folder_of_books(self):
        self.write("large/books_p1.txt", "x")
        error = self.script("bookcorpus", self.dir / "large", "--vocab", self.vocab, "--allow-other", code=1)
        self.assertIn("holds 1 .txt files", error)

    def test_bytes_that_are_no_utf8_are_reported(self):
        self.write("books/0/book0.txt", b"caf\xe9\n")
        self.assertIn("0/book0.txt: such bytes became U+FFFD", self.books().stderr)


class Cc100(CorpusCase):
    def setUp(self):
        super().setUp()
        self.write("gpt2/vocab.json", '{"a": 0}')
        self.write("gpt2/merges.txt", "#version: 0.2\n")
        self.documents = [f"Document {i}\nhas a second line of {i * 7919 % 1000} " + "x" * (1 + i % 50)
                          for i in range(600)]
        thirds = ["\n\n".join(self.documents[i : i + 200]) + "\n\n" for i in (0, 200, 400)]
        self.shards = [self.write("a.txt", thirds[0]),
                       self.write("b.txt.gz", gzip.compress(thirds[1].encode(), mtime=0)),
                       self.write("c.txt.xz", lzma.compress(thirds[2].encode()))]

    def cc100(self, *arguments, shards=None, code=0):
        return self.script("cc100", *(shards or self.shards), "--gpt2", self.dir / "gpt2", "--valid-bytes", "3000",
                           *arguments, code=code)

    def split(self, name="train.txt"):
        data = (self.out / name).read_bytes()
        return (gzip.decompress(data) if name.endswith(".gz") else data).decode().rstrip("\n").split("\n\n")

    def test_every_document_is_in_one_split(self):
        self.cc100()
        train, valid = self.split(), self.split("valid.txt")
        self.assertEqual(sorted(train + valid), sorted(self.documents))
        self.assertFalse(set(train) & set(valid))
        size = sum(map(len, valid))
        self.assertTrue(3000 <= size <= 3000 + max(map(len, valid)), size)
        shards = {self.documents.index(text) // 200 for text in valid}
        self.assertEqual(shards, {0, 1, 2}, "a sample of all shards")
        self.assertEqual(self.left_over(), [])

    def test_the_sample_is_recorded_and_the_seeds(self):
        self.cc100("--gzip")
        first = self.split("valid.txt")
        record = json.loads((self.out / "split.json").read_text())
        self.assertEqual([shard["documents"] for shard in record["shards"]], [200, 200, 200])
        for shard, path in zip(record["shards"], self.shards):
            self.assertEqual(shard["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())
        self.assertEqual([self.documents[held["document"]] for held in record["held_out"]], first)
        self.assertEqual(record["held_out"][0]["sha256"], hashlib.sha256(first[0].encode()).hexdigest())
        self.assertEqual(len(self.split("train.txt.gz")), 600 - len(first))
        self.cc100()
        self.assertEqual(self.split("valid.txt"), first)
        self.cc100("--seed", "2")
        self.assertNotEqual(self.split("valid.txt"), first)

    @unittest.skipUnless(shutil.which("zstd"), "the program zstd is not installed")
    def test_a_vocabulary_behind_a_link(self):
        """Download caches store files like this: as a relative link into another folder."""
        for name in ("vocab.json", "merges.txt"):
            (self.dir / "gpt2" / name).rename(self.dir / f"blob-{name}")
            (self.dir / "gpt2" / name).symlink_to(f"../blob-{name}")
        self.cc100()
        self.assertEqual((self.out / "gpt2/vocab.json").read_text(), '{"a": 0}')

    def test_one_training_text(self):
        self.cc100("--gzip")
        self.cc100()
        self.assertEqual(sorted(path.name for path in self.out.glob("train*")), ["train.txt"])

    def test_lines_of_any_length(self):
        long = "y" * 3_000_000
        shard = self.write("long.txt", f"first\n\n{long}\nend\n\n" + "\n\n".join(self.documents))
        self.cc100(shards=[shard])
        self.assertIn(f"{long}\nend", self.split())

    def test_zstd(self):
        subprocess.run(["zstd", "-q", str(self.shards[0])], check=True)
        self.cc100(shards=[self.dir / "a.txt.zst"])
        self.assertEqual(sorted(self.split() + self.split("valid.txt")), sorted(self.documents[:200]))

    def test_what_is_wrong_is_named(self):
        self.assertIn("there is no file", self.cc100(shards=[self.dir / "none.xz"], code=1))
        self.assertIn("nothing is left to train on", self.cc100("--valid-bytes", "1000000", code=1))
        damaged = self.write("d.txt.xz", self.shards[2].read_bytes()[:-30])
        self.assertIn(f"{damaged} is damaged", self.cc100(shards=[damaged], code=1))
        flipped = bytearray(self.shards[1].read_bytes())
        flipped[len(flipped) // 2 : len(flipped) // 2 + 40] = bytes(40)
        damaged = self.write("e.txt.gz", bytes(flipped))
        self.assertIn(f"{damaged} is damaged", self.cc100(shards=[damaged], code=1))
        self.assertFalse((self.out / "train.txt").exists())
        self.assertEqual(self.left_over(), [])
        (self.dir / "gpt2/merges.txt").unlink()
        self.assertIn("there is no merges.txt", self.cc100(code=1))


if __name__ == "__main__":
    unittest.main()
