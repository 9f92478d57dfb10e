"""The commands in README.md and docs/ must be ones that the program accepts: verbs, flags, configuration files and
names of settings are checked."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import unittest

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])


def run(*arguments):
    return subprocess.run([LONGBOW, *arguments], capture_output=True, text=True, timeout=PATIENCE)


def commands():
    """Yields (where, words after `longbow`) of each line of an indented block that runs the program, directly or by a
    launcher."""
    for page in [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            found = re.match(r"^    (?:(?:\S*/|(?:srun|torchrun) .*[ /])?longbow) (.+)$", line)
            if found:
                yield f"{page.relative_to(SOURCE)}:{number}", shlex.split(found[1], comments=True)


class Docs(unittest.TestCase):
    def setUp(self):
        self.help = {}
        sections = json.loads(run("config", "schema").stdout)["properties"]
        self.settings = {f"{section}.{key}" for section, schema in sections.items()
                         for part in (schema, *(rule["then"] for rule in schema.get("allOf", ())))
                         for key in part.get("properties", ())}  # those of registered objects, too

    def help_of(self, words):
        """Returns the help of the deepest verb with which the words begin."""
        text = None
        for depth in (1, 2, 3):
            verb = tuple(words[:depth])
            if len(verb) < depth or not all(re.fullmatch(r"[a-z][a-z-]*", word) for word in verb):
                break
            if verb not in self.help:
                answer = run(*verb, "--help")
                self.help[verb] = (answer.stdout if answer.returncode == 0
                                   and f"Usage: longbow {' '.join(verb)} " in answer.stdout else None)
            if self.help[verb] is None:
                break
            text = self.help[verb]
        return text

    def test_commands_are_ones_that_the_program_takes(self):
        seen = list(commands())
        self.assertGreater(len(seen), 25)
        for where, words in seen:
            with self.subTest(where, command=" ".join(words)):
                text = self.help_of(words)
                self.assertIsNotNone(text, "there is no such verb")
                for word, following in zip(words, [*words[1:], ""]):
                    if word.startswith("-"):
                        self.assertRegex(text, rf"(?m)(^|[\s,]){re.escape(word.split('=')[0])}(?![\w-])")
                    if word == "-c" and following.startswith("configs/"):
                        self.assertTrue((SOURCE / following).is_file(), f"{following} is not there")
                    setting = re.fullmatch(r"([a-z]+\.[a-z_]+)=.+", word)
                    if setting:
                        self.assertIn(setting[1], self.settings)


if __name__ == "__main__":
    unittest.main()
