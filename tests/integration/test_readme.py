"""Runs every command of README's tour and of "Train on your own text" in order, as printed there but with fewer
updates, on a small made-up corpus in the layout of a checkout, and with a golden checkpoint for the import."""
import gzip
import os
import random
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
SOURCE = Path(os.environ["LONGBOW_SOURCE"])
GOLDEN = SOURCE / "tests/golden/alibi_adaptive"
FEWER_UPDATES = ["train.stop=4 updates", "schedule.warmup=2 updates", "train.batch=2", "eval.valid_tokens=600"]


def shorter(words):
    """Returns arguments that make a command short and change nothing else."""
    if words[0] == "train":
        return FEWER_UPDATES
    if words[0] in ("eval", "analyze") and "--max-stream-tokens" not in words:
        return ["--max-stream-tokens", "2100"]
    if words[0] == "reproduce" and "--dry-run" not in words:
        return ["--dry-run"]  # test_reproduce.py runs it, with a smaller model
    return []


def commands(section):
    """Returns the lines of the section's indented blocks that run the program, without their comments. The demo's runs
    are replaced by those of the tour."""
    text = (SOURCE / "README.md").read_text(encoding="utf-8")
    body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## )", text,
                     re.MULTILINE | re.DOTALL)[1].replace("runs/demo/", "runs/tour/")
    return [shlex.split(line, comments=True)[1:] for line in body.splitlines() if line.startswith("    longbow ")]


def write_corpus(folder, seed, words):
    """Writes text with enough words for vocabularies of thousands of pieces."""
    draw = random.Random(seed)
    vocabulary = ["".join(draw.choices("etaoinshrdlucmfwypvbgk", k=draw.randint(2, 9))) for _ in range(12000)]
    lines, left = [], words
    while left > 0:
        count = draw.randint(5, 60)
        lines.append(" ".join(vocabulary[min(int(draw.paretovariate(0.3)) - 1, len(vocabulary) - 1)]
                              for _ in range(count)))
        left -= count
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("\n".join(lines) + "\n")


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longbow-readme-")
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        shutil.copytree(SOURCE / "configs", self.home / "configs")
        shutil.copytree(SOURCE / "data/paper", self.home / "data/paper")
        shutil.copytree(SOURCE / "tests/golden/hf/llama", self.home / "tests/golden/hf/llama")
        for seed, name in enumerate(("train", "valid", "test")):
            write_corpus(self.home / f"data/corpora/austen/{name}.txt", seed, 60000 if name == "train" else 4000)

    def run_all(self, section, least):
        seen = commands(section)
        self.assertGreaterEqual(len(seen), least, "the section has lost its commands")
        outputs = []
        for words in seen:
            with self.subTest(" ".join(words)):
                done = subprocess.run([LONGBOW, *words, *shorter(words)], cwd=self.home, capture_output=True, text=True,
                                      timeout=PATIENCE)
                self.assertEqual(done.returncode, 0, f"longbow {shlex.join(words)}\n{done.stderr}")
                self.assertTrue(done.stdout or done.stderr)
            outputs.append((words, done.stdout))
        return outputs

    def test_the_tour(self):
        shutil.copy(GOLDEN / "checkpoint.pt", self.home / "CKPT.pt")
        shutil.copy(GOLDEN / "dict.txt", self.home / "dict.txt")
        outputs = self.run_all("A tour of five minutes", 15)
        verbs = {words[0] for words, _ in outputs}
        for verb in ("doctor", "config", "train", "eval", "compare", "report", "generate", "inspect", "reproduce",
                     "analyze", "import", "export"):
            self.assertIn(verb, verbs)
        for words, stdout in outputs:
            if words[0] not in ("train", "import", "export") and "--out" not in words:
                self.assertTrue(stdout.strip(), f"{words} prints nothing")

    def test_your_own_text(self):
        (self.home / "books").mkdir()
        for number in range(2):
            write_corpus(self.home / f"books/{number}.txt", number, 60000)
            with open(self.home / f"books/{number}.txt", "rb") as plain, \
                    gzip.open(self.home / f"books/{number}.txt.gz", "wb") as packed:
                shutil.copyfileobj(plain, packed)
        write_corpus(self.home / "held-out.txt", 9, 5000)
        outputs = self.run_all("Train on your own text", 3)
        self.assertEqual([words[0] for words, _ in outputs], ["prepare", "train", "eval"])
        self.assertTrue((self.home / "runs/mine/results.jsonl").is_file())


if __name__ == "__main__":
    unittest.main()
