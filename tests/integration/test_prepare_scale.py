"""Tests `longbow prepare` on many shards of every kind: it is killed and resumed to the same bytes, its memory does not
grow, and it reads folders, patterns and lists; also stores in many files, and mixtures. scripts/bench_prepare.py does
the same at full size."""

import json
import os
import signal
import subprocess
import unittest

from patience import PATIENCE, wait_for
from prepare_case import CONFIG, DATA, INTERRUPTED, LONGBOW, PrepareCase
from shards import paragraphs, write_shards


class Scale(PrepareCase):
    def setUp(self):
        super().setUp()
        self.pool = paragraphs(300000, 1)
        self.shards = self.dir / "shards"
        self.paths, self.text_bytes = write_shards(self.shards, 24, 60000, self.pool)
        self.valid = self.write("valid.txt", "\n".join(self.pool[:50]))
        self.run_longbow("prepare", "--tokenizer", "bpe", "--vocab-size", 500, "--train", self.paths[0], self.paths[1],
                         "--out", self.dir / "vocabulary")

    def prepare_shards(self, *arguments, train=None, out=None, code=0, env=None):
        return self.run_longbow("prepare", "--tokenizer", f"bpe:{self.dir / 'vocabulary'}",
                                "--train", *(train or [self.shards]), "--valid", self.valid, "--out", out or self.store,
                                "--documents", "blank_line:1", *arguments, "data.shard_tokens=50000",
                                code=code, env=env)

    def test_folders_patterns_and_lists_are_the_same_text(self):
        self.prepare_shards()
        train = self.manifest()["splits"]["train"]
        self.assertEqual([s["name"] for s in train["sources"]], [p.name for p in self.paths])
        self.assertEqual(train["raw_bytes"], self.text_bytes)
        self.assertEqual(sum(s["text_bytes"] for s in train["sources"]), self.text_bytes)
        self.assertGreater(len(train["shards"]), 5)
        self.assertEqual({s["bytes"] for s in train["shards"][:-1]}, {100000})
        for train, out in ([self.shards / "shard-*"], "patterns"), (self.paths, "files"):
            self.prepare_shards(train=train, out=self.dir / out)
            self.assertEqual(self.contents(self.dir / out), self.contents(self.store))
        self.assertIn("kept", self.prepare_shards())
        # A file that is named twice is read once.
        self.prepare_shards(train=[*self.paths, self.shards], out=self.dir / "twice")
        self.assertEqual(self.contents(self.dir / "twice"), self.contents(self.store))

    def test_killed_again_and_again_it_ends_with_the_same_bytes(self):
        self.prepare_shards("--threads", 1, out=self.dir / "at-once")
        kills = going_on = 0
        for point in ("data.chunk:5", "data.save:1", "data.chunk:9", "data.chunk:2", "data.save:1",
                      "data.before_manifest", "data.before_rename", "data.chunk:1000"):
            result = subprocess.run([LONGBOW, "prepare", "--tokenizer", f"bpe:{self.dir / 'vocabulary'}",
                                     "--train", str(self.shards), "--valid", str(self.valid), "--out", str(self.store),
                                     "--documents", "blank_line:1", "--threads", "2", "data.shard_tokens=50000"],
                                    capture_output=True, text=True, env={**os.environ, "LONGBOW_FAILPOINT": point},
                                    timeout=PATIENCE)
            self.assertIn(result.returncode, (0, -signal.SIGKILL), result.stderr)
            kills += result.returncode != 0
            going_on += "continuing" in result.stderr
            self.assertEqual(self.store.exists(), result.returncode == 0)
        self.assertGreaterEqual(kills, 5)
        self.assertGreaterEqual(going_on, 5)
        self.assertEqual(self.contents(self.store), self.contents(self.dir / "at-once"))
        self.run_longbow("inspect", "data", self.store, "--verify")
        self.assertFalse(self.work_folder().exists())

    def test_what_has_changed_starts_anew_and_what_is_to_come_may(self):
        bad = self.paths[9]  # JSON lines
        good = bad.read_bytes()
        bad.write_bytes(b'{"text": "one"}\n{"text": 2}\n')
        self.assertIn(f"{bad.name}: line 2: ", self.prepare_shards(code=DATA))
        bad.write_bytes(good)
        log = self.log_of(self.prepare_command())
        self.assertIn("continuing from", log)
        self.prepare_shards(out=self.dir / "at-once")
        self.assertEqual(self.contents(self.store), self.contents(self.dir / "at-once"))

        for change, said in ((lambda: self.paths[0].write_bytes(self.paths[0].read_bytes() + b"\nmore\n"),
                              "has changed"), (None, "data.jsonl_key")):
            subprocess.run(["rm", "-r", str(self.store)], check=True)
            self.prepare_shards(code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": "data.save"})
            if change:
                change()
                self.assertIn(said, self.log_of(self.prepare_command()))
            else:
                # There is no such key: the old work is given up, and the new work does not get far.
                self.assertIn("no key \"body\"", self.prepare_shards("data.jsonl_key=body", code=DATA))
                self.prepare_shards()
        self.run_longbow("inspect", "data", self.store, "--verify")

    def prepare_command(self):
        return ["prepare", "--tokenizer", f"bpe:{self.dir / 'vocabulary'}", "--train", str(self.shards),
                "--valid", str(self.valid), "--out", str(self.store), "--documents", "blank_line:1",
                "data.shard_tokens=50000"]

    def log_of(self, command):
        result = subprocess.run([LONGBOW, *command], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def test_a_signal_saves_and_the_same_command_goes_on(self):
        paths, _ = write_shards(self.dir / "many", 60, 400000, self.pool, seed=2)
        self.shards = self.dir / "many"
        process = subprocess.Popen([LONGBOW, *self.prepare_command(), "--threads", "1"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env={**os.environ, "LONGBOW_FAILPOINT": "data.chunk:3=wait"})
        state = self.work_folder() / "state.json"
        wait_for(lambda: process.poll() is not None or state.exists())
        process.send_signal(signal.SIGTERM)
        error = process.communicate(timeout=PATIENCE)[1].decode()
        self.assertEqual(process.returncode, INTERRUPTED, error)
        self.assertIn("continues from there", error)
        self.assertIn("continuing from", self.log_of(self.prepare_command()))
        self.prepare_shards(out=self.dir / "at-once")
        self.assertEqual(self.contents(self.store), self.contents(self.dir / "at-once"))


class Mixtures(PrepareCase):
    def test_inspect_shows_what_a_mixed_update_sees(self):
        self.prepare()
        other = self.dir / "other"
        self.run_longbow("prepare", "--tokenizer", f"bpe:{self.store}", "--train", self.valid, "--out", other)
        config = self.write("c.yaml", f"train: {{length: 16, batch: 256, seed: 9}}\n"
                            f"data: {{mixture: [{self.store}=3, {other}=1]}}\n")
        update = json.loads(self.run_longbow("inspect", "data", self.store, "--update", 7, "-c", config,
                                             "--json"))["update"]
        stores = [s["store"] for s in update["samples"]]
        self.assertEqual({s: stores.count(s) for s in set(stores)}, {str(self.store): 192, str(other): 64})
        begin = self.manifest()["splits"]["train"]["tokens"]
        for sample in update["samples"]:
            store, offset = (sample["store"], 0) if sample["store"] == str(self.store) else (sample["store"], begin)
            if sample["sample"] % 64 == 0:
                span = json.loads(self.run_longbow("inspect", "data", store,
                                                   "--tokens", f"{sample['begin'] - offset}:{sample['end'] - offset}",
                                                   "--json"))["span"]
                self.assertEqual(span["text"], sample["text"])
        self.assertIn("not the first store",
                      self.run_longbow("inspect", "data", other, "--update", 7, "-c", config, code=2))
        third = self.dir / "third"
        self.run_longbow("prepare", "--tokenizer", "bpe", "--vocab-size", 300, "--train", self.valid, "--out", third)
        error = self.run_longbow("inspect", "data", self.store, "--update", 7,
                                 "-c", config, f"data.mixture=[{self.store}=3, {third}=1]", code=DATA)
        self.assertIn("another tokenizer", error)
        self.assertIn("STORE=WEIGHT", self.run_longbow("inspect", "data", self.store, "--update", 7, "-c", config,
                                                       f"data.mixture=[{self.store}=x, {other}]", code=CONFIG))
        self.assertIn("data.store", self.run_longbow("inspect", "data", self.store, "--update", 7,
                                                     "-c", config, f"data.store={other}", code=CONFIG))


if __name__ == "__main__":
    unittest.main()
