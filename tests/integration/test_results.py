"""docs/results.md shows what the rows in docs/results say: a copy of the repository makes its tables anew, without the
text and without a training."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
PAGE = SOURCE / "docs/results.md"
# The parts of a study whose rows are all in the repository.
MEASURED = {"austen": ["biases"]}


def study(name, *arguments):
    """Runs the study in an empty folder, where none of its texts is."""
    return subprocess.run([LONGBOW, "study", str(SOURCE / f"configs/studies/{name}.yaml"), *arguments], text=True,
                          capture_output=True, timeout=PATIENCE)


class Results(unittest.TestCase):
    def test_tables_and_figures_are_those_of_the_rows(self):
        page = PAGE.read_text()
        for name, parts in MEASURED.items():
            with self.subTest(name), tempfile.TemporaryDirectory(prefix="longbow-results-") as folder:
                run_dir = pathlib.Path(folder) / name
                for part in parts:
                    done = study(name, "--part", part, "--run-dir", str(run_dir))
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertNotIn(": train", done.stderr, "a model of the page was trained anew")
                table = (run_dir / f"tables/{name}.md").read_text()
                shown = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", page, re.S)
                self.assertEqual(shown[1].strip(), table.strip())
                self.assertEqual((SOURCE / f"docs/results/{name}.svg").read_text(),
                                 (run_dir / f"figures/{name}.svg").read_text())

    def test_the_page_names_every_part(self):
        for name, parts in MEASURED.items():
            plan = study(name, "--dry-run").stdout
            missing = set(re.findall(r"^part (\S+) +[1-9]\d* models to do", plan, re.M))
            self.assertFalse(missing & set(parts), plan)
            for part in missing:
                self.assertRegex(PAGE.read_text(), rf"(?i)not measured yet[^\n]*`{part}`|`{part}`[^\n]*not measured yet")


if __name__ == "__main__":
    unittest.main(verbosity=2)
