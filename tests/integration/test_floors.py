"""The house stands on its floors: what a room's files include lies in the room itself or in those below it, as CMakeLists.txt says (DEPENDS).

A room's headers under src/ are its own. Product code includes nothing of the tests. The one exception: config/ declares settings whose values
are an enum of a room above it, and so may include that room's choices.h, which includes nothing but core/choice.h and the standard library."""

import os
import pathlib
import re
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
PRODUCT = (".h", ".cpp", ".cu", ".cuh", ".inc")
GENERATED = {"build_config.h", "revision.h"}  # by CMake


def rooms_below(source):
    """Of each room, all that it may include: itself, its DEPENDS and theirs."""
    listing = re.sub(r"#[^\n]*", "", (source / "CMakeLists.txt").read_text())
    depends = {}
    for call in re.findall(r"longbow_room\(([^)]*)\)", listing):
        name, *words = call.split()
        below = []
        if "DEPENDS" in words:
            for word in words[words.index("DEPENDS") + 1 :]:
                if word.isupper():
                    break
                below.append(word)
        depends[name] = below

    def closure(room, seen):
        for below in depends.get(room, ()):
            if below not in seen:
                seen.add(below)
                closure(below, seen)
        return seen

    return {room: closure(room, {room}) for room in depends}


def room_of(path, source):
    parts = path.relative_to(source).parts
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else None  # src/main.cpp stands above all rooms
    return parts[2] if parts[:2] == ("include", "longbow") and len(parts) > 3 else None


def resolve(name, path, room, source):
    """The file of this repository that an include means; None where it is another project's."""
    for folder in (path.parent, source / "include", source / "src", source / "src" / (room or ""), source / "tests", source):
        found = pathlib.Path(os.path.normpath(folder / name))
        if found.is_file():
            return found
    return None


def problems(source):
    below = rooms_below(source)
    found = []
    for path in sorted([*(source / "src").rglob("*"), *(source / "include").rglob("*")]):
        if path.suffix not in PRODUCT:
            continue
        room, where = room_of(path, source), str(path.relative_to(source))
        if room is not None and room not in below:
            found.append(f"{where}: CMakeLists.txt has no room {room}")
            continue
        for quote, name in re.findall(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', path.read_text(), re.MULTILINE):
            target = resolve(name, path, room, source)
            if path.name == "choices.h" and where.startswith("include/") and not (quote == "<" and target is None) and name != "longbow/core/choice.h":
                found.append(f"{where} includes {name}: choices.h may include core/choice.h and the standard library only")
                continue
            if target is None:
                if quote == '"' and name not in GENERATED:
                    found.append(f"{where} includes {name}, which is not there")
                continue
            parts = target.relative_to(source).parts
            if parts[0] == "tests":
                found.append(f"{where} includes {name}: product code includes nothing of the tests")
                continue
            other = room_of(target, source)
            if room is None or other == room:
                continue
            if parts[0] == "src":
                found.append(f"{where} includes {name}, which is {other}'s own; include/longbow/{other} has what others may use")
            elif other not in below[room] and not (room == "config" and target.name == "choices.h"):
                found.append(f"{where} includes {name}, but the room {other} is not below {room} (DEPENDS in CMakeLists.txt)")
    return found


class Floors(unittest.TestCase):
    def test_every_include_stays_in_its_room_or_goes_down(self):
        self.assertEqual(problems(SOURCE), [])

    def test_the_rooms_are_those_of_the_folders(self):
        folders = {path.name for path in (SOURCE / "src").iterdir() if path.is_dir()}
        folders |= {path.name for path in (SOURCE / "include" / "longbow").iterdir() if path.is_dir()}
        self.assertEqual(folders, set(rooms_below(SOURCE)))

    def test_an_edge_that_goes_up_is_found(self):
        """Each planted edge is one problem, and a sound house has none."""
        sound = {
            "CMakeLists.txt": "longbow_room(core LIBRARIES x)\nlongbow_room(config DEPENDS core)\n"
            "longbow_room(data TORCH DEPENDS config LIBRARIES core)\nlongbow_room(eval DEPENDS data)\n",
            "src/main.cpp": '#include "longbow/eval/a.h"\n#include "revision.h"\n',
            "src/core/a.cpp": '#include "longbow/core/a.h"\n#include <vector>\n',
            "src/config/a.cpp": '#include "longbow/core/a.h"\n#include "longbow/data/choices.h"\n',
            "src/data/a.cpp": '#include "own.h"\n#include "longbow/core/a.h"\n',
            "src/data/own.h": '#include "longbow/data/choices.h"\n',
            "src/eval/a.cpp": '#include "longbow/core/a.h"\n',
            "include/longbow/core/a.h": "",
            "include/longbow/core/choice.h": "",
            "include/longbow/data/a.h": "",
            "include/longbow/data/choices.h": '#include "longbow/core/choice.h"\n#include <string_view>\n',
            "include/longbow/eval/a.h": '#include "longbow/data/a.h"\n',
            "tests/helper.h": "",
        }
        planted = {
            "a header above": ("src/data/a.cpp", '#include "longbow/eval/a.h"\n', "not below data"),
            "in a public header": ("include/longbow/core/a.h", '#  include "longbow/config/../data/a.h"\n', "not below core"),
            "by angle brackets": ("src/core/a.cpp", "#include <longbow/data/a.h>\n", "not below core"),
            "another room's own": ("src/eval/a.cpp", '#include "../data/own.h"\n', "data's own"),
            "a test": ("src/eval/a.cpp", '#include "../../tests/helper.h"\n', "nothing of the tests"),
            "choices with more": ("include/longbow/data/choices.h", '#include "longbow/core/a.h"\n', "choices.h may include"),
            "choices from elsewhere": ("src/core/a.cpp", '#include "longbow/data/choices.h"\n', "not below core"),
            "more than choices": ("src/config/a.cpp", '#include "longbow/data/a.h"\n', "not below config"),
            "a lost file": ("src/eval/a.cpp", '#include "gone.h"\n', "not there"),
        }
        for name, (file, line, message) in {"none": ("src/core/a.cpp", "", None), **planted}.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                house = pathlib.Path(folder)
                for path, text in sound.items():
                    (house / path).parent.mkdir(parents=True, exist_ok=True)
                    (house / path).write_text(text)
                with (house / file).open("a") as more:
                    more.write(line)
                found = problems(house)
                self.assertEqual(len(found), 0 if message is None else 1, found)
                if message is not None:
                    self.assertIn(message, found[0])


if __name__ == "__main__":
    unittest.main()
