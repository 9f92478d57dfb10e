"""Tests public models that are named where a checkpoint is expected: they are imported into the cache, once, by their
content. Kills, damage, several processes and a cache that cannot be written are among the tests; what an import keeps
is test_import_hf.py's."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import unittest

from hf_case import Model, read_tensors
from import_case import CHECKPOINT, DATA, LONGBOW, USAGE
from patience import PATIENCE
from public_case import FOUND, IMPORTED, PublicCase

KILLS = ("import.cache_hashed", "import.in_weights", "import.in_weights:5", "import.before_rename", "import.after_rename",
         "import.cache_placed")


class EvalOfAFolder(PublicCase):
    def test_it_is_imported_once(self):
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in self.model.iterdir()}
        _, log = self.eval(self.model)
        self.assertIn(IMPORTED, log)
        [entry] = self.entries()
        self.assertIn(str(entry), log)
        self.assert_clean(entry)
        first = self.rows()
        self.assertEqual([(row["name"], row["length"]) for row in first], [("llama", 16), ("llama", 32)])

        _, log = self.eval(self.model)
        self.assertIn(FOUND, log)
        self.assertNotIn(IMPORTED, log)
        self.assertIn("already in", log)
        self.assertEqual(self.rows(), first, "what is measured is found")
        self.assertEqual(before, {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in self.model.iterdir()},
                         "a model's folder is only read")

    def test_its_numbers_are_those_of_an_import(self):
        self.eval(self.model)
        self.eval(self.import_hf(self.model), arguments=("--out", self.dir / "run.jsonl"))
        for ours, theirs in zip(self.rows(), self.rows(self.dir / "run.jsonl")):
            self.assertEqual((ours["nll"], ours["checkpoint"], ours["tokens"]),
                             (theirs["nll"], theirs["checkpoint"], theirs["tokens"]))

    def test_the_key_is_the_content(self):
        self.eval(self.model)
        other = self.dir / "elsewhere"
        shutil.copytree(self.model, other)
        _, log = self.eval(other)
        self.assertIn(FOUND, log, "neither path nor time is a part of the key")
        self.eval(f"{other}@train-length=48")
        self.assertEqual(len(self.entries()), 2, "an option is")
        tensors = Model("llama")
        name = next(iter(tensors.tensors))
        dtype, shape, data = tensors.tensors[name]
        tensors.tensors[name] = dtype, shape, data[:-1] + bytes([data[-1] ^ 1])
        tensors.write(other)
        _, log = self.eval(other)
        self.assertIn(IMPORTED, log)
        settings = json.loads((other / "config.json").read_text())
        (other / "config.json").write_text(json.dumps(settings, indent=1))
        self.assertIn(IMPORTED, self.eval(other)[1])
        self.assertEqual(len(self.entries()), 4)

    def test_names(self):
        hub = self.dir / "hub/models--bigscience--bloom-560m/snapshots/ac2ae5fab2ce3f9f40dc79b5ca9f637430d24971"
        hub.parent.mkdir(parents=True)
        Model("bloom_heads4").write(hub)
        for parent in ("a", "b"):
            (self.dir / parent).mkdir()
        Model("qwen2").write(self.dir / "a/model")
        Model("neox").write(self.dir / "b/model")
        self.eval(hub, "a/model", "b/model/", lengths="16")
        self.assertEqual([row["name"] for row in self.rows()], ["bigscience/bloom-560m", "a/model", "b/model"])
        self.eval(".", lengths="16", arguments=("--out", self.dir / "dot.jsonl"), cwd=self.model)
        self.assertEqual([row["name"] for row in self.rows(self.dir / "dot.jsonl")], ["llama"])

    def test_what_transformers_rounds(self):
        falcon = Model("falcon_rw").write(self.dir / "falcon")
        _, log = self.eval(falcon, f"{falcon}@rounded", lengths="32")
        self.assertEqual([row["name"] for row in self.rows()], ["falcon", "falcon rounded"])
        self.assertNotEqual(self.rows()[0]["nll"], self.rows()[1]["nll"])
        self.assertEqual(log.count(IMPORTED), 2)
        self.assertIn("rounded", log)

    def test_options_that_there_are_none(self):
        for option, text in (("best", "'best'"), ("train-length=0", "train-length"), ("train-length=x", "train-length"),
                             ("rounded,step=4", "'step=4'")):
            _, log = self.eval(f"{self.model}@{option}", code=USAGE)
            self.assertIn(text, log)
        self.assertEqual(self.entries(), [])

    def test_outputs_never_lie_in_the_model(self):
        (self.model / "below").mkdir()
        for folder in (self.model, self.model / "below"):
            _, log = self.eval(self.model, code=USAGE, cwd=folder)
            self.assertIn("--out", log)
        _, log = self.eval(self.model, code=USAGE, arguments=("--out", self.model / "tokenizer.json"))
        self.assertIn("a file of the model", log)
        (self.model / "below").rmdir()
        self.assertEqual(sorted(path.name for path in self.model.iterdir()),
                         ["config.json", "model.safetensors", "tokenizer.json"])

    def test_an_interrupted_evaluation_goes_on(self):
        process = self.start("eval", self.model, "--text", self.text, "--lengths", "16,32", failpoint="eval.row")
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertEqual(len(self.rows()), 1)
        _, log = self.eval(self.model)
        self.assertIn("length 16: already in", log)
        self.assertEqual([row["length"] for row in self.rows()], [16, 32])

    def test_two_are_compared_by_their_places(self):
        Model("neox").write(self.dir / "neox")
        _, log = self.run_verb("compare", "llama", "neox", code=DATA)
        self.assertIn("there is no results.jsonl here", log)
        self.eval("llama", "neox")
        out, _ = self.run_verb("compare", "llama", "neox", "--lengths", "32")
        self.assertIn("A llama: ppl", out)
        self.assertIn("B neox: ppl", out)
        _, log = self.run_verb("compare", "llama", "llama", code=USAGE)
        self.assertIn("the same results", log)
        _, log = self.run_verb("report", "llama", code=DATA)
        self.assertIn("./results.jsonl", log)
        out, _ = self.run_verb("report", "results.jsonl")
        self.assertIn("neox", out)

    def test_a_dry_run_writes_no_results(self):
        self.eval(self.model, arguments=("--dry-run",))
        self.assertFalse((self.dir / "results.jsonl").exists())


class OtherVerbs(PublicCase):
    def test_every_verb_that_reads_a_checkpoint(self):
        out, _ = self.run_verb("generate", self.model, "--prompt", "line 3", "--max-new-tokens", 4, "--temperature", 0)
        self.assertTrue(out.startswith("line 3"))
        out, log = self.run_verb("inspect", "checkpoint", self.model, "--verify", "--json")
        self.assertTrue(json.loads(out)["verified"])
        self.assertIn(FOUND, log)
        self.run_verb("export", "hf", self.model, "--out", self.dir / "back")
        self.assertEqual(read_tensors(self.dir / "back/model.safetensors"), read_tensors(self.model / "model.safetensors"))
        self.run_verb("prepare", "--tokenizer", f"hf:{self.model}", "--valid", self.text, "--train", self.text, "--out",
                      "store")
        out, _ = self.run_verb("analyze", "early-token", self.model, "--data", "store", "--lengths", "16,32")
        self.assertIn("llama", out)
        self.assertEqual([path.name for path in self.dir.iterdir() if "partial" in path.name], [])
        _, log = self.run_verb("verify", self.model, code=CHECKPOINT)
        self.assertIn("longbow import", log)
        self.assertEqual(len(self.entries()), 1)

    def test_a_place_that_is_nothing(self):
        (self.dir / "empty").mkdir()
        _, log = self.eval(self.dir / "empty", code=CHECKPOINT)
        self.assertIn("a public model", log)
        (self.dir / "empty/config.json").write_text("{}")
        _, log = self.eval(self.dir / "empty", code=CHECKPOINT)
        self.assertIn("no weights in it", log)
        (self.dir / "file.gguf").write_text("no")
        _, log = self.eval(self.dir / "file.gguf", code=CHECKPOINT)
        self.assertIn("file.gguf", log)


class Faults(PublicCase):
    def expected(self):
        self.eval(self.model, cache=self.dir / "undisturbed", arguments=("--out", self.dir / "expected.jsonl"))
        return [row["nll"] for row in self.rows(self.dir / "expected.jsonl")]

    def test_a_kill_at_any_point(self):
        expected = self.expected()
        for point in KILLS:
            with self.subTest(point):
                shutil.rmtree(self.cache, ignore_errors=True)
                process = self.start("eval", self.model, "--text", self.text, "--lengths", "16,32", failpoint=point)
                process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, -signal.SIGKILL)
                self.eval(self.model, arguments=("--out", self.dir / "after.jsonl", "--again"))
                [entry] = self.entries()
                self.assert_clean(entry)
                self.assertEqual([row["nll"] for row in self.rows(self.dir / "after.jsonl")][-2:], expected)

    def test_a_signal_leaves_nothing(self):
        for sent in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(sent.name):
                process = self.start("eval", self.model, "--text", self.text, "--lengths", "16", failpoint="import.in_weights=wait")
                self.wait_for_import()
                process.send_signal(sent)
                _, log = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 1, log)
                self.assertIn(sent.name, log)
                [entry] = self.entries()
                self.assertEqual(list(entry.iterdir()), [])

    def wait_for_import(self):
        """Waits until some process writes weights."""
        self.wait_for(lambda: list(self.cache.glob("imports/*/.run.tmp-*/checkpoints/*/model.safetensors")))

    def test_two_processes_at_once(self):
        with contextlib.ExitStack() as stack:
            first = self.start("generate", self.model, "--prompt", "a", failpoint="import.in_weights:3=freeze")
            stack.callback(first.kill)
            self.wait_for_import()
            second = self.start("generate", self.model, "--prompt", "a")
            stack.callback(second.kill)
            self.assertIn("waiting for it", second.stderr.readline())
            first.send_signal(signal.SIGCONT)
            logs = [process.communicate(timeout=PATIENCE)[1] for process in (first, second)]
        self.assertEqual([first.returncode, second.returncode], [0, 0], logs)
        self.assertIn(IMPORTED, logs[0])
        self.assertIn(FOUND, logs[1])
        self.assert_clean(self.entries()[0])

    def test_one_of_two_is_killed(self):
        with contextlib.ExitStack() as stack:
            first = self.start("generate", self.model, "--prompt", "a", failpoint="import.in_weights:3=freeze")
            stack.callback(first.kill)
            self.wait_for_import()
            second = self.start("generate", self.model, "--prompt", "a")
            stack.callback(second.kill)
            self.assertIn("waiting for it", second.stderr.readline())
            first.kill()
            first.communicate(timeout=PATIENCE)
            _, log = second.communicate(timeout=PATIENCE)
        self.assertEqual(second.returncode, 0, log)
        self.assertIn(IMPORTED, log)
        self.assert_clean(self.entries()[0])

    def test_damage_in_the_cache(self):
        expected = self.expected()
        self.eval(self.model)
        [entry] = self.entries()
        checkpoint = entry / "run/checkpoints/step-00000000"
        for name in ("model.safetensors", "manifest.json", "tokenizer.json", "state.json"):
            with self.subTest(name):
                whole = (checkpoint / name).read_bytes()
                at = len(whole) * 2 // 3
                (checkpoint / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
                _, log = self.eval(self.model, arguments=("--again", "--out", self.dir / "after.jsonl"))
                self.assertIn("damaged", log)
                self.assertIn(IMPORTED, log)
                self.assertEqual((checkpoint / name).read_bytes(), whole)
                self.assertEqual([row["nll"] for row in self.rows(self.dir / "after.jsonl")][-2:], expected)
        for damage in (lambda: (entry / "entry.json").write_text("{"), lambda: (entry / "entry.json").unlink(),
                       lambda: shutil.rmtree(checkpoint), lambda: (checkpoint / "model.safetensors").unlink()):
            damage()
            _, log = self.eval(self.model, arguments=("--again",))
            self.assertIn(IMPORTED, log)
            self.assert_clean(entry)

    def test_a_cache_that_cannot_be_written(self):
        (self.dir / "file").write_text("")
        for cache in (self.dir / "file", "/proc/longbow"):
            _, log = self.eval(self.model, cache=cache, code=1)
            self.assertIn("LONGBOW_CACHE", log)
            self.assertIn("longbow import", log)
        process = subprocess.run([LONGBOW, "generate", self.model, "--prompt", "a"], capture_output=True, text=True,
                                 timeout=PATIENCE, env={key: value for key, value in os.environ.items() if key not in
                                                        ("LONGBOW_CACHE", "XDG_CACHE_HOME", "HOME")})
        self.assertEqual(process.returncode, 1)
        self.assertIn("LONGBOW_CACHE", process.stderr)

    def test_a_full_disk(self):
        size = (self.model / "model.safetensors").stat().st_size
        _, log = self.eval(self.model, limit=size // 2, code=1)
        self.assertIn("ulimit", log)
        [entry] = self.entries()
        self.assertEqual(list(entry.iterdir()), [])
        self.eval(self.model)
        self.assert_clean(entry)


class AnImportThatIsKilled(PublicCase):
    """`longbow import` itself, to a place of the user's choice."""

    def left(self):
        return sorted(path.name for path in self.dir.iterdir() if "run" in path.name)

    def test_a_signal(self):
        process = self.start("import", "hf", self.model, "--out", self.dir / "run", failpoint="import.in_weights:2=wait")
        self.wait_for(lambda: list(self.dir.glob(".run.tmp-*/checkpoints/*/model.safetensors")))
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1, log)
        self.assertIn("SIGINT", log)
        self.assertEqual(self.left(), [])

    def test_a_kill(self):
        for point in ("import.in_weights", "import.in_weights:4", "import.before_rename"):
            with self.subTest(point):
                process = self.start("import", "hf", self.model, "--out", self.dir / "run", failpoint=point)
                process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, -signal.SIGKILL)
                self.assertFalse((self.dir / "run").exists())
                _, log = self.run_verb("import", "hf", self.model, "--out", self.dir / "run")
                self.assertIn("removed what an interrupted import left", log)
                self.assertEqual(self.left(), ["run"])
                self.run_verb("inspect", "checkpoint", "run", "--verify")
                shutil.rmtree(self.dir / "run")

    def test_what_another_import_is_writing_stays(self):
        with contextlib.ExitStack() as stack:
            first = self.start("import", "hf", self.model, "--out", self.dir / "run", failpoint="import.in_weights:2=freeze")
            stack.callback(first.kill)
            self.wait_for(lambda: list(self.dir.glob(".run.tmp-*/checkpoints/*/model.safetensors")))
            _, log = self.run_verb("import", "hf", self.model, "--out", self.dir / "run")
            self.assertNotIn("removed", log)
            first.send_signal(signal.SIGCONT)
            _, log = first.communicate(timeout=PATIENCE)
        self.assertEqual(first.returncode, 1, "the place is taken by now")
        self.assertEqual(self.left(), ["run"])
        self.run_verb("inspect", "checkpoint", "run", "--verify")


if __name__ == "__main__":
    unittest.main()
