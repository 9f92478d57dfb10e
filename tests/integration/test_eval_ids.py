"""Tests `longbow eval --ids`, --bos and the rules of protocol yarn on the real binary (environment: LONGBOW), without
packages: the arrays are written here byte by byte. test_eval_protocols.py has the numbers."""
import array
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

LONGBOW = os.environ["LONGBOW"]
CONFIG = """\
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
position: {method: METHOD}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: store, train: [train.txt], valid: [valid.txt], documents: line}
train: {length: 16, batch: 4, stop: 5 updates, deterministic: true}
log: {every: 1 updates}
"""
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n"


def npy(values, code="q", order="<", version=1, shape=None):
    """The bytes of an array: `code` as struct has it."""
    kind = "u" if code.isupper() else "i"
    descr = f"{order}{kind}{struct.calcsize(order + code)}"
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape or f'({len(values)},)'}, }}\n".encode()
    return (b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(2 if version == 1 else 4, "little") + header
            + struct.pack(f"{order}{len(values)}{code}", *values))


class EvalIds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longbow-ids-")
        cls.home = pathlib.Path(cls.folder.name)
        (cls.home / "train.txt").write_text(TEXT * 60)
        (cls.home / "valid.txt").write_text(TEXT[::-1].strip() + "\n" + "short\n" + TEXT * 20)
        for method in ("alibi", "sinusoidal", "learned"):
            (cls.home / f"{method}.yaml").write_text(CONFIG.replace("METHOD", method))
            cls.run_ok("train", "-c", f"{method}.yaml", "--run-dir", f"runs/{method}")
        cls.ids = array.array("H", (cls.home / "store/valid-00000.bin").read_bytes()).tolist()
        (cls.home / "ids.npy").write_bytes(npy(cls.ids))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def run_any(cls, *arguments):
        return subprocess.run([LONGBOW, *map(str, arguments), "--threads", "1"], cwd=cls.home,
                              capture_output=True, text=True)

    @classmethod
    def run_ok(cls, *arguments):
        done = cls.run_any(*arguments)
        assert done.returncode == 0, done.stderr
        cls.said = done.stderr
        return done.stdout

    def refuse(self, code, mention, *arguments):
        done = self.run_any(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(mention, done.stderr)
        self.assertEqual(done.stdout, "")

    def rows(self, *arguments):
        return [json.loads(line) for line in self.run_ok("eval", *arguments, "--json").splitlines()]

    def test_ids_are_the_store_without_its_text(self):
        of_ids, = self.rows("runs/alibi", "--ids", "ids.npy", "--lengths", 16, "--out", "ids.jsonl")
        stored, = self.rows("runs/alibi", "--data", "store", "--lengths", 16, "--out", "ids.jsonl")
        for key in ("nll", "data", "tokens", "block_nll", "tokenizer", "checkpoint", "config"):
            self.assertEqual(of_ids[key], stored[key], key)
        self.assertEqual((of_ids["split"], stored["split"]), ("ids", "valid"))
        self.assertIsNone(of_ids["bits_per_byte"])
        for name, blob in (("u2", npy(self.ids, "H", ">")), ("i4", npy(self.ids, "i", version=2)),
                           ("u8", npy(self.ids, "Q", ">", version=3))):
            (self.home / f"{name}.npy").write_bytes(blob)
            again, = self.rows("runs/alibi", "--ids", f"{name}.npy", "--lengths", 16, "--out", "ids.jsonl")
            self.assertEqual(again, of_ids, "the same ids are the same data, whatever the file is")
            self.assertIn("already in", self.said)
        self.assertIn("ids split", self.run_ok("eval", "runs/alibi", "--ids", "ids.npy", "--lengths", 16,
                                               "--out", "ids.jsonl"))

    def test_the_data_set_is_named_as_for_a_text(self):
        (self.home / "wikitext103").mkdir()
        self.addCleanup(shutil.rmtree, self.home / "wikitext103")
        shutil.copy(self.home / "ids.npy", self.home / "wikitext103/ids.npy")
        row, = self.rows("runs/alibi", "--ids", "wikitext103/ids.npy", "--lengths", 16, "--out", "set.jsonl")
        self.assertEqual((row["data_set"], row["data_name"]), ("wikitext103", "ids.npy"))

    def test_several_lengths_runs_and_compare(self):
        rows = self.rows("runs/alibi", "runs/sinusoidal", "--ids", "ids.npy", "--lengths", "16,32", "--stride", 8,
                         "--protocol", "hf", "--out", "both.jsonl", "--token-logprobs", "{run}-{length}.npy")
        self.assertEqual([(row["name"], row["length"]) for row in rows],
                         [("alibi", 16), ("alibi", 32), ("sinusoidal", 16), ("sinusoidal", 32)])
        self.assertEqual(len(list(self.home.glob("alibi-*.npy"))), 2)
        found = [json.loads(line) for line in self.run_ok("compare", "both.jsonl@alibi", "both.jsonl@sinusoidal",
                                                          "--json").splitlines()]
        self.assertEqual([(row["length"], row["per"], row["bos"]) for row in found],
                         [(16, "token", "never"), (32, "token", "never")])
        self.assertAlmostEqual(found[0]["difference"], rows[2]["nll"] - rows[0]["nll"], places=9)
        self.assertIn("protocol hf, ids\n", self.run_ok("compare", "both.jsonl@alibi", "both.jsonl@sinusoidal"))
        # Given ids are compared a token whatever tokenizers the models came with.
        other = [dict(row, tokenizer="xxh3:1") for row in rows[2:]]
        (self.home / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))
        same = self.run_ok("compare", "both.jsonl@alibi", "other.jsonl", "--json").splitlines()
        self.assertEqual([json.loads(line)["per"] for line in same], ["token", "token"])
        self.run_ok("report", "both.jsonl")

    def test_a_stopped_fp64_evaluation_goes_on(self):
        arguments = ("--ids", "ids.npy", "--lengths", "64", "--stride", "1", "--max-tokens", "64", "--dtype", "fp64")
        whole, = self.rows("runs/alibi", *arguments, "--out", "whole.jsonl", "--token-logprobs", "whole.npy")
        resumable = ["eval", "runs/alibi", *arguments, "--out", "stopped.jsonl", "--token-logprobs", "stopped.npy"]
        for batch in (3, 40):  # the signal comes before this batch, or while the evaluation waits at it
            process = subprocess.Popen([LONGBOW, *resumable, "--threads", "1"], cwd=self.home,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, "LONGBOW_FAILPOINT": f"eval.batch:{batch}=wait"})
            while "windows" not in process.stderr.readline():
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
            message = process.communicate()[1]
            self.assertEqual(process.returncode, 75, message)
        partial, = self.home.glob(".eval-*.partial")
        kept = partial.read_bytes()
        self.assertTrue(kept.startswith(b"longbow-partial 2 "), kept[:40])
        self.run_ok(*resumable)
        self.assertEqual(json.loads((self.home / "stopped.jsonl").read_text())["nll"], whole["nll"])
        blob = (self.home / "whole.npy").read_bytes()
        self.assertEqual((self.home / "stopped.npy").read_bytes(), blob)
        self.assertIn(b"'<f8'", blob[:64])
        values = array.array("d", blob[10 + int.from_bytes(blob[8:10], "little"):])
        self.assertEqual(len(values), whole["tokens"])
        self.assertEqual(-sum(values) / len(values), whole["nll"])

    def test_what_is_no_list_of_ids_is_refused(self):
        base = ("eval", "runs/alibi", "--lengths", 16, "--out", "refused.jsonl", "--ids")
        whole = npy(self.ids)
        for name, blob, mention in (
                ("text.npy", b"1 2 3\n", "is not a NumPy file"),
                ("square.npy", npy([1, 2], shape="(1, 2)"), "its shape is (1, 2)"),
                ("cut.npy", whole[:-3], "save the array again"),
                ("longer.npy", whole + b"\0" * 8, "save the array again"),
                ("header.npy", whole[:20], "cut off"),
                ("version.npy", whole[:6] + b"\x09" + whole[7:], "version 9"),
                ("float.npy", whole.replace(b"<i8", b"<f8"), "token ids are integers"),
                ("negative.npy", npy([3, -1]), "-1 at index 1"),
                ("none.npy", npy([]), "no token ids"),
                ("beyond.npy", npy([3, 299, 300, 2]), "id 300 at index 2 is beyond the 300 ids of the model")):
            (self.home / name).write_bytes(blob)
            with self.subTest(name):
                self.refuse(4, mention, *base, name)
                self.refuse(4, name, *base, name)
        self.refuse(4, "no such file", *base, "nowhere.npy")
        self.refuse(2, "one of --data", *base, "ids.npy", "--data", "store")
        self.refuse(2, "one of --data", *base, "ids.npy", "--text", "valid.txt")
        self.refuse(2, "is the text that is measured", "eval", "runs/alibi", "--lengths", 16, "--ids", "ids.npy",
                    "--token-logprobs", "ids.npy")
        self.refuse(2, "ends at", "eval", "runs/learned", "--ids", "ids.npy", "--lengths", "16,100000",
                    "--out", "refused.jsonl")
        self.assertFalse((self.home / "refused.jsonl").exists())
        self.assertEqual((self.home / "ids.npy").read_bytes(), whole)

    def test_other_protocols_keep_their_own_rule(self):
        base = ("eval", "runs/alibi", "--data", "store", "--lengths", 16, "--out", "rules.jsonl")
        for protocol in ("paper", "lm-eval", "llamacpp"):
            self.refuse(2, "keeps its own rule", *base, "--protocol", protocol, "--bos", "first")
            self.refuse(2, "use protocol yarn", *base, "--protocol", protocol, "--truncate")
        self.refuse(2, "use protocol yarn", *base, "--protocol", "hf", "--min-document-tokens", 5)
        self.refuse(2, "omit --stride", *base, "--protocol", "yarn", "--truncate", "--stride", 4)
        self.refuse(2, "--bos", *base, "--protocol", "hf", "--bos", "sometimes")
        self.refuse(2, "--min-document-tokens", *base, "--protocol", "yarn", "--min-document-tokens", 5000)
        self.assertFalse((self.home / "rules.jsonl").exists())

    def test_each_rule_is_a_measurement(self):
        base = ("runs/alibi", "--data", "store", "--lengths", 16, "--out", "each.jsonl")
        never, = self.rows(*base, "--protocol", "hf")
        self.assertEqual(never["bos"], "never")
        self.rows(*base, "--protocol", "hf", "--bos", "never")
        self.assertIn("already in", self.said)
        # A row of an earlier version does not say it.
        old = {key: value for key, value in never.items() if key != "bos"}
        (self.home / "each.jsonl").write_text(json.dumps(old) + "\n")
        self.assertEqual(self.rows(*base, "--protocol", "hf"), [old])
        self.assertIn("already in", self.said)
        rules = [("hf", "first"), ("hf", "each-window"), ("yarn", "each-window"), ("yarn", "never"), ("yarn", "first")]
        for protocol, bos in rules:
            row, = self.rows(*base, "--protocol", protocol, "--bos", bos)
            self.assertEqual((row["protocol"], row["bos"]), (protocol, bos))
        yarn, = self.rows(*base, "--protocol", "yarn")
        self.assertIn("already in", self.said)
        self.assertEqual(yarn["bos"], "each-window")
        fewer, = self.rows(*base, "--protocol", "yarn", "--min-document-tokens", 10)
        self.assertEqual(fewer["documents_left_out"], 1)
        self.assertIn("1 shorter document is left out", self.said)
        self.rows(*base, "--protocol", "yarn", "--truncate")
        self.assertEqual(len((self.home / "each.jsonl").read_text().splitlines()), 8)
        table = self.run_ok("eval", *base, "--protocol", "hf", "--bos", "first")
        self.assertIn("protocol hf, BOS first", table)
        self.assertNotIn("BOS", self.run_ok("eval", *base, "--protocol", "hf"))
        table = self.run_ok("eval", *base, "--protocol", "yarn", "--min-document-tokens", 10)
        self.assertIn("documents of 10 tokens or more", table)
        self.assertIn("left out: 1", table)
        report = self.run_ok("report", "each.jsonl")
        self.assertEqual(report.count("## "), 8, report)
        for words in ("protocol hf, BOS each-window", "protocol yarn, within documents, BOS never",
                      "one window a document"):
            self.assertIn(words, report.replace(", stride 256 at most", "").replace(", stride of half the length", ""))

    def test_a_family_says_its_own_rule(self):
        run = self.home / "runs/family"
        shutil.copytree(self.home / "runs/alibi", run, symlinks=True)
        self.addCleanup(shutil.rmtree, run)
        manifest = (run / "checkpoints/last").resolve() / "manifest.json"
        said = json.loads(manifest.read_text())
        manifest.write_text(json.dumps(dict(said, bos="first")))
        arguments = ("runs/family@last", "--lengths", 16, "--out", "family.jsonl")
        for protocol, bos in (("hf", "first"), ("yarn", "each-window"), ("paper", None)):
            row, = self.rows(*arguments, "--data", "store", "--protocol", protocol)
            self.assertEqual(row.get("bos"), bos)
        row, = self.rows(*arguments, "--ids", "ids.npy", "--protocol", "hf")
        self.assertEqual(row["bos"], "never")
        manifest.write_text(json.dumps(dict(said, bos="often")))
        self.refuse(5, "known are never, first, each-window", "eval", *arguments, "--data", "store", "--again")
        # What a family without a BOS continues is the prompt alone.
        texts = {}
        for bos in ("never", "first", None):
            manifest.write_text(json.dumps(said if bos is None else dict(said, bos=bos)))
            texts[bos] = self.run_ok("generate", "runs/family@last", "--prompt", "It was", "--temperature", 0,
                                     "--max-new-tokens", 12)
            self.run_ok("generate", "runs/family@last", "--prompt", "", "--max-new-tokens", 2)
        self.assertEqual(texts["first"], texts[None])

    def test_inspect_plan(self):
        out = self.run_ok("inspect", "plan", "--tokens", 9, "--lengths", 4, "--protocol", "hf", "--bos", "first",
                          "--json")
        self.assertEqual(json.loads(out)["windows"][0],
                         {"begin": 0, "end": 3, "score_begin": 0, "boundary_first": True})
        out = self.run_ok("inspect", "plan", "store", "--lengths", 8, "--protocol", "yarn", "--truncate", "--json")
        self.assertEqual(len(json.loads(out)["windows"]), 22)
        self.refuse(2, "keeps its own rule", "inspect", "plan", "--tokens", 9, "--lengths", 4, "--bos", "first")


if __name__ == "__main__":
    unittest.main()
