"""Tests the command line and configurations through the real binary: each mistake gives one clear line on stderr and
the documented exit code."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
SOURCE = Path(os.environ["LONGBOW_SOURCE"])
USAGE, CONFIG = 2, 3


def run(*arguments, cwd=None):
    return subprocess.run([LONGBOW, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE,
                          check=False)


class Mistakes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def expect(self, code, message, *arguments):
        result = run(*arguments, cwd=self.folder)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertTrue(result.stderr.startswith("longbow: error: "), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(message, result.stderr)

    def expect_yaml(self, yaml, message):
        self.expect(CONFIG, message, "config", "check", "-c", self.write("a.yaml", yaml))

    def test_usage(self):
        self.write("a.yaml", "")
        for message, arguments in [
            ("a command is missing", []),
            ("unknown command 'confg', did you mean 'config'?", ["confg"]),
            ("unknown command 'sho', did you mean 'show'?", ["config", "sho"]),
            ("a command is missing; there are: show, check, schema, list", ["config"]),
            ("unknown flag '--jsn', did you mean '--json'?", ["config", "show", "--jsn"]),
            ("unknown flag '--vresion', did you mean '--version'?", ["--vresion"]),
            ("--config is required", ["config", "check"]),
            ("'b.yaml' is not an override", ["config", "check", "-c", "a.yaml", "b.yaml"]),
            ("--threads: 'none' is not a whole number; write it in digits, from 1 to 4096",
             ["config", "list", "--threads", "none"]),
            ("--lengths: '64k' is not a whole number; write it in digits: 65536 (or 64000)",
             ["eval", "runs/a", "--data", "store", "--lengths", "64k"]),
            ("longbow help: unknown command 'trian', did you mean 'train'?", ["help", "trian"]),
            ("--log-level", ["config", "list", "--log-level", "loud"]),
            ("expected auto, cpu, cuda or cuda:N", ["config", "list", "--device", "gpu"]),
            ("CUDA device", ["config", "list", "--device", "cuda:4095"]),
            ("no key begins with 'xyzzy'", ["config", "list", "xyzzy"]),
            ("PREFIX excludes --markdown", ["config", "list", "train", "--markdown"]),
            ("unexpected argument 'extra'", ["config", "schema", "extra"]),
        ]:
            with self.subTest(arguments=arguments):
                self.expect(USAGE, message, *arguments)

    def test_config_files(self):
        for yaml, message in [
            ("train:\n  lenght: 64\n", "a.yaml:2: unknown key 'train.lenght', did you mean 'train.length'?"),
            ("trian:\n  length: 64\n", "a.yaml:1: unknown section 'trian', did you mean 'train'?"),
            ("train:\n  length: 64\n  length: 128\n", "a.yaml:3: train.length is written here twice"),
            ("train:\n  length: 1e3\n", "a.yaml:2: train.length: expected an integer, got '1e3'"),
            ("train:\n  length: 010\n", "without leading zeros"),
            ("train:\n  length: -5\n", "-5 is out of range, it must be at least 0"),
            ("train:\n  stop: 600\n", "'600' is not a duration: it has no unit"),
            ("model:\n  bias: maybe\n", "expected true or false, got 'maybe'"),
            ("optim:\n  name: adam\n", "'adam' is none of adamw, nag, sgd; did you mean 'adamw'?"),
            ("position:\n  method: rotery\n", "did you mean 'rotary'?"),
            ("optim:\n  momentum: 0.9\n",
             "optim.momentum has no effect here: it needs optim.name: nag or sgd, and optim.name is adamw"),
            ("model:\n  dim: 100\n", "a.yaml:2: model.dim: model.dim (100) is not a multiple of model.heads (8)"),
            ("schedule:\n  warmup: 1K updates\n", "1K updates of warm-up is more than train.stop (600 updates)"),
            ("position: {method: sandwich, dim: 7}\n", "a.yaml:1: position.dim: each sinusoid takes two"),
            ("position:\n  method: t5\n  max_distance: 16\n", "a.yaml:3: position.max_distance: must be above"),
            ("position:\n  method: learned\n  max_length: 8\n", "a.yaml:3: position.max_length: 8 is below"),
            ("position:\n  method: rotary\n  dim: 3\n", "position.dim must be even"),
            ("position:\n  method: rotary\n  scaling: llama3\n  high_freq_factor: 1.0\n",
             "a.yaml:4: position.high_freq_factor: must be above"),
            ("position:\n  method: fox\n  draw: integers\n", "position.draw"),
            ("position:\n  layers: [{method: alibi}, {method: sandwich, options: {dim: 5}}]\n",
             "a.yaml:2: position.layers: position.dim: each sinusoid takes two"),
            ("position: {method: dape}\nattention: {backend: fused}\n",
             "a.yaml:2: attention.backend: fused cannot serve this configuration"),
            ("task:\n  name: needle\n  needles: 3\n  keys: 2\ntrain: {length: 100}\n",
             "a.yaml:3: task.needles: each of them has a key of its own"),
            ("position: {method: kerple, draw: floats}\n", "a.yaml:1: position.draw: floats do not serve"),
            ("position: {method: kerple, draw: integers}\nattention:\n  skip_threshold: 5\n",
             "a.yaml:3: attention.skip_threshold has no effect here: it needs a position.method with slopes (alibi with "
             "position.rounding: none) or a fading bias (fox, kerple with position.draw: none, sandwich with "
             "position.draw: none)"),
            ("train: [\n", "a.yaml:2: not valid YAML"),
            ("include: a.yaml\n", "a.yaml: includes itself"),
            ("include: other.yaml\n", "a.yaml:1: include: there is no file other.yaml"),
        ]:
            with self.subTest(yaml=yaml):
                self.expect_yaml(yaml, message)

    def test_files_and_overrides(self):
        self.write("a.yaml", "")
        (self.folder / "binary.yaml").write_bytes(b"\xff\xfetrain")
        self.expect(CONFIG, "none.yaml: there is no such config file", "config", "check", "-c", "none.yaml")
        self.expect(CONFIG, "a folder, not a config file", "config", "check", "-c", ".")
        self.expect(CONFIG, "binary.yaml: begins with the byte order mark of UTF-16", "config", "check",
                    "-c", "binary.yaml")
        self.expect(CONFIG, "override 'train.lenght=1': unknown key", "config", "show",
                    "-c", "a.yaml", "train.lenght=1")
        self.expect(CONFIG, "override 'train.batch=x': train.batch: expected an integer", "config", "show",
                    "train.batch=x")
        self.expect(CONFIG, "'length' is not of the form section.key", "config", "show", "length=1")


class Config(unittest.TestCase):
    def test_show_gives_itself_back(self):
        with tempfile.TemporaryDirectory() as folder:
            first = run("config", "show", "-c", SOURCE / "configs/demo/t5.yaml", "train.length=128",
                        "eval.lengths=64,128")
            self.assertEqual(first.returncode, 0, first.stderr)
            self.assertIn("  length: 128\n", first.stdout)
            path = Path(folder) / "again.yaml"
            path.write_text(first.stdout, encoding="utf-8")
            self.assertEqual(run("config", "show", "-c", path).stdout, first.stdout)
            as_json = run("config", "show", "-c", path, "--json").stdout
            self.assertEqual(json.loads(as_json)["eval"]["lengths"], [64, 128])
            path.write_text(as_json, encoding="utf-8")  # JSON is YAML too
            self.assertEqual(run("config", "show", "-c", path).stdout, first.stdout)

    def test_other_readers_of_yaml_see_the_same_values(self):
        """PyYAML follows YAML 1.1, where 1e-08 is text and No is false."""
        try:
            import yaml
        except ImportError:
            self.skipTest("PyYAML is not installed")
        for arguments in ([], ["optim.lr=1e-8", "optim.eps=3e-20", "optim.clip_norm=1e20", "model.norm_eps=2.5e-7"],
                          ["data.jsonl_key=No", "data.store=.5"]):
            with self.subTest(arguments=arguments):
                shown = run("config", "show", "-c", SOURCE / "configs/demo/alibi.yaml", *arguments)
                self.assertEqual(shown.returncode, 0, shown.stderr)
                as_json = run("config", "show", "-c", SOURCE / "configs/demo/alibi.yaml", *arguments, "--json")
                self.assertEqual(yaml.safe_load(shown.stdout), json.loads(as_json.stdout))
        for file in sorted((SOURCE / "configs").rglob("*.yaml")):
            for section, keys in yaml.safe_load(file.read_text()).items():
                for key, value in keys.items() if isinstance(keys, dict) else ():
                    self.assertFalse(isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?", value),
                                     f"{file}: {section}.{key}: {value}")

    def test_every_config_of_the_repository_is_right(self):
        files = set((SOURCE / "configs").rglob("*.yaml"))
        # configs/public has settings of `longbow reproduce public`, which test_reproduce_public.py reads, and configs/studies
        # those of `longbow study`, which test_study.py reads.
        files -= {*(SOURCE / "configs/public").iterdir(), *(SOURCE / "configs/studies").iterdir()}
        # Files that others include need not be complete on their own.
        for file in list(files):
            for names in re.findall(r"^include: *(.+)$", file.read_text(), re.MULTILINE):
                files -= {(file.parent / name).resolve() for name in re.findall(r"[\w./-]+\.yaml", names)}
        self.assertGreaterEqual(len(files), 5)
        for file in sorted(files):
            with self.subTest(file=file.name):
                result = run("config", "check", "-c", file)
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, f"ok {file}\n", ""))

    def test_help_and_version_of_every_verb(self):
        self.assertTrue(run("--version").stdout.startswith("longbow "))
        for words in (["train"], ["config", "show"], []):
            asked = run("help", *words)
            self.assertEqual((asked.returncode, asked.stdout), (0, run(*words, "--help").stdout))
            self.assertIn("Example:", asked.stdout)
        for verb in ("show", "check", "schema", "list"):
            result = run("config", verb, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("Example:", result.stdout)
            for flag in ("--device", "--threads", "--log-level", "--quiet", "--version"):
                self.assertIn(flag, result.stdout)

    def test_schema_and_list_hold_the_same_keys(self):
        schema = json.loads(run("config", "schema").stdout)
        self.assertEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
        sections = {name: section for name, section in schema["properties"].items() if name != "include"}
        keys = {f"{name}.{key}" for name, section in sections.items() for key in section["properties"]}
        for name, section in sections.items():
            for chosen in section.get("allOf", ()):
                keys |= {f"{name}.{key}" for key in chosen["then"]["properties"]}
        listed = run("config", "list").stdout.splitlines()
        self.assertEqual({line.split()[0] for line in listed}, keys)
        self.assertTrue(all(line.startswith("optim.") for line in run("config", "list", "optim").stdout.splitlines()))


if __name__ == "__main__":
    unittest.main()
