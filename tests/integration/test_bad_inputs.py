"""Tests bad inputs as users make them. Each must give one clear line on stderr and the documented exit code, no
traceback, and leave nothing unfinished behind. The tests are the specification: each says what its message has to
mention."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]

CONFIG = """\
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
position: {method: learned}
tokenizer: {kind: bpe, vocab_size: 300}
data:
  store: store
  train: [train.txt]
  valid: [valid.txt]
train: {length: 16, batch: 2, stop: 3 updates, deterministic: true}
"""
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n" * 60


class BadInputs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Path(tempfile.mkdtemp(prefix="longbow-bad-"))
        cls.write("train.txt", TEXT)
        cls.write("valid.txt", TEXT[:900])
        cls.write("other.txt", "Quite another text, with other words and another vocabulary.\n" * 80)
        cls.write("config.yaml", CONFIG)
        good = cls.longbow("train", "-c", "config.yaml", "--run-dir", "run", "--threads", "1")
        assert good.returncode == 0, good.stderr
        made = cls.longbow("prepare", "--tokenizer", "bpe", "--vocab-size", "280", "--train", "other.txt",
                           "--valid", "other.txt", "--out", "other-store")
        assert made.returncode == 0, made.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    @classmethod
    def write(cls, name, text):
        path = cls.home / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    @classmethod
    def longbow(cls, *args):
        return subprocess.run([LONGBOW, *map(str, args)], cwd=cls.home, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE)

    def refuse(self, code, mentions, *args):
        """Runs the command and checks the exit code, that one line on stderr is the error, and that it mentions each
        word."""
        before = sorted(p.name for p in self.home.iterdir())
        result = self.longbow(*args)
        self.assertEqual(result.returncode, code, f"{args}: {result.stderr}{result.stdout}")
        errors = [line for line in result.stderr.splitlines() if "error:" in line]
        self.assertEqual(len(errors), 1, f"{args}: {result.stderr}")
        for word in mentions:
            self.assertIn(word.lower(), errors[0].lower(), f"{args}: {result.stderr}")
        for noise in ("terminate called", "Exception raised from", "frame #"):
            self.assertNotIn(noise, result.stderr)
        # The work folder of `prepare` stays, hidden, for the same command once the text is corrected (docs/data.md).
        shutil.rmtree(self.home / ".new-store.preparing", ignore_errors=True)
        self.assertEqual(before, sorted(p.name for p in self.home.iterdir()), f"{args} left something behind")

    # --- exit code 2: usage
    def test_unknown_verb(self):
        self.refuse(2, ["trian", "train"], "trian")

    def test_unknown_flag(self):
        self.refuse(2, ["--run-dri", "--run-dir"], "train", "-c", "config.yaml", "--run-dri", "x")

    def test_missing_required_flag(self):
        self.refuse(2, ["--lengths"], "eval", "run", "--data", "store")

    def test_unknown_protocol(self):
        self.refuse(2, ["papre", "paper"], "eval", "run", "--data", "store", "--lengths", "16", "--protocol", "papre")

    def test_stride_beyond_length(self):
        self.refuse(2, ["stride"], "eval", "run", "--data", "store", "--lengths", "16", "--stride", "17",
                    "--out", "r.jsonl")

    def test_length_that_the_method_cannot_serve(self):
        self.refuse(2, ["32", "16", "learned"], "eval", "run", "--data", "store", "--lengths", "16,32",
                    "--out", "r.jsonl")

    def test_device_that_is_not_there(self):
        self.refuse(2, ["cuda:97"], "eval", "run", "--data", "store", "--lengths", "16", "--device", "cuda:97",
                    "--out", "r.jsonl")

    # --- exit code 3: configuration
    def test_missing_config(self):
        self.refuse(3, ["absent.yaml"], "train", "-c", "absent.yaml")

    def test_misspelt_key(self):
        self.write("typo.yaml", CONFIG.replace("length: 16", "lenght: 16"))
        self.refuse(3, ["typo.yaml:8", "lenght", "length"], "train", "-c", "typo.yaml", "--run-dir", "x")

    def test_wrong_type(self):
        self.refuse(3, ["model.layers", "many"], "train", "-c", "config.yaml", "model.layers=many", "--run-dir", "x")

    def test_out_of_range(self):
        self.refuse(3, ["model.dropout", "1.5"], "train", "-c", "config.yaml", "model.dropout=1.5", "--run-dir", "x")

    def test_option_without_effect(self):
        self.refuse(3, ["optim.momentum", "adamw"], "train", "-c", "config.yaml", "optim.momentum=0.9",
                    "--run-dir", "x")

    def test_duration_without_unit(self):
        self.refuse(3, ["train.stop", "updates"], "train", "-c", "config.yaml", "train.stop=600", "--run-dir", "x")

    def test_broken_yaml(self):
        self.write("broken.yaml", "model: {layers: 1\ntrain: [")
        self.refuse(3, ["broken.yaml:"], "train", "-c", "broken.yaml", "--run-dir", "x")

    def test_resume_under_changed_config(self):
        self.refuse(3, ["model.dim"], "train", "-c", "config.yaml", "model.dim=32", "--run-dir", "run")

    def test_heads_that_do_not_divide(self):
        self.refuse(3, ["model.heads", "model.dim"], "train", "-c", "config.yaml", "model.heads=3", "--run-dir", "x")

    def test_vocabulary_that_does_not_fit(self):
        self.refuse(3, ["100", "257"], "prepare", "--tokenizer", "bpe", "--vocab-size", "100", "--train", "train.txt",
                    "--out", "new-store")

    # --- exit code 4: data
    def test_invalid_utf8(self):
        self.write("latin1.txt", b"caf\xe9 au lait\n" * 50)
        self.refuse(4, ["latin1.txt", "3"], "prepare", "--tokenizer", "bpe", "--vocab-size", "280",
                    "--train", "latin1.txt", "--out", "new-store")

    def test_missing_text(self):
        self.refuse(4, ["absent.txt"], "prepare", "--tokenizer", "bpe", "--train", "absent.txt", "--out", "new-store")

    def test_empty_split(self):
        self.write("empty.txt", "")
        self.refuse(4, ["valid"], "prepare", "--tokenizer", "bpe", "--vocab-size", "280", "--train", "train.txt",
                    "--valid", "empty.txt", "--out", "new-store")

    def test_truncated_archive(self):
        import gzip
        whole = gzip.compress(TEXT.encode())
        self.write("cut.txt.gz", whole[: len(whole) // 2])
        self.refuse(4, ["cut.txt.gz"], "prepare", "--tokenizer", "bpe", "--vocab-size", "280", "--train", "cut.txt.gz",
                    "--out", "new-store")

    def test_store_of_another_tokenizer(self):
        self.refuse(4, ["tokenizer"], "eval", "run", "--data", "other-store", "--lengths", "16", "--out", "r.jsonl")

    def test_store_with_a_missing_shard(self):
        shutil.copytree(self.home / "store", self.home / "damaged-store", dirs_exist_ok=True)
        for shard in (self.home / "damaged-store").glob("valid-*.bin"):
            shard.write_bytes(shard.read_bytes()[:-2])
        self.refuse(4, ["valid-00000.bin"], "eval", "run", "--data", "damaged-store", "--lengths", "16",
                    "--out", "r.jsonl")

    # --- exit code 5: checkpoints
    def test_no_checkpoint(self):
        self.refuse(5, ["nowhere"], "eval", "nowhere", "--data", "store", "--lengths", "16", "--out", "r.jsonl")

    def test_damaged_checkpoint(self):
        source = next((self.home / "run" / "checkpoints").glob("step-*"))
        shutil.copytree(source, self.home / "damaged", dirs_exist_ok=True)
        weights = self.home / "damaged" / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-5] ^= 0x40
        weights.write_bytes(data)
        self.refuse(5, ["damaged", "model.safetensors"], "generate", "damaged", "--prompt", "It")

    def test_manifest_that_is_not_json(self):
        source = next((self.home / "run" / "checkpoints").glob("step-*"))
        shutil.copytree(source, self.home / "no-manifest", dirs_exist_ok=True)
        (self.home / "no-manifest" / "manifest.json").write_text("{")
        self.refuse(5, ["manifest.json"], "generate", "no-manifest", "--prompt", "It")

    # --- exit code 1: other failures
    def test_unwritable_output(self):
        self.refuse(1, ["/proc/none"], "prepare", "--tokenizer", "bpe", "--vocab-size", "280", "--train", "train.txt",
                    "--out", "/proc/none/store")

    def test_results_that_are_not_results(self):
        self.write("notes.jsonl", json.dumps({"hello": 1}) + "\n")
        result = self.longbow("report", "notes.jsonl")
        self.assertIn(result.returncode, (1, 4), result.stderr)
        self.assertIn("notes.jsonl:1", result.stderr)


if __name__ == "__main__":
    unittest.main()
