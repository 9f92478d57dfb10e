"""What a build without CUDA compiles instead (the presets cpu, dev and fuzz) compiles: each source that asks for
LONGBOW_CUDA is parsed without it, by the command that built it."""
import json
import os
import shlex
import subprocess
import unittest
from pathlib import Path

from patience import PATIENCE

SOURCE = Path(os.environ["LONGBOW_SOURCE"])
BUILD = Path(os.environ["LONGBOW"]).parent


def without_cuda(command):
    """Returns the command that only parses. A precompiled header made with other definitions is read as text."""
    words = [word for word in shlex.split(command) if not word.startswith(("-DLONGBOW_CUDA", "-Winvalid-pch"))]
    at = words.index("-o")
    return [*words[:at], *words[at + 2:], "-fsyntax-only"]


class WithoutCuda(unittest.TestCase):
    def test_sources_that_ask_for_it(self):
        asked = []
        for entry in json.loads((BUILD / "compile_commands.json").read_text()):
            path = Path(entry["file"])
            if SOURCE / "src" not in path.parents or path.suffix != ".cpp" or "LONGBOW_CUDA" not in path.read_text():
                continue
            asked.append(path.name)
            with self.subTest(path.name):
                done = subprocess.run(without_cuda(entry["command"]), cwd=entry["directory"], capture_output=True,
                                      text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("gpu.cpp", asked)


if __name__ == "__main__":
    unittest.main()
