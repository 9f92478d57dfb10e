"""Tests inputs from outside on the real binary (environment: LONGBOW): encodings and byte order marks, NULs, names that
are not UTF-8, things that are named twice, lengths that the text does not have, and checks that come before any
output."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
CONFIG = """\
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
position: {method: METHOD}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: store, train: [train.txt], valid: [valid.txt]}
train: {length: 16, batch: 4, stop: 3 updates, deterministic: true}
"""
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n"
MARK = b"\xef\xbb\xbf"
BYTES = b"caf\xe9"  # Latin-1, not UTF-8


class Inputs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="longbow-inputs-"))
        cls.write("train.txt", TEXT * 60)
        cls.write("valid.txt", TEXT[::-1] * 4 + TEXT * 4)
        for method in ("alibi", "learned"):
            cls.write(f"{method}.yaml", CONFIG.replace("METHOD", method))
            cls.run_ok("train", "-c", f"{method}.yaml", "--run-dir", f"runs/{method}")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    @classmethod
    def write(cls, name, data):
        path = cls.home.joinpath(os.fsdecode(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    @classmethod
    def run_any(cls, *arguments):
        words = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
        return subprocess.run([LONGBOW.encode(), *words, b"--threads", b"1"], cwd=cls.home, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE)

    @classmethod
    def run_ok(cls, *arguments):
        """Returns standard output, in which a path may have any bytes. Standard error, which must be UTF-8 for all
        names, goes to cls.said."""
        done = cls.run_any(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        cls.said = done.stderr.decode()
        return os.fsdecode(done.stdout)

    def refuse(self, code, mention, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        errors = [line for line in done.stderr.decode().splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertIn(mention, errors[0])
        self.assertEqual(done.stdout, b"")

    def tokens(self, store, split="train"):
        return self.run_ok("inspect", "data", store, "--split", split, "--tokens", "0:")

    def prepare(self, out, *arguments):
        return self.run_ok("prepare", *arguments, "--out", out)

    # --- encodings
    def test_a_byte_order_mark_is_no_part_of_a_vocabulary(self):
        words, dictionary = "the house the garden\n", b"the 4\nhouse 2\ngarden 1\n"
        self.write("words.txt", words)
        vocab = "[UNK]\n[SEP]\nthe\nhouse\ngarden\n".encode()
        self.run_ok("prepare", "--tokenizer", "bpe", "--vocab-size", 300, "--train", "train.txt", "--out", "gpt2")
        bpe = {name: (self.home / "gpt2" / name).read_bytes() for name in ("vocab.json", "merges.txt")}
        for kind, files, name in (("word", {"dict.txt": dictionary}, "dict.txt"),
                                  ("wordpiece", {"vocab.txt": vocab}, "vocab.txt"), ("bpe", bpe, "")):
            stores = []
            for way, change in (("plain", lambda b: b), ("marked", lambda b: MARK + b),
                                ("windows", lambda b: MARK + b.replace(b"\n", b"\r\n"))):
                for file, data in files.items():
                    self.write(f"{kind}-{way}/{file}", change(data))
                stores.append(f"{kind}-{way}-store")
                self.prepare(stores[-1], "--tokenizer", f"{kind}:{kind}-{way}/{name}".rstrip("/"),
                             "--train", "words.txt")
            self.assertEqual({self.tokens(store) for store in stores}, {self.tokens(stores[0])}, kind)
            self.assertNotIn("<unk>", self.tokens(stores[0]))
            for file, data in files.items():
                self.write(f"{kind}-utf16/{file}", data.decode().encode("utf-16"))
            self.refuse(4, "UTF-16", "prepare", "--tokenizer", f"{kind}:{kind}-utf16/{name}".rstrip("/"),
                        "--train", "words.txt", "--out", "no")

    def test_marks_of_texts_configs_and_results(self):
        self.write("marked.txt", MARK + (TEXT * 3).encode())
        self.write("unmarked.txt", TEXT * 3)
        for name in ("marked", "unmarked"):
            self.prepare(f"{name}-store", "--tokenizer", "bpe:store", "--train", f"{name}.txt")
        self.assertEqual(self.tokens("marked-store"), self.tokens("unmarked-store"))
        plain = self.run_ok("config", "show", "-c", "alibi.yaml")
        self.write("marked.yaml", MARK + (self.home / "alibi.yaml").read_bytes().replace(b"\n", b"\r\n"))
        self.assertEqual(self.run_ok("config", "show", "-c", "marked.yaml"), plain)
        for encoding in ("utf-16", "utf-32"):
            self.write("wide.yaml", (self.home / "alibi.yaml").read_text().encode(encoding))
            self.refuse(3, encoding.upper(), "config", "show", "-c", "wide.yaml")
            self.write("wide.txt", TEXT.encode(encoding))
            self.refuse(4, encoding.upper(), "prepare", "--tokenizer", "bpe:store", "--train", "wide.txt",
                        "--out", "no")
        self.run_ok("eval", "runs/alibi", "--data", "store", "--lengths", "16", "--out", "r.jsonl")
        self.write("marked.jsonl", MARK + (self.home / "r.jsonl").read_bytes().replace(b"\n", b"\r\n"))
        self.assertEqual(self.run_ok("report", "marked.jsonl", "--format", "csv").replace("marked", "r"),
                         self.run_ok("report", "r.jsonl", "--format", "csv"))

    def test_nul_in_a_text(self):
        self.write("nul.jsonl", b'{"text":"first"}\0{"text":"lost"}\n{"text":"third"}\n')
        self.refuse(4, "nul.jsonl: line 1: not JSON: byte 17 is NUL", "prepare", "--tokenizer", "bpe:store",
                    "--train", "nul.jsonl", "--out", "no")
        self.write("escaped.jsonl", rb'{"text":"a\u0000b","score":NaN}' + b"\n")
        self.prepare("escaped-store", "--tokenizer", "bpe:store", "--train", "escaped.jsonl")
        self.assertIn("a\0b", self.tokens("escaped-store"))
        self.write("nul.txt", b"one\0two\n" * 3)
        self.prepare("nul-store", "--tokenizer", "bpe:store", "--train", "nul.txt")
        self.assertIn("train: the text holds 3 NUL characters, which are kept", self.said)
        self.assertIn("one\0two\none\0two", self.tokens("nul-store"))
        row = (self.home / "runs/alibi/results.jsonl")
        self.run_ok("eval", "runs/alibi", "--data", "store", "--lengths", "16")
        self.write("damaged.jsonl", row.read_bytes().rstrip() + b"\0" + row.read_bytes())
        self.refuse(4, "damaged.jsonl:1: not JSON", "report", "damaged.jsonl")

    def test_names_of_special_tokens_are_text(self):
        self.write("special.txt", "one<|endoftext|>two\n<|endoftext|>\n")
        self.prepare("special-store", "--tokenizer", "bpe:store", "--train", "special.txt")
        self.assertIn('train: the text holds "<|endoftext|>" 2 times: there it is text', self.said)
        # Its characters, and the token itself once, which ends the document.
        self.assertEqual(self.tokens("special-store").strip(), "one<|endoftext|>two\n<|endoftext|>\n<|endoftext|>")
        self.assertEqual(
            json.loads((self.home / "special-store/manifest.json").read_text())["splits"]["train"]["documents"], 1)
        self.run_ok("eval", "runs/alibi", "--text", "special.txt", "--lengths", "8", "--out", "special.jsonl")
        self.assertIn('special.txt: the text holds "<|endoftext|>" 2 times', self.said)

    # --- names that are not UTF-8
    def test_files_and_stores_may_have_any_name(self):
        name = BYTES + b".txt"
        self.write(name, TEXT * 60)
        self.write(b"d/" + name, TEXT * 60)
        for out, train in ((b"by-folder", "d"), (b"by-name", name), (b"st\xe9", name)):
            self.run_ok("prepare", "--tokenizer", "bpe", "--vocab-size", 300, "--train", train, "--valid", "valid.txt",
                        "--out", out)
            manifest = json.loads(self.home.joinpath(os.fsdecode(out), "manifest.json").read_bytes().decode())
            self.assertEqual(manifest["splits"]["train"]["sources"][0]["name"], r"caf\xE9.txt")
            self.assertIn("kept", self.run_ok("prepare", "--tokenizer", "bpe", "--vocab-size", 300, "--train", train,
                                              "--valid", "valid.txt", "--out", out))
        self.assertEqual(json.loads(self.run_ok("inspect", "data", b"st\xe9", "--json"))["path"], r"st\xE9")
        self.assertIn(r"caf\xE9.txt", self.run_ok("inspect", "data", b"st\xe9"))
        self.run_ok("inspect", "data", b"st\xe9", "--verify")
        self.refuse(4, r"n\xF4ne.txt", "prepare", "--tokenizer", "bpe", "--train", b"n\xf4ne.txt", "--out", "no")

    def test_a_stopped_preparation_goes_on_with_such_names(self):
        self.write(b"p/a\xe9.txt", TEXT * 30)
        self.write(b"p/b.txt", TEXT.encode() + b"\xff")
        command = ["prepare", "--tokenizer", "bpe:store", "--train", "p", "--out", "gone-on"]
        self.refuse(4, "b.txt: byte", *command)
        self.write(b"p/b.txt", TEXT)
        self.run_ok(*command)
        self.assertIn("continuing", self.said)
        self.assertEqual(
            [s["name"]
             for s in json.loads((self.home / "gone-on/manifest.json").read_text())["splits"]["train"]["sources"]],
            [r"a\xE9.txt", "b.txt"])

    def test_a_run_and_its_store_may_have_any_name(self):
        run, store = b"runs/r\xe9", b"sto\xe9"
        command = ["train", "-c", "alibi.yaml", "--run-dir", run, b"data.store=" + store, "data.train=train.txt",
                   "data.valid=valid.txt"]
        self.run_ok(*command)
        self.assertIn(r"sto\\xE9", self.home.joinpath(os.fsdecode(run), "config.yaml").read_text(encoding="utf-8"))
        self.home.joinpath(os.fsdecode(run), "log.txt").read_text(encoding="utf-8")
        # The written configuration is the same run, so nothing remains to do.
        self.run_ok(*command)
        self.run_ok("train", "-c", run + b"/config.yaml", "--run-dir", run)
        self.assertIn(r'store: "sto\\xE9"', self.run_ok("config", "show", "-c", run + b"/config.yaml"))
        self.run_ok("verify", run)
        table = self.run_ok("eval", run, "--data", store, "--lengths", "16")
        self.assertIn(r"r\xE9", table)
        row = json.loads(self.run_ok("eval", run, "--data", store, "--lengths", "32", "--json"))
        self.assertIn(r"r\xE9", row["name"])
        rows = self.home.joinpath(os.fsdecode(run), "results.jsonl").read_text(encoding="utf-8").splitlines()
        self.assertEqual([json.loads(line)["length"] for line in rows], [16, 32])
        for form in ("markdown", "csv", "latex", "json", "html"):
            self.run_ok("report", run, "--format", form)
        self.run_ok("eval", "runs/alibi", "--data", store, "--lengths", "16")
        self.run_ok("compare", run, "runs/alibi", "--lengths", "16", "--json")
        json.loads(self.run_ok("analyze", "early-token", run, "--data", store, "--lengths", "16,32",
                               "--out", b"an\xe9", "--json"))
        json.loads(self.run_ok("inspect", "checkpoint", run, "--json"))
        self.run_ok("generate", run, "--prompt", "It was", "--max-new-tokens", "3")
        fork = ["train", "--from", run + b"@step=0", "--run-dir", b"runs/fork\xe9"]
        self.run_ok(*fork)
        self.assertIn(r"r\\xE9@step=0",
                      self.home.joinpath("runs", os.fsdecode(b"fork\xe9"), "fork.json").read_text(encoding="utf-8"))
        self.run_ok(*fork)  # the same fork: nothing remains to do
        self.refuse(2, r"was forked from", "train", "--from", "runs/alibi", "--run-dir", b"runs/fork\xe9")

    def test_a_report_outlives_what_a_run_wrote_beside_its_rows(self):
        self.run_ok("eval", "runs/alibi", "--data", "store", "--lengths", "16")
        copy = self.home / "damaged"
        for name, damage, warning in (("config.yaml", lambda text: text.encode("utf-16"), "byte order mark of UTF-16"),
                                      ("config.yaml", lambda text: text.encode() + b"a: \xe9\n", "not valid UTF-8"),
                                      ("config.yaml", lambda text: b"a: [\n", "not valid YAML"),
                                      ("metrics.jsonl", lambda text: text.encode("utf-16"),
                                       "byte order mark of UTF-16")):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.home / "runs/alibi", copy)
            (copy / name).write_bytes(damage((copy / name).read_text(encoding="utf-8")))
            self.assertIn("ALiBi", self.run_ok("report", "damaged"))
            self.assertIn(warning, self.said)
            self.assertIn("omits this run's", self.said)

    # --- things that are named twice
    def test_what_is_named_twice_is_used_once(self):
        rows = self.run_ok("eval", "runs/alibi", "--data", "store", "--lengths", "16,8,16,16", "--out", "twice.jsonl",
                           "--json").splitlines()
        self.assertEqual([json.loads(row)["length"] for row in rows], [16, 8])
        self.assertEqual(self.said.count("length 16 is named twice and used once"), 1)
        self.assertEqual(len((self.home / "twice.jsonl").read_text().splitlines()), 2)
        plan = self.run_ok("inspect", "plan", "--tokens", "100", "--lengths", "16,16", "--json")
        self.assertEqual(len(plan.splitlines()), 1)
        lengths = json.loads(self.run_ok("analyze", "early-token", "runs/alibi", "--data", "store",
                                         "--lengths", "32,16,32", "--json"))
        self.assertEqual(self.said.count("length 32 is named twice"), 1)
        self.assertEqual(len(lengths["lengths"]), 2)
        once, = self.run_ok("eval", "runs/alibi", "--text", "valid.txt", "--lengths", "16", "--out", "once.jsonl",
                            "--json").splitlines()
        again, = self.run_ok("eval", "runs/alibi", "--text", "valid.txt", "--text", "./valid.txt", "--lengths", "16",
                             "--out", "again.jsonl", "--json").splitlines()
        self.assertEqual(json.loads(again)["data"], json.loads(once)["data"])
        self.assertIn("valid.txt) is named twice and read once", self.said)

    def test_a_run_that_is_named_twice_counts_once_or_is_refused(self):
        self.run_ok("eval", "runs/alibi", "--data", "store", "--lengths", "16")
        os.symlink("runs/alibi", self.home / "alibi-link")
        once = self.run_ok("report", "runs/alibi", "--format", "csv")
        self.assertEqual(self.run_ok("report", "runs/alibi", "runs/alibi/results.jsonl", "./runs/alibi/", "alibi-link",
                                     "--format", "csv"), once)
        for again in ("runs/alibi", "runs/alibi/results.jsonl", "alibi-link"):
            self.refuse(2, "are the same results", "compare", "runs/alibi", again)

    def test_a_file_that_is_named_twice_is_read_once(self):
        self.write("f/a.txt", TEXT)
        self.write("f/b.txt", TEXT[::-1])
        os.symlink("f/a.txt", self.home / "link.txt")
        self.prepare("f-once", "--tokenizer", "bpe:store", "--train", "f")
        for out, files in (("f-1", ["f", "f"]), ("f-2", ["f/a.txt", "f/a.txt", "f/b.txt"]), ("f-3", ["f/a.txt", "f"]),
                           ("f-4", ["link.txt", "f/*.txt"])):
            self.prepare(out, "--tokenizer", "bpe:store", "--train", *files)
            self.assertIn("read once", self.said)
            self.assertEqual(self.tokens(out), self.tokens("f-once"))

    # --- lengths that the text does not have
    def test_a_length_that_no_window_reaches_is_said(self):
        rows = self.run_ok("eval", "runs/alibi", "--data", "store", "--lengths", "64,16384,1000000",
                           "--max-stream-tokens", "150", "--out", "beyond.jsonl", "--json")
        self.assertEqual([(json.loads(row)["length"], json.loads(row)["longest_window"]) for row in rows.splitlines()],
                         [(64, 64), (16384, 150), (1000000, 150)])
        for length in (16384, 1000000):
            self.assertIn(f"warning: no window has length {length}, because the stream has only 150 tokens", self.said)
        self.assertNotIn("no window has length 64", self.said)
        self.run_ok("inspect", "plan", "--tokens", "100", "--lengths", "100,101")
        self.assertEqual(self.said.count("no window has length"), 1)
        self.run_ok("analyze", "early-token", "runs/alibi", "--data", "store", "--lengths", "16,100000")
        self.assertIn("no window has length 100000", self.said)

    # --- checks before output
    def test_generate_checks_before_it_prints(self):
        base = ("generate", "runs/learned", "--prompt", "It was")
        for flag, value in (("--seed", "-1"), ("--seed", "1e3"), ("--seed", "010"), ("--seed", "18446744073709551616"),
                            ("--seed", "0x10"), ("--max-new-tokens", "-1"), ("--max-new-tokens", "1.5"),
                            ("--top-k", "-1"), ("--top-k", "two"), ("--top-p", "0"), ("--top-p", "1.1"),
                            ("--top-p", "nan"), ("--temperature", "-1"), ("--temperature", "nan"),
                            ("--temperature", "inf"), ("--temperature", "warm")):
            self.refuse(2, flag, *base, f"{flag}={value}")
        self.refuse(2, "--prompt: 2", "generate", "runs/learned", "--prompt", "x" * 2000)
        self.refuse(2, "--prompt: byte 3 (line 1) is not valid UTF-8", "generate", "runs/learned", "--prompt", BYTES)
        self.refuse(5, "nowhere", "generate", "runs/nowhere", "--prompt", "It was")
        self.assertTrue(self.run_ok(*base, "--seed", "18446744073709551615",
                                    "--max-new-tokens", "5").startswith("It was"))
        self.run_ok("generate", "runs/learned", "--prompt", "", "--max-new-tokens", "5")
        self.assertEqual(self.run_ok(*base, "--max-new-tokens", "0"), "It was\n")


if __name__ == "__main__":
    unittest.main()
