"""Holds what the tests of public models in the cache share: a small model, a text, and how the program is run."""

import json
import os
import resource
import subprocess
import time

from hf_case import HfCase, Model
from import_case import LONGBOW
from patience import PATIENCE

IMPORTED, FOUND = "imported into", "found in the cache"


class PublicCase(HfCase):
    def setUp(self):
        super().setUp()
        self.cache = self.dir / "cache"
        self.text = self.dir / "text.txt"
        self.text.write_text("".join(f"line {number} says that {number * 7 % 31} is not {number * 5 % 17}.\n"
                                     for number in range(60)))
        self.model = Model("llama").write(self.dir / "llama")

    def start(self, *arguments, cwd=None, failpoint=None, limit=None, cache=None, shell=None, **more):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "LONGBOW_CACHE": str(cache or self.cache)} | more
        if failpoint:
            environment["LONGBOW_FAILPOINT"] = failpoint
        limits = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
        program = ["sh", "-c", shell, LONGBOW] if shell else [LONGBOW]
        return subprocess.Popen([*program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=environment, cwd=cwd or self.dir, preexec_fn=limits)

    def run_verb(self, *arguments, code=0, **more):
        """Returns what the program printed: its results, and the log."""
        process = self.start(*arguments, **more)
        out, log = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, code, log)
        return out, log

    def eval(self, *models, code=0, lengths="16,32", arguments=(), **more):
        return self.run_verb("eval", *models, "--text", self.text, "--lengths", lengths, *arguments, code=code, **more)

    def rows(self, path=None):
        return [json.loads(line) for line in (path or self.dir / "results.jsonl").read_text().splitlines()]

    def entries(self):
        folder = self.cache / "imports"
        return sorted(folder.iterdir()) if folder.exists() else []

    def wait_for(self, event):
        until = time.monotonic() + PATIENCE
        while not event():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)

    def assert_clean(self, entry):
        self.assertEqual(sorted(path.name for path in entry.iterdir()), ["entry.json", "run"])
