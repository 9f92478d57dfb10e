"""No two types may have the same name and namespace: the linker takes them for one and keeps either's destructor.
Because of such a pair, debug builds once never freed their models."""
import collections
import re
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
ROOTS = ("include", "src", "tests")
NAMESPACE = re.compile(r"^(?:inline )?namespace ?([\w:]*) ?\{")
TYPE = re.compile(r"^(?:struct|class|union|enum class|enum) (?:alignas\([^)]*\) )?(\w+)(?: final)?\s*(?::[^:].*)?\{")


def definitions(text):
    """Returns the types that a file defines directly in named namespaces, which the linker may take for another
    file's."""
    spaces = []
    for line in text.splitlines():
        opened = NAMESPACE.match(line)
        if opened and "}" not in line:
            spaces.append(opened[1])
        elif line.startswith("}  // namespace"):
            spaces.pop()
        elif (found := TYPE.match(line)) and "" not in spaces:
            yield "::".join([*spaces, found[1]])


class OneDefinition(unittest.TestCase):
    def test_reads_definitions(self):
        text = ("namespace a::b {\n\nnamespace {\nstruct Mine {\n};\n}  // namespace\nstruct S { int x; };\n"
                "class C final : public S {\n"
                "enum class E : int { one };\nclass Declared;\n}  // namespace a::b\nstruct Outside {\n")
        self.assertEqual(list(definitions(text)), ["a::b::S", "a::b::C", "a::b::E", "Outside"])

    def test_no_type_has_two(self):
        places = collections.defaultdict(list)
        for root in ROOTS:
            for file in sorted((TOP / root).rglob("*")):
                if file.suffix in (".h", ".cpp", ".cu", ".cuh"):
                    for name in definitions(file.read_text()):
                        places[name].append(str(file.relative_to(TOP)))
        self.assertGreater(len(places), 100)
        self.assertEqual({name: files for name, files in places.items() if len(files) > 1}, {})


if __name__ == "__main__":
    unittest.main()
