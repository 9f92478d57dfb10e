"""CONTRIBUTING.md's table of costs is what the patches of tests/extension pay: one a kind, each touches the files that
its row names and no other.

scripts/extension builds and tests them.
"""

import os
import pathlib
import re
import subprocess
import unittest

SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
PATCHES = sorted((SOURCE / "tests/extension").glob("*.patch"))
SWITCHES = "the switches that the compiler names"


def table_of_costs(page):
    """{kind: (files of its own, what changes elsewhere)}, both as the page has them; a row of two kinds ("an
    activation, a norm") is two."""
    rows = {}
    for line in page.split("## What an addition costs", 1)[1].split("\n## ", 1)[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[0] != "to add" and not set(cells[0]) <= set("-"):
            for kind in cells[0].split(", "):
                rows[kind] = (cells[2], cells[3])
    return rows


def spans(cell):
    return re.findall(r"`([^` ]+)`", cell)


def own_pattern(span):
    """`src/text/NAME_tokenizer.{h,cpp}` as a regular expression."""
    pattern = re.escape(span).replace("NAME", "[a-z0-9_]+")
    return re.sub(r"\\\{(.+?)\\\}", lambda match: "(" + match[1].replace(",", "|") + ")", pattern)


def lies_in(path, span):
    """A span is a file, a folder, or the name of a file in any folder."""
    return path == span or path.startswith(span.rstrip("/") + "/") or ("/" not in span and path.endswith("/" + span))


class Patch:
    def __init__(self, text):
        self.head, *files = re.split(r"(?m)^diff --git a/", text)
        self.new, self.changed, self.added = [], [], {}
        for entry in files:
            path = entry.split(" ", 1)[0]
            (self.new if "\nnew file mode" in entry else self.changed).append(path)
            self.added[path] = [line[1:] for line in entry.splitlines()
                                if line.startswith("+") and not line.startswith("+++")]

    def line(self, key):
        found = re.findall(rf"(?m)^{key}: (.+)$", self.head)
        return found[0] if len(found) == 1 else ""


def differences(patch, own, elsewhere):
    """What the patch touches beside its row, and what of the row it leaves alone."""
    found = []
    patterns = [own_pattern(span) for span in spans(own)]
    tests = [path for path in patch.new if path.startswith("tests/")]
    found += [f"{path} is new, and no file of its own" for path in patch.new
              if path not in tests and not any(re.fullmatch(p, path) for p in patterns)]
    found += [f"there is no {span}" for span, p in zip(spans(own), patterns)
              if not any(re.fullmatch(p, path) for path in patch.new)]
    if ("a test" in own) != bool(tests):
        found.append("a test comes with it" if tests else "there is no test")
    for path in patch.changed:
        switched = (SWITCHES in elsewhere and path.startswith("src/")
                    and any(re.match(r"\s*case ", line) for line in patch.added[path]))
        if not switched and not any(lies_in(path, span) for span in spans(elsewhere)):
            found.append(f"{path} changes, and the row does not name it")
    touched = patch.changed + patch.new
    found += [f"nothing changes in {span}" for span in spans(elsewhere)
              if not any(lies_in(path, span) for path in touched)]
    return found


def test_names(path, lines):
    """What ctest may call the tests of a file: its name, or in rooms without LibTorch each case's."""
    if integration := re.fullmatch(r"tests/integration/test_(\w+)\.py", path):
        return [f"integration.{integration[1]}"]
    room, stem = re.fullmatch(r"tests/unit/(\w+)/(\w+)\.cpp", path).groups()
    cases = [re.match(r"TEST(?:_F)?\((\w+), (\w+)\)", line) for line in lines]
    return [f"{room}.{stem.removesuffix('_test')}", *(f"{room}.{case[1]}.{case[2]}" for case in cases if case)]


class Extension(unittest.TestCase):
    def setUp(self):
        self.rows = table_of_costs((SOURCE / "CONTRIBUTING.md").read_text())
        self.patches = {path.stem: Patch(path.read_text()) for path in PATCHES}

    def test_each_row_has_a_patch(self):
        self.assertGreater(len(self.rows), 7)
        self.assertEqual(sorted(patch.line("Row") for patch in self.patches.values()), sorted(self.rows))

    def test_each_patch_costs_what_its_row_says(self):
        for name, patch in self.patches.items():
            with self.subTest(name):
                self.assertEqual(differences(patch, *self.rows[patch.line("Row")]), [])

    def test_each_patch_applies(self):
        for path in PATCHES:
            with self.subTest(path.stem):
                result = subprocess.run(["git", "apply", "--check", str(path)], cwd=SOURCE,
                                        capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_each_patch_names_its_tests(self):
        for name, patch in self.patches.items():
            with self.subTest(name):
                self.assertTrue(patch.line("Build"))
                for path in patch.new:
                    if path.startswith("tests/"):
                        names = test_names(path, patch.added[path])
                        self.assertTrue(any(re.search(patch.line("Test"), name) for name in names),
                                        f"{patch.line('Test')} names none of {names}")

    def test_a_patch_that_costs_more_or_less_is_found(self):
        def patch(*files):
            return Patch("Row: x\n\n" + "".join(f"diff --git a/{path} b/{path}\n"
                                                f"{'new file mode 100644' if new else 'index 1..2'}\n+{line}\n"
                                                for path, new, line in files))

        own, elsewhere = "`src/optim/NAME.cpp`, a test", "`docs/configuration.md`"
        right = [("src/optim/lion.cpp", True, ""), ("tests/unit/optim/lion_test.cpp", True, ""),
                 ("docs/configuration.md", False, "")]
        self.assertEqual(differences(patch(*right), own, elsewhere), [])
        for i in range(3):
            self.assertEqual(len(differences(patch(*right[:i], *right[i + 1 :]), own, elsewhere)), 1)
        for further in (("src/train/plan.cpp", False, "case 1:"), ("src/optim/lion.h", True, ""),
                        ("src/optim/sgd.cpp", False, "")):
            self.assertEqual(len(differences(patch(*right, further), own, elsewhere)), 1)
        elsewhere += ", " + SWITCHES
        self.assertEqual(differences(patch(*right, ("src/train/plan.cpp", False, "        case Kind::one: return 1;")),
                                     own, elsewhere), [])
        self.assertEqual(len(differences(patch(*right, ("src/train/plan.cpp", False, "int a;")), own, elsewhere)), 1)


if __name__ == "__main__":
    unittest.main()
