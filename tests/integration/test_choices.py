"""No code above config/ knows a setting's value or a registered object by a string of its own: a closed setting is an
enum, and what others must know of a registered object is a property of its registration. So no comparison with such a
literal stands outside src/config, and outside the file that registers the object."""

import os
import pathlib
import re
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
PRODUCT = (".h", ".cpp", ".cu", ".cuh", ".inc")

LITERAL = r'(?:std::string(?:_view)?[({]\s*)?"((?:[^"\\]|\\.)*)"'
BEFORE = re.compile(r"[!=]=\s*" + LITERAL)  # a.b == "x"
BEHIND = re.compile(LITERAL + r"\s*[!=]=\s*([\w.\->:]+)")  # "x" == a.b


def without_comments(text):
    """The text with each comment replaced by its line ends; literals stay."""
    pattern = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return pattern.sub(lambda found: found[0] if found[0][0] == '"' else "\n" * found[0].count("\n"), text)


def files_of(source):
    return {
        path.relative_to(source).as_posix(): without_comments(path.read_text())
        for folder in ("src", "include")
        for path in sorted((source / folder).rglob("*"))
        if path.suffix in PRODUCT
    }


def names_of(files):
    """Names of registered objects, of back-ends, and of the values of closed settings."""
    names = set()
    for path, text in files.items():
        names.update(re.findall(r'LONGBOW_REGISTER_(?!VERB)\w+\(\s*\{\s*(?:\.name\s*=\s*)?"(\w+)"', text))
        names.update(re.findall(r'\bkKind\s*=\s*"(\w+)"', text))  # tokenizers
        if path.startswith("src/attention/"):
            names.update(re.findall(r'\bname\(\) const override \{ return "(\w+)"; \}', text))
        if path.endswith(("/choices.h", "/dtype.h")):
            for table in re.findall(r"struct ChoiceTable<.*?\};", text, re.DOTALL):
                names.update(re.findall(r'\{\w+::\w+,\s*"(\w+)"', table))
    return names


def settings_of(files):
    """"section.key" as code writes it, of every key that is declared."""
    keys = set()
    for text in (text for path, text in files.items() if path.startswith("src/config/")):
        for section, body in re.findall(r'SectionFields key\("(\w+)"(.*?)\n\}', text, re.DOTALL):
            keys.update(f"{section}.{key}" for key in re.findall(r'\bkey\("(\w+)"', body))
    return keys


def problems(source):
    files = files_of(source)
    names, settings = names_of(files), settings_of(files)
    found = []
    for path, text in files.items():
        if path.startswith("src/config/"):
            continue
        compared = [(match, match[1], text[max(0, match.start() - 120) : match.start()].rstrip())
                    for match in BEFORE.finditer(text)]
        compared += [(match, match[1], match[2]) for match in BEHIND.finditer(text)]
        for match, literal, side in compared:
            side = side.replace("->", ".")
            where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {side.split()[-1]} compared with {literal!r}"
            if any(re.search(rf"(^|[\W_]){re.escape(key)}$", side) for key in settings):
                found.append(f"{where}, a setting with a literal: make it an enum with a ChoiceTable, or a property of "
                             "what it names")
            elif re.search(r"option_string\([^()]*(\([^()]*\)[^()]*)?\)$", side):
                found.append(f"{where}, an option with a literal: option_choice() reads a closed choice")
            elif literal in names and not path.startswith("src/foreign/"):  # there the words are other programs'
                found.append(f"{where}, the name of a registered object or of a setting's value")
    return found


class Choices(unittest.TestCase):
    maxDiff = None

    def test_no_setting_or_registered_name_is_compared_with_a_literal(self):
        self.assertEqual(problems(SOURCE), [])

    def test_the_names_and_keys_are_found(self):
        files = files_of(SOURCE)
        known = {"alibi", "adamw", "inverse_sqrt", "llamacpp", "wordpiece", "reference", "swiglu", "fp16", "blank_line"}
        self.assertLessEqual(known, names_of(files))
        self.assertLessEqual({"tokenizer.kind", "position.method", "attention.backend", "optim.name", "train.dtype"},
                             settings_of(files))

    def test_a_comparison_is_found(self):
        """Each planted line is one problem, and a sound house has none."""
        sound = {
            "src/config/fields.cpp": 'void declare(F& fields) {\n    SectionFields key("tokenizer", &C::t, fields);\n'
            '    key("kind", &T::kind, "");\n'
            '    key("file", &T::file, "");\n    bool a = c.tokenizer.kind == "word";\n}\n',
            "src/position/alibi.cpp": 'LONGBOW_REGISTER_POSITION({\n    "alibi",\n    "biases"});\n',
            "src/optim/adamw.cpp": 'LONGBOW_REGISTER_OPTIMIZER({.name = "adamw"});\n',
            "src/text/word.h": 'static constexpr const char* kKind = "word";\n',
            "src/attention/sdpa.cpp": '    std::string name() const override { return "sdpa"; }\n',
            "include/longbow/model/choices.h": "struct ChoiceTable<Norm> {\n"
            "    static constexpr Choice<Norm> values[] = "
            '{{Norm::rms, "rmsnorm", "its help"}};\n};\n',
            "src/eval/a.cpp": 'bool b = name == "last";  // not tokenizer.kind == "word"\nauto c = "alibi" + x;\n'
            'if (ending == ".svg") {}\n',
        }
        planted = {
            "a setting": ('if (config.tokenizer.kind == "other") {}', "a setting with a literal"),
            "a setting through a pointer": ('if (request->config.tokenizer.file != "x") {}',
                                            "a setting with a literal"),
            "the literal first": ('if ("other" == config_.tokenizer.kind) {}', "a setting with a literal"),
            "over two lines": ('if (config.tokenizer.kind ==\n    "other") {}', "a setting with a literal"),
            "a position method": ('if (model.method == "alibi") {}', "registered object"),
            "an optimizer": ('return name != "adamw";', "registered object"),
            "a tokenizer": ('return kind_ == std::string("word");', "registered object"),
            "a back-end": ('return "sdpa" == backend->name();', "registered object"),
            "a closed value": ('return name_of(norm) == "rmsnorm";', "or of a setting's value"),
            "an option": ('zeros_(option_string(context.options, "init") == "zeros")', "an option with a literal"),
        }
        for name, (line, message) in {"none": ("", None), **planted}.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                house = pathlib.Path(folder)
                for path, text in sound.items():
                    (house / path).parent.mkdir(parents=True, exist_ok=True)
                    (house / path).write_text(text)
                with (house / "src/eval/a.cpp").open("a") as more:
                    more.write(line + "\n")
                found = problems(house)
                self.assertEqual(len(found), 0 if message is None else 1, found)
                if message is not None:
                    self.assertIn(message, found[0])


if __name__ == "__main__":
    unittest.main()
