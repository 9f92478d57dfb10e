"""Tests that ARCHITECTURE.md names only what exists: each file, each function in its prose, and in its index each
function, type and constant, which must be defined in the file that the page names. Every folder of src with sources
must have an index.

The page may shorten a path in two ways: ROOM/NAME.h is include/longbow/ROOM/NAME.h, and in the index a name without a
folder is a file of the folders in the last bold line. ROOM and NAME stand for any name. Needs no binary.
"""

import functools
import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
PAGE = (SOURCE / "ARCHITECTURE.md").read_text()
CODE = (".h", ".cpp", ".cu")
PATH = re.compile(r"(?:[\w.-]+/)*[\w.-]+\.(?:h|cpp|cu|py|cmake|md|patch)|CMakeLists\.txt|"
                  r"(?:src|tests|docs|data)/[\w./-]+")
FUNCTION = re.compile(r"(?:\w+::)*[a-z]\w*\(\)")
BOLD_LINE = re.compile(r"\| ((?:\*\*[\w/]+\*\*(?:, )?)+) \| \|")


def defines(text, name, suffix):
    """Returns whether a file's text defines a name: `f()` a function, `T::f()` a member, `T` a type or a constant."""
    *scopes, last = name.removesuffix("()").split("::")
    if last not in text:
        return False
    word = re.escape(last)
    if suffix == ".cmake":
        return re.search(rf"(?m)^(?:function|macro)\({word}\b", text) is not None
    if suffix not in CODE and name.endswith("()"):  # of Python or a shell
        return re.search(rf"(?m)^ *def {word}\(|^{word}\(\) *\{{", text) is not None
    if suffix not in CODE:
        return re.search(rf"(?m)^(?:class )?{word}\b", text) is not None
    if scopes:
        scope = re.escape(scopes[-1])
        declared = re.search(rf"\b(?:class|struct) {scope}\b(?! *;)", text) and defines(text, f"{last}()", suffix)
        return bool(declared or re.search(rf"\b{scope}::{word}\(", text))
    if name.endswith("()"):
        # A type, `*`, `&` or `::` stands before a name that is defined or declared; a call has nothing or a statement's
        # word there.
        before = r"(?!\s*(?:return|else|throw|case|new|delete)\b)[^=\n\"(]*?(?:[\w>\]] +|[*&] *|::)"
        return re.search(rf"(?m)^{before}{word}\(", text) is not None
    type_or_macro = rf"\b(?:class|struct|enum class|enum|using) {word}\b(?! *;)|#define {word}\b|^{word}\("
    return re.search(rf"(?m){type_or_macro}|\b{word}(?:\[\])?(?: = |\{{)", text) is not None


def files_of(name, folders):
    """Returns the files that a path of the page stands for."""
    places = [] if "/" in name else [f"{folder}/{name}" for folder in folders]
    for place in [*places, name, f"include/longbow/{name}"]:
        if found := list(SOURCE.glob(re.sub("NAME|ROOM", "*", place))):
            return found
    return []


@functools.cache
def all_code():
    paths = [path for folder in ("src", "include", "cmake") for path in sorted((SOURCE / folder).rglob("*"))]
    return [path for path in paths if path.suffix in (*CODE, ".cmake")]


@functools.cache
def text_of(path):
    return path.read_text()


@functools.cache
def is_defined(name):
    return any(defines(text_of(path), name, path.suffix) for path in all_code())


def check_prose(text):
    """Returns what is wrong with the files and functions that stand anywhere in a line."""
    found = []
    for token in re.findall(r"`([^`]+)`", text):
        if PATH.fullmatch(token):
            anywhere = "/" not in token and any(path.name == token for path in all_code())
            if not anywhere and not files_of(token, []):
                found.append(f"there is no {token}")
        elif FUNCTION.fullmatch(token) and not is_defined(token):
            found.append(f"nothing defines {token}")
    return found


def check_cell(cell, folders):
    """Returns what is wrong with the last cell of a row of the index: "`file`: `name`, `name`; `file`: .."."""
    found = []
    for item in cell.split("; "):
        file, *names = re.findall(r"`([^`]+)`", item) or [""]
        paths = files_of(file, folders) if file else []
        if file and not paths:
            found.append(f"there is no {file} in {' or '.join(folders)}")
        for name in names if paths else ():
            if not any(defines(text_of(path), name, path.suffix) for path in paths):
                found.append(f"{file} does not define {name}")
    return found


def problems(page):
    found, folders, indexed = [], [], set()
    for number, line in enumerate(page.splitlines(), 1):
        if bold := BOLD_LINE.fullmatch(line):
            folders = re.findall(r"\*\*([\w/]+)\*\*", bold[1])
            indexed.update(folders)
            wrong = [f"there is no folder {folder}" for folder in folders if not (SOURCE / folder).is_dir()]
        elif folders and line.startswith("| "):
            wrong = check_cell(line.split(" | ")[-1], folders)
        else:
            folders = folders if line.startswith("|") else []
            wrong = check_prose(line)
        found += [f"ARCHITECTURE.md:{number}: {what}" for what in wrong]
    sources = {str(path.parent.relative_to(SOURCE)) for path in all_code()}
    for folder in sorted(sources - indexed):
        if folder.startswith("src"):
            found.append(f"ARCHITECTURE.md: {folder} has no index")
    return found


class Architecture(unittest.TestCase):
    def test_what_the_page_names_exists(self):
        self.assertEqual(problems(PAGE), [])

    def test_a_wrong_name_is_found(self):
        """Each mistake that is planted in the page must be found as one problem."""
        planted = {
            "a file of the index": ("`watchdog.cpp`: `watch_clock()`", "`watchdogs.cpp`: `watch_clock()`"),
            "a header of the index": ("`core/error.h`: `ExitCode`", "`core/errors.h`: `ExitCode`"),
            "a function": ("`LanguageModel::decays()`", "`LanguageModel::decay()`"),
            "a function that the file only calls": ("`cli.cpp`: `run_cli()`, `report()`",
                                                    "`cli.cpp`: `run_cli()`, `registered_verbs()`"),
            "a type": ("`Sgd`", "`Sgdd`"),
            "a constant": ("`kPositions`", "`kPosition`"),
            "a function of a script": ("`take_turns()`", "`take_turn()`"),
            "a folder": ("**src/dist/nccl**", "**src/dist/nccls**"),
            "a file in the text": ("(`src/train/update.cpp`)", "(`src/train/updates.cpp`)"),
            "a function in the text": ("`share_of_update()` (", "`part_of_update()` ("),
        }
        before = problems(PAGE)
        for name, (right, wrong) in planted.items():
            with self.subTest(name):
                self.assertIn(right, PAGE)
                found = [problem for problem in problems(PAGE.replace(right, wrong, 1)) if problem not in before]
                # Without its folder, the index of src/dist/nccl is missing, too.
                self.assertEqual(len(found), 2 if name == "a folder" else 1, found)

    def test_a_folder_without_an_index_is_found(self):
        found = problems(PAGE.replace("| **src/grid** | |\n", ""))
        self.assertEqual(found[-1], "ARCHITECTURE.md: src/grid has no index")


if __name__ == "__main__":
    unittest.main()
