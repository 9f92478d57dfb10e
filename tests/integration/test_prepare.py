"""longbow prepare and longbow inspect data, through the real binary (environment variable LONGBOW: its path)."""

import gzip
import json
import lzma
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

LONGBOW = os.environ.get("LONGBOW", "longbow")
USAGE, CONFIG, DATA = 2, 3, 4


def corpus(words, seed):
    """Sentences of a small Zipf-like vocabulary, some of it beyond ASCII, in lines and paragraphs."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(1, 9))) for _ in range(500)]
    vocabulary += ["na\u00efve", "\u6771\u4eac", "\U0001f600", "don't", "3.14"]
    out = []
    for i in range(words):
        out.append(vocabulary[min(int(rng.paretovariate(0.7)) - 1, len(vocabulary) - 1)])
        out.append(rng.choice([" "] * 12 + [". ", ", ", "\n", "\n\n\n"]))
    return "".join(out) + "\n"


class PrepareCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-prepare-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.train = self.write("train.txt", corpus(20000, 1))
        self.valid = self.write("valid.txt", corpus(3000, 2))
        self.store = self.dir / "store"

    def write(self, name, data):
        path = self.dir / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def run_longbow(self, *arguments, code=0, env=None):
        result = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, env={**os.environ, **(env or {})}, timeout=300)
        self.assertEqual(result.returncode, code, result.stderr.decode(errors="replace"))
        if code not in (0, -signal.SIGKILL):
            lines = [line for line in result.stderr.decode().splitlines() if line.startswith("longbow: error:")]
            self.assertEqual(len(lines), 1, result.stderr)
            return lines[0]
        return result.stdout.decode()

    def prepare(self, *arguments, out=None, tokenizer="bpe", size=("--vocab-size", 400), code=0, env=None):
        return self.run_longbow("prepare", "--tokenizer", tokenizer, *size, "--train", self.train, "--valid", self.valid, "--out", out or self.store,
                                *arguments, code=code, env=env)

    def manifest(self, store=None):
        return json.loads(((store or self.store) / "manifest.json").read_text())

    def contents(self, store):
        return {path.name: path.read_bytes() for path in store.iterdir()}

    def assert_nothing_left(self, folder=None):
        self.assertFalse(self.store.exists())
        self.assertEqual([p.name for p in (folder or self.dir).iterdir() if ".tmp-" in p.name], [])


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
            self.run_longbow("prepare", "tokenizer.sentencepiece_model=" + model, "--tokenizer", "sentencepiece", "--vocab-size", 300, "--train", self.train,
                             "--out", store)
            train = self.manifest(store)["splits"]["train"]
            self.assertEqual(train["raw_bytes"], self.train.stat().st_size)
            text = json.loads(self.run_longbow("inspect", "data", store, "--tokens", "0:40", "--json"))["span"]["text"]
            self.assertEqual(" ".join(text.split())[:60], " ".join(self.train.read_text().split())[:len(" ".join(text.split())[:60])])

    def test_wordpiece_from_a_vocabulary(self):
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(c) for c in range(33, 127)] + ["##" + chr(c) for c in range(97, 123)]
        vocab = self.write("vocab.txt", "\n".join(pieces) + "\n")
        self.prepare(tokenizer=f"wordpiece:{vocab}", size=())
        manifest = self.manifest()
        self.assertEqual(manifest["tokenizer"]["vocab_size"], len(pieces))
        self.assertEqual(manifest["tokenizer"]["boundary"], 3)
        self.assertIsNone(manifest["tokenizer"]["trained"])

    def test_held_out_text_with_an_existing_vocabulary(self):
        self.prepare()
        self.run_longbow("prepare", "--tokenizer", f"bpe:{self.store}", "--valid", self.valid, "--out", self.dir / "held")
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
                                "blank_line": ["one\ntwo\n", "three\n\nfour\n", "five"], "blank_line:1": ["one\ntwo\n", "three\n", "four\n", "five"]}.items():
            store = self.dir / rule.replace(":", "-")
            self.run_longbow("prepare", "--tokenizer", "bpe", "--vocab-size", 260, "--train", train, "--documents", rule, "--out", store)
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
        config = self.write("c.yaml", f"data:\n  train: [{self.train}]\n  valid: [{self.valid}]\n  store: {self.store}\ntokenizer: {{kind: bpe, vocab_size: 300}}\n")
        self.run_longbow("prepare", "-c", config)
        self.assertEqual(self.manifest()["tokenizer"]["vocab_size"], 300)
        self.run_longbow("prepare", "-c", config, "tokenizer.vocab_size=310", "--out", self.dir / "other")
        self.assertEqual(self.manifest(self.dir / "other")["tokenizer"]["vocab_size"], 310)

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


class BadInput(PrepareCase):
    def test_invalid_utf8_names_file_and_byte(self):
        self.train = self.write("latin.txt", b"caf\xe9 " * 10)
        error = self.prepare(code=DATA)
        self.assertIn("latin.txt", error)
        self.assertIn("byte 3", error)
        self.assert_nothing_left()

    def test_empty_split(self):
        self.valid = self.write("empty.txt", "")
        self.assertIn("the valid split has no tokens", self.prepare(code=DATA))
        self.assert_nothing_left()

    def test_missing_files_are_listed_all_at_once(self):
        error = self.run_longbow("prepare", "--tokenizer", "bpe", "--train", self.dir / "a.txt", self.train, "--valid", self.dir / "b.txt", self.dir,
                                 "--out", self.store, code=DATA)
        for name in ("a.txt (train)", "b.txt (valid)", "a folder"):
            self.assertIn(name, error)
        self.assert_nothing_left()

    def test_usage(self):
        self.assertIn("no text", self.run_longbow("prepare", "--out", self.store, code=USAGE))
        self.assertIn("--out", self.run_longbow("prepare", "--train", self.train, code=USAGE))
        self.assertIn("wordpeice", self.prepare(tokenizer="wordpeice", code=CONFIG))
        self.assertIn("vocabulary", self.run_longbow("prepare", "--tokenizer", "bpe", "--valid", self.valid, "--out", self.store, code=USAGE))
        self.assert_nothing_left()

    def test_damaged_archive(self):
        self.train = self.write("train.gz", gzip.compress(self.train.read_bytes())[:-2000])
        self.assertIn("train.gz", self.prepare(code=DATA))
        self.assert_nothing_left()

    def test_unwritable_place(self):
        blocked = self.write("a-file", "x") / "store"
        self.assertIn("a-file", self.prepare(out=blocked, code=1))
        self.assertIn("/proc", self.prepare(out="/proc/longbow-store", code=1))

    def test_full_disk(self):
        mount = self.dir / "small"
        mount.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(mount)], capture_output=True).returncode != 0:
            self.skipTest("mounting a tmpfs needs root")
        self.addCleanup(subprocess.run, ["umount", str(mount)])
        self.train = self.write("train.txt", corpus(200000, 4))
        self.assertIn("are free", self.prepare(out=mount / "store", code=1))  # by the estimate, before any work
        self.assertEqual(list(mount.iterdir()), [])
        self.train = self.write("train.gz", gzip.compress(corpus(100000, 4).encode()))
        self.assertIn("No space left", self.prepare(out=mount / "store", code=1))  # the archive is small, its ids are not
        self.assertEqual(list(mount.iterdir()), [])


class Killed(PrepareCase):
    def test_no_half_store_at_any_fail_point(self):
        for point in ("data.chunk", "data.before_manifest", "data.before_rename"):
            self.prepare(code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": point})
            self.assertFalse(self.store.exists(), point)
            self.run_longbow("inspect", "data", self.store, code=DATA)
            self.assertTrue([p for p in self.dir.iterdir() if ".tmp-" in p.name])
        self.prepare()
        self.run_longbow("inspect", "data", self.store, "--verify")
        self.assertEqual([p for p in self.dir.iterdir() if ".tmp-" in p.name], [])

    def test_after_the_rename_it_is_whole(self):
        self.prepare(code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": "data.after_rename"})
        self.run_longbow("inspect", "data", self.store, "--verify")
        self.assertIn("kept", self.prepare())

    def test_overwrite_keeps_the_old_store_until_the_end(self):
        self.prepare()
        before = self.contents(self.store)
        self.prepare("--overwrite", "--documents", "line", code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": "data.before_rename"})
        self.assertEqual(self.contents(self.store), before)

    def test_interrupt_leaves_nothing(self):
        # The vocabulary's file says that encoding begins.
        self.train = self.write("train.txt", corpus(1000000, 5))
        process = subprocess.Popen([LONGBOW, "prepare", "--tokenizer", f"word", "--train", str(self.train), "--out", str(self.store)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while process.poll() is None and not list(self.dir.glob(".store.tmp-*/dict.txt")):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=120)[1].decode()
        if process.returncode == 0:
            self.skipTest("it was faster than the signal")
        self.assertEqual(process.returncode, 1, error)
        self.assertIn("SIGINT", error)
        self.assertIn("nothing was written", error)
        self.assert_nothing_left()


class Memory(PrepareCase):
    def peak(self, size_mb):
        paragraph = corpus(20000, 6).encode()
        path = self.write("big.txt", paragraph * (size_mb * 1000000 // len(paragraph)))
        out = self.dir / f"big{size_mb}"
        process = subprocess.Popen([LONGBOW, "prepare", "--tokenizer", f"bpe:{self.store}", "--train", str(path), "--out", str(out), "--threads", "2", "--quiet"],
                                   stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss / 1024

    def test_is_flat(self):
        self.prepare()
        small, large = self.peak(40), self.peak(160)
        # In flight: 8 MiB of text and its ids, whatever the input's size; 120 MB more held whole would cost 240 and more.
        self.assertLess(large - small, 80, f"{small:.0f} MiB for 40 MB, {large:.0f} MiB for 160 MB")


class Inspect(PrepareCase):
    def setUp(self):
        super().setUp()
        self.prepare()

    def inspect(self, *arguments, code=0):
        return self.run_longbow("inspect", "data", self.store, *arguments, code=code)

    def test_summary_and_json(self):
        out = self.inspect()
        manifest = self.manifest()
        self.assertIn(f"{manifest['splits']['valid']['tokens']:,} tokens", out)
        self.assertEqual(json.loads(self.inspect("--json"))["manifest"], manifest)

    def test_spans(self):
        text = self.valid.read_text()
        self.assertTrue(text.startswith(self.inspect("--split", "valid", "--tokens", "0:30").rstrip("\n")))
        self.assertIn("BEGIN:END", self.inspect("--tokens", "5", code=USAGE))
        self.assertIn("tokens", self.inspect("--tokens", "5:999999999", code=USAGE))
        self.assertIn("it has train, valid", self.inspect("--split", "test", code=DATA))

    def test_update(self):
        config = self.write("c.yaml", "train: {length: 16, batch: 4, accumulate: 2, seed: 9}\n")
        first = json.loads(self.inspect("--update", 1, "-c", config, "--json"))["update"]
        second = json.loads(self.inspect("--update", 2, "-c", config, "--json"))["update"]
        self.assertEqual([s["sample"] for s in first["samples"] + second["samples"]], list(range(16)))
        self.assertEqual([s["micro_batch"] for s in first["samples"]], [0] * 4 + [1] * 4)
        for sample in first["samples"]:
            self.assertEqual(sample["end"] - sample["begin"], 16)
            span = json.loads(self.inspect("--tokens", f"{sample['begin']}:{sample['end']}", "--json"))["span"]
            self.assertEqual(span["text"], sample["text"])
        other = json.loads(self.inspect("--update", 1, "-c", config, "train.seed=10", "--json"))["update"]
        self.assertNotEqual([s["begin"] for s in other["samples"]], [s["begin"] for s in first["samples"]])
        # An epoch sees each block once.
        blocks = self.manifest()["splits"]["train"]["tokens"] // 16
        begins = set()
        big = json.loads(self.inspect("--update", 1, "-c", config, f"train.batch={blocks}", "train.accumulate=1", "--json"))["update"]
        begins.update(s["begin"] for s in big["samples"])
        self.assertEqual(len(begins), blocks)

    def test_damage_is_found_by_name(self):
        self.assertIn("every checksum fits", self.inspect("--verify"))
        shard = self.store / "train-00000.bin"
        data = bytearray(shard.read_bytes())
        data[1000] ^= 1
        shard.write_bytes(data)
        self.assertIn("train-00000.bin", self.inspect("--verify", code=DATA))
        shard.write_bytes(data[:-2])
        self.assertIn("train-00000.bin", self.inspect(code=DATA))
        shard.unlink()
        self.assertIn("train-00000.bin", self.inspect(code=DATA))

    def test_edited_manifest_and_vocabulary_are_refused(self):
        manifest = self.store / "manifest.json"
        text = manifest.read_text()
        manifest.write_text(text.replace('"documents": 1', '"documents": 2', 1))
        self.assertIn("manifest.json", self.inspect(code=DATA))
        manifest.write_text(text)
        merges = self.store / "merges.txt"
        merges.write_text("\n".join(merges.read_text().splitlines()[:-1]) + "\n")
        self.inspect("--tokens", "0:5", code=DATA)


if __name__ == "__main__":
    unittest.main()
