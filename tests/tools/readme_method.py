"""Writes README.md's position method to a file under another name, because a user may keep the original in src/position
and still run these tests.

readme_method.py README.md OUTPUT
"""
import pathlib
import re
import sys

readme, output = map(pathlib.Path, sys.argv[1:])
blocks = re.findall(r"^```cpp\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
if len(blocks) != 1 or "LONGBOW_REGISTER_POSITION" not in blocks[0]:
    sys.exit(f"{readme}: expected one block of C++, a position method, and found {len(blocks)}")
renamed, names = re.subn(r'"kerple"', '"kerple_of_readme"', blocks[0])
renamed, classes = re.subn(r"\bKerple\b", "KerpleOfReadme", renamed)
if names != 1 or classes < 3:
    sys.exit(f"{readme}: the block no longer defines a class Kerple and registers it as \"kerple\"; change this "
             "script with it")
if not output.exists() or output.read_text(encoding="utf-8") != renamed:
    output.write_text(renamed, encoding="utf-8")
