"""Tests what a terminal shows of `longbow` (environment: LONGBOW): progress lines and tables fit its width, the time
left comes first, and a finished progress line leaves nothing behind. The programs run in a pseudo-terminal whose screen
is drawn here."""
import fcntl
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import termios
import unicodedata
import unittest

from terminals import open_terminal

LONGBOW = os.environ["LONGBOW"]
CONFIG = """\
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
position: {method: alibi}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: store, train: [train.txt], valid: [valid.txt]}
train: {length: 16, batch: 4, stop: 5 updates, deterministic: true}
log: {every: 1 updates}
"""
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n"
NAME = "実験の結果"


def columns(text):
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


class Screen:
    """The rows of a terminal that wraps at its last column, after it has shown `data`. `drawn` are the progress lines
    in order."""

    def __init__(self, data, width):
        self.rows, self.place, self.wrapped = [[]], 0, 0
        self.drawn = [part.split("\x1b[K")[0] for part in data.split("\r")
                      if "\x1b[K" in part and not part.startswith(("\x1b[K", "\n"))]
        for piece in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.", data, re.DOTALL):
            if piece == "\r":
                self.place = 0
            elif piece == "\n":
                self.rows.append([])
                self.place = 0
            elif piece == "\x1b[K":
                del self.rows[-1][self.place:]
            elif not piece.startswith("\x1b"):
                if columns("".join(self.rows[-1][:self.place]) + piece) > width:
                    self.wrapped += 1
                    self.rows.append([])
                    self.place = 0
                self.rows[-1][self.place:self.place + 1] = [piece]
                self.place += 1

    def text(self):
        return "\n".join("".join(row) for row in self.rows)


class Terminal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longbow-terminal-")
        cls.home = pathlib.Path(cls.folder.name)
        (cls.home / "train.txt").write_text(TEXT * 60)
        (cls.home / "valid.txt").write_text(TEXT[::-1] * 40 + TEXT * 20)
        (cls.home / "alibi.yaml").write_text(CONFIG)
        subprocess.run([LONGBOW, "train", "-c", "alibi.yaml", "--run-dir", NAME, "--threads", "1"], cwd=cls.home,
                       check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def show(self, width, *arguments):
        parent, child = open_terminal(self)
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        environment = {**os.environ, "TERM": "xterm"}
        process = subprocess.Popen([LONGBOW, *map(str, arguments), "--threads", "1"], cwd=self.home, stdin=child,
                                   stdout=child, stderr=child, env=environment)
        os.close(child)
        data = b""
        while True:
            try:
                chunk = os.read(parent, 65536)
            except OSError:  # the last writer has closed it
                chunk = b""
            if not chunk:
                break
            data += chunk
        os.close(parent)
        screen = Screen(data.decode(), width)
        self.assertEqual(process.wait(), 0, screen.text())
        return screen

    def check_progress(self, screen, width):
        self.assertTrue(screen.drawn)
        for line in screen.drawn:
            self.assertLess(columns(line), width, line)
            self.assertTrue(line.startswith("ETA "), line)
        self.assertNotIn("ETA", screen.text())

    def table_of(self, screen):
        lines = screen.text().split("\n")
        begin = next(i for i, line in enumerate(lines) if line.split()[:1] == ["length"] and "ppl" in line)
        return lines[begin:begin + 3]

    def test_eval_fits(self):
        for width, shown, left_out in ((20, ["ppl"], ["95 % interval"]), (40, ["ppl", "95 % interval"], ["stride"]),
                                       (80, ["stride", "95 % interval", "bits/byte"], ["tensors MB"]),
                                       (200, ["tokens/s", "tensors MB"], [])):
            screen = self.show(width, "eval", NAME, "--data", "store", "--lengths", "16,64", "--again")
            self.check_progress(screen, width)
            table = self.table_of(screen)
            self.assertTrue(all(columns(line) <= width for line in table), table)
            self.assertEqual(len({columns(line) for line in table}), 1, table)
            for heading in shown:
                self.assertIn(heading, table[0])
            for heading in left_out:
                self.assertNotIn(heading, table[0])
                self.assertIn("columns omitted", screen.text())
            if width == 80:
                wide = [line for line in screen.text().split("\n") if columns(line) > width]
                self.assertEqual(wide, [])
        piped = subprocess.run([LONGBOW, "eval", NAME, "--data", "store", "--lengths", "16"], cwd=self.home, check=True,
                               capture_output=True, text=True)
        self.assertIn("tensors MB", piped.stdout)
        self.assertNotIn("\x1b", piped.stdout + piped.stderr)

    def test_train_and_analyze_fit(self):
        for width in (40, 80, 200):
            screen = self.show(width, "train", "-c", "alibi.yaml", "--run-dir", f"runs/{width}")
            self.check_progress(screen, width)
            self.assertTrue(any("update 5/5" in line for line in screen.drawn), screen.drawn)
            self.assertEqual(any("|g|" in line for line in screen.drawn), width > 80, screen.drawn)
            screen = self.show(width, "analyze", "early-token", NAME, "--data", "store", "--lengths", "16,64")
            self.check_progress(screen, width)
            self.assertTrue(any(re.match(r"ETA \S+  \d+ %", line) for line in screen.drawn), screen.drawn)

    def test_reproduce_shows_the_whole(self):
        source = pathlib.Path(os.environ["LONGBOW_SOURCE"])
        arguments = ["reproduce", "figure11", "--scale", "demo", "--configs", source / "configs", "--run-dir", "grid",
                     "--max-stream-tokens", "300", "--jobs", "1", "model.layers=1", "model.dim=16", "model.heads=2",
                     "model.ffn_dim=32", "tokenizer.vocab_size=300", "data.store=store", "data.train=[train.txt]",
                     "data.valid=[valid.txt]", "data.test=[valid.txt]", "train.stop=2 updates",
                     "schedule.warmup=1 updates", "schedule.period=2 updates", "train.length=16",
                     "eval.lengths=16"]
        screen = self.show(80, *arguments)
        self.check_progress(screen, 80)
        self.assertTrue(any(re.match(r"ETA \S+  \d+ %  \d+ of \d+ steps  demo/", line) for line in screen.drawn),
                        screen.drawn)


if __name__ == "__main__":
    unittest.main()
