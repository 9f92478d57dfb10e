"""Tests that the cache of imported models does not grow for ever: what nobody has used for long is removed when another
model is imported, and nothing else is."""

import os
import pathlib
import signal
import subprocess
import unittest

from hf_case import Model
from import_case import LONGBOW, USAGE
from patience import PATIENCE
from public_case import FOUND, IMPORTED, PublicCase

DAY = 24 * 3600
LIMIT = 30 * DAY


class OldEntries(PublicCase):
    def setUp(self):
        super().setUp()
        self.eval(self.model)
        [self.entry] = self.entries()
        self.now = (self.entry / "entry.json").stat().st_mtime
        self.other = Model("neox").write(self.dir / "neox")

    def last_used(self, days, entry=None):
        about = (entry or self.entry) / "entry.json"
        os.utime(about, (self.now - days * DAY,) * 2)
        return about

    def import_another(self, **more):
        _, log = self.eval(self.other, arguments=("--out", self.dir / "other.jsonl"), **more)
        self.assertIn(IMPORTED, log)
        return log

    def test_one_that_was_not_used_is_removed(self):
        self.last_used(30.01)
        log = self.import_another()
        self.assertIn(f"removed {self.entry} of {self.model}", log)
        self.assertIn("LONGBOW_IMPORTS_DAYS", log)
        self.assertFalse(self.entry.exists())
        self.assertEqual(len(self.entries()), 1, "nothing of it remains")
        self.assertIn(IMPORTED, self.eval(self.model, arguments=("--again",))[1])

    def test_use_counts(self):
        about = self.last_used(40)
        self.assertIn(FOUND, self.eval(self.model)[1])
        self.assertGreater(about.stat().st_mtime, self.now - DAY)
        self.import_another()
        self.assertTrue(self.entry.exists())

    def test_the_limit_is_the_users(self):
        self.last_used(29)
        self.import_another()
        self.assertTrue(self.entry.exists(), "younger than the default")
        self.last_used(10000)
        self.other = Model("qwen2").write(self.dir / "qwen2")
        self.import_another(LONGBOW_IMPORTS_DAYS="0")
        self.assertTrue(self.entry.exists(), "0 removes nothing")
        self.last_used(8)
        self.other = Model("opt").write(self.dir / "opt")
        self.import_another(LONGBOW_IMPORTS_DAYS="7")
        self.assertFalse(self.entry.exists())
        entries = self.entries()
        self.other = Model("gptj").write(self.dir / "gptj")
        for text in ("x", "-1", "1.5", "99999999999"):
            _, log = self.eval(self.other, code=USAGE, LONGBOW_IMPORTS_DAYS=text)
            self.assertIn("LONGBOW_IMPORTS_DAYS", log)
        self.assertEqual(self.entries(), entries)

    def test_what_is_no_entry_stays(self):
        imports, outside = self.entry.parent, self.dir / "outside"
        key = "0123456789abcdef"
        for folder in (imports / "notes", imports / key.upper(), imports / (key + "0"), imports / f".{key}.tmp-1", outside):
            folder.mkdir()
            (folder / "entry.json").write_text("{}")
        (imports / key).symlink_to(outside)
        (imports / "fedcba9876543210").write_text("a file")
        before = sorted(imports.iterdir())
        for path in imports.rglob("*"):
            os.utime(path, (self.now - 400 * DAY,) * 2)
        os.utime(outside / "entry.json", (self.now - 400 * DAY,) * 2)
        self.import_another()
        gone = [path for path in before if not (path.exists() or path.is_symlink())]
        self.assertEqual(gone, [self.entry])
        self.assertTrue((outside / "entry.json").exists())

    def test_one_that_is_being_read_stays(self):
        reader = subprocess.Popen([LONGBOW, "eval", str(self.model), "--text", "/dev/stdin", "--lengths", "16", "--out",
                                   "read.jsonl"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.dir,
                                  env={**os.environ, "OMP_NUM_THREADS": "1", "LONGBOW_CACHE": str(self.cache)})
        said = ""
        while FOUND not in said:  # it then waits for the text
            said = reader.stderr.readline()
            self.assertTrue(said, "it ended")
        self.last_used(400)
        self.import_another()
        self.assertTrue(self.entry.exists())
        _, log = reader.communicate(self.text.read_text(), timeout=PATIENCE)
        self.assertEqual(reader.returncode, 0, log)
        self.assertEqual(len(self.rows(self.dir / "read.jsonl")), 1)

    def test_a_removal_that_is_cut_short(self):
        self.last_used(400)
        process = self.start("eval", self.other, "--text", self.text, "--lengths", "16", failpoint="import.in_prune")
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        hidden = [path.name for path in self.entry.parent.iterdir() if path.name.startswith(".")]
        self.assertEqual(len(hidden), 1, hidden)
        self.other = Model("qwen2").write(self.dir / "qwen2")
        self.import_another()
        self.assertEqual([path.name for path in self.entry.parent.iterdir() if path.name.startswith(".")], [])

    def test_an_import_that_was_killed_long_ago(self):
        killed = self.entry.parent / "00112233445566ff"
        (killed / "run").mkdir(parents=True)
        os.utime(killed, (self.now - 31 * DAY,) * 2)
        self.import_another()
        self.assertFalse(killed.exists())

    def test_doctor_says_what_it_takes(self):
        size = sum(path.stat().st_size for path in self.entry.rglob("*") if path.is_file() and not path.is_symlink()
                   and not any(parent.is_symlink() for parent in path.parents))
        out, _ = self.run_verb("doctor")
        [line] = [line for line in out.splitlines() if " imports " in line]
        self.assertIn(f"1 model in {pathlib.Path(self.cache).resolve() / 'imports'}", line)
        self.assertIn(f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB", line)


if __name__ == "__main__":
    unittest.main()
