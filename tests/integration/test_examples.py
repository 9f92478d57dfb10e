"""What examples/ shows works: README prints a method of the program, the operator agrees with PyTorch, the study
ends with a page."""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE
from test_readme import write_corpus

LONGBOW = os.environ["LONGBOW"]
SOURCE = Path(os.environ["LONGBOW_SOURCE"])
EXAMPLES = SOURCE / "examples"
HAS_TORCH = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0


class Examples(unittest.TestCase):
    def test_each_file_is_listed(self):
        listed = re.findall(r"^\| \[.*?\]\((.*?)\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
        for name in listed:
            self.assertTrue((EXAMPLES / name).is_file(), name)
        shown = {Path(name).parts[0] for name in listed}
        self.assertEqual(shown,
                         {entry.name for entry in EXAMPLES.iterdir() if entry.name not in ("README.md", "__pycache__")})

    def test_readme_prints_a_position_method_of_the_program(self):
        printed = re.findall(r"^```cpp\n(.*?)^```$", (SOURCE / "README.md").read_text(encoding="utf-8"),
                             re.MULTILINE | re.DOTALL)
        self.assertEqual([(SOURCE / "src/position/sandwich.cpp").read_text(encoding="utf-8")], printed)

    @unittest.skipUnless(HAS_TORCH, "torch is not installed")
    def test_the_operator_agrees_with_pytorch(self):
        library = Path(LONGBOW).parent / "liblongbow_ops.so"
        done = subprocess.run([sys.executable, "-B", EXAMPLES / "fused_attention.py", library, "256"],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        differences = [float(number) for number in re.findall(r"largest difference .*: +(\S+)", done.stdout)]
        self.assertEqual(len(differences), 4, done.stdout)
        self.assertLess(max(differences), 2e-5, done.stdout)
        shares = [float(share) for share in re.findall(r"visits +([\d.]+)%", done.stdout)]
        self.assertEqual(len(shares), 8, done.stdout)
        self.assertEqual(shares, sorted(shares), "a smaller slope reaches further")

    @unittest.skipUnless(HAS_TORCH, "torch is not installed")
    def test_the_operator_without_its_library_says_how_it_is_called(self):
        done = subprocess.run([sys.executable, "-B", EXAMPLES / "fused_attention.py"], capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("liblongbow_ops.so [LENGTH]", done.stderr)

    def test_the_study_goes_from_text_to_a_page(self):
        with tempfile.TemporaryDirectory(prefix="longbow-study-") as home:
            home = Path(home)
            write_corpus(home / "train.txt", 1, 20000)
            write_corpus(home / "valid.txt", 2, 2500)
            command = [EXAMPLES / "study/run", home / "train.txt", home / "valid.txt", home / "out",
                       "train.stop=4 updates", "schedule.warmup=2 updates", "train.batch=2", "train.seeds=[1,2]",
                       "model.dim=32", "model.ffn_dim=64", "model.layers=1"]
            done = subprocess.run(command, env={**os.environ, "LONGBOW": LONGBOW}, capture_output=True, text=True,
                                  timeout=PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("2 seeds", done.stdout)
            self.assertIn("rotary", (home / "out/report.html").read_text())
            done = subprocess.run([EXAMPLES / "study/run"], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertIn("TRAIN.txt", done.stderr)


if __name__ == "__main__":
    unittest.main()
