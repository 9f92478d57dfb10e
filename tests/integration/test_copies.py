"""Product code says a thing once: no ten lines of src and include occur in two places, except with a reason given
here."""

import os
import pathlib
import re
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
LINES = 10
SUFFIXES = (".h", ".cpp", ".cu", ".cuh")

# Pairs of files that may share lines, with the reason.
ALLOWED = {
    ("src/attention/kernels/cuda/backward.h", "src/attention/kernels/cuda/gradient_tile.h"): "one product over tiles, "
    "a static function of two kernels' classes, whose Math, kTiles and kDim it needs",
}


def lines_of(path):
    """Yields (number, text without spaces) of each line of code, without comments, includes, namespaces and lone
    brackets."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = re.sub(r"\s+", "", re.sub(r"//.*", "", line))
        if re.search(r"\w", line) and not line.startswith(("#include", "namespace")) and line != "}else{":
            yield number, line


def copies(source):
    """Returns [((file, line), (file, line))] of the runs of LINES lines or more that occur in two places, one entry for
    each run."""
    seen, found, last = {}, [], None
    for path in sorted([*(source / "src").rglob("*"), *(source / "include").rglob("*")]):
        if path.suffix not in SUFFIXES:
            continue
        name, lines = str(path.relative_to(source)), list(lines_of(path))
        for start in range(len(lines) - LINES + 1):
            text = tuple(line for _, line in lines[start : start + LINES])
            first = seen.setdefault(text, (name, lines[start][0], start))
            if first[2] == start and first[0] == name:
                continue
            if last != (first[0], first[2] - 1, name, start - 1):
                found.append(((first[0], first[1]), (name, lines[start][0])))
            last = (first[0], first[2], name, start)
    return found


class Copies(unittest.TestCase):
    def test_nothing_is_copied_without_a_reason(self):
        unknown = [pair for pair in copies(SOURCE) if (pair[0][0], pair[1][0]) not in ALLOWED]
        self.assertEqual(unknown, [])

    def test_each_reason_is_needed(self):
        self.assertEqual({(a, b) for (a, _), (b, _) in copies(SOURCE)} & set(ALLOWED), set(ALLOWED))

    def test_a_copy_is_found(self):
        body = "".join(f"    value += {number} * other;  // of {number}\n" for number in range(12))
        with tempfile.TemporaryDirectory() as folder:
            house = pathlib.Path(folder)
            for file, text in {
                "src/a/a.cpp": f"int a() {{\n{body}}}\n",
                "src/b/b.cpp": f"int b() {{\n\n{body.replace('    ', '        ')}}}\n",
                "src/b/c.cpp": "".join(body.splitlines(keepends=True)[: LINES - 1]),
            }.items():
                (house / file).parent.mkdir(parents=True, exist_ok=True)
                (house / file).write_text(text)
            (house / "include").mkdir()
            self.assertEqual(copies(house), [(("src/a/a.cpp", 2), ("src/b/b.cpp", 3))])


if __name__ == "__main__":
    unittest.main()
