"""`cmake --install` into a folder that is then moved: the program runs from anywhere with a LibTorch that it finds, no
path of the build is left in it, and its configurations, completions and manual page are usable."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from patience import PATIENCE

BUILD = pathlib.Path(os.environ["LONGBOW"]).parent
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
TORCH = pathlib.Path(os.environ["LONGBOW_TORCH_ROOT"])

if "LONGBOW_SANITIZE:BOOL=ON" in (BUILD / "CMakeCache.txt").read_text():
    if __name__ == "__main__":
        print("skipped: a build with sanitizers is not for installing")
        sys.exit(77)
    raise unittest.SkipTest("a build with sanitizers is not for installing")

CONFIG = "demo/alibi.yaml"
# A run of seconds: two updates of a model of one layer.
TINY = ["train.stop=2 updates", "schedule.warmup=1 updates", "model.layers=1", "model.dim=16", "model.heads=2",
        "model.ffn_dim=16", "tokenizer.vocab_size=260", "train.length=16", "train.batch=2", "eval.valid_tokens=64"]


def call(command, cwd, **variables):
    """Runs a command in an environment that holds nothing of the build."""
    env = {"PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": ""}
    env.update({name: str(value) for name, value in variables.items()})
    return subprocess.run([str(word) for word in command], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE)


def setUpModule():
    """Installs, and moves the folder."""
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    Installed.home = pathlib.Path(folder.name).resolve()
    first, moved = Installed.home / "first", Installed.home / "moved" / "here"
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", first], capture_output=True, text=True,
                          timeout=PATIENCE)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    moved.parent.mkdir()
    first.rename(moved)
    Installed.prefix = moved
    Installed.longbow = moved / "bin/longbow"
    Installed.share = moved / "share/longbow"
    Installed.cache = Installed.home / "cache"


class Installed(unittest.TestCase):
    """What the cases share: the installation, and a folder of each test's own that holds nothing."""

    def setUp(self):
        self.empty = pathlib.Path(tempfile.mkdtemp(dir=self.home))

    def run_longbow(self, *arguments, longbow=None, code=0, **variables):
        variables = {"LONGBOW_TORCH": TORCH, "LONGBOW_CACHE": self.cache, **variables}
        done = call([longbow or self.longbow, *arguments], self.empty,
                    **{name: value for name, value in variables.items() if value is not None})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def binaries(self):
        return [self.longbow, *sorted((self.prefix / "lib").glob("*.so"))]


class Program(Installed):
    def test_it_says_the_version_of_the_build(self):
        built = subprocess.run([BUILD / "longbow", "--version"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(self.run_longbow("--version").stdout.splitlines()[:4], built.stdout.splitlines()[:4])

    def test_doctor_names_what_is_installed(self):
        said = self.run_longbow("doctor", LONGBOW_CACHE=self.empty).stdout
        self.assertRegex(said, rf"corpus +{self.empty}/data/corpora/austen/train.txt: does not exist; "
                               rf"{self.share}/corpora/austen fetches it")

    def test_no_path_of_the_build_machine(self):
        names = [path.name for path in self.binaries()]
        self.assertIn("liblongbow_ops.so", names)
        self.assertEqual("liblongbow_nccl.so" in names, (BUILD / "liblongbow_nccl.so").exists())
        ours = [str(place) for place in (SOURCE, BUILD, TORCH, TORCH.parent, pathlib.Path.home() / ".cache")]
        for path in self.binaries():
            with self.subTest(path.name):
                libraries = call(["ldd", path], "/").stdout
                self.assertIn("libc.so.6", libraries)
                self.assertEqual([place for place in ours if place in libraries], [], libraries)
                dynamic = call(["readelf", "-dW", path], "/").stdout
                runpaths = re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", dynamic)
                self.assertLessEqual(set(runpaths), {"$ORIGIN"}, dynamic)
        self.assertNotIn("not found", call(["ldd", self.longbow], "/").stdout)

    def test_two_installations_do_not_meet(self):
        other = self.home / "other"
        shutil.copytree(self.prefix, other, symlinks=True)
        self.addCleanup(shutil.rmtree, other)
        config = other / "share/longbow/configs" / CONFIG
        config.write_text(config.read_text().replace("alibi", "rotary"))
        for prefix, method in ((self.prefix, "alibi"), (other, "rotary")):
            done = self.run_longbow("config", "show", "-c", CONFIG, longbow=prefix / "bin/longbow", LD_DEBUG="files")
            self.assertIn(f"method: {method}\n", done.stdout)
            loaded = set(re.findall(r"calling init: (\S+/liblongbow\S+)", done.stderr))
            self.assertEqual(loaded, {str(prefix / "lib/liblongbow_program.so")})

    def test_a_link_to_it(self):
        link = self.empty / "longbow"
        link.symlink_to(self.longbow)
        self.assertIn("ok ", self.run_longbow("config", "check", "-c", CONFIG, longbow=link).stdout)

    def test_it_trains_and_starts_itself(self):
        """The text lies where the installed configuration expects it, and --nproc starts the program again."""
        text = self.cache / "data/corpora/austen"
        text.mkdir(parents=True, exist_ok=True)
        for name in ("train", "valid", "test"):
            (text / f"{name}.txt").write_text("it was a truth universally acknowledged by seven sailors\n" * 200)
        self.run_longbow("train", "-c", CONFIG, *TINY, "--nproc", "2", "--threads", "1", "--run-dir", "run")
        settings = (self.empty / "run/config.yaml").read_text().splitlines()
        self.assertEqual(settings[1], f"# yaml-language-server: $schema={self.share}/longbow.schema.json")
        self.assertTrue((text / "store/manifest.json").exists())
        self.run_longbow("eval", "run", "--data", text / "store", "--lengths", "16", "--max-stream-tokens", "64",
                         "--threads", "1", "--out", "rows.jsonl")
        row = json.loads((self.empty / "rows.jsonl").read_text().splitlines()[0])
        self.assertEqual(row["length"], 16)

    def test_the_operator_for_python(self):
        probe = (f"import torch; torch.ops.load_library(r'{self.prefix}/lib/liblongbow_ops.so'); "
                 "print(torch.ops.longbow.fused_attention)")
        if call([sys.executable, "-c", "import torch"], self.empty).returncode != 0:
            self.skipTest("this Python has no torch")
        done = call([sys.executable, "-c", probe], self.empty)
        self.assertEqual(done.returncode, 0, done.stderr)


class Torch(Installed):
    """Which LibTorch is taken. None of these has LONGBOW_TORCH, unless it is what is tested."""

    def version(self, **variables):
        return self.run_longbow("--version", LONGBOW_TORCH=None, LONGBOW_CACHE=self.home / "nothing", **variables)

    def environment(self, version=None):
        """Returns a Python environment with a torch, which cannot be loaded if a version is named."""
        environment = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        site = environment / "lib/python3.11/site-packages"
        site.mkdir(parents=True)
        if version is None:
            (site / "torch").symlink_to(TORCH)
            return environment
        (site / "torch/lib").mkdir(parents=True)
        (site / "torch/lib/libtorch_cpu.so").touch()
        (site / "torch/version.py").write_text(f"__all__ = ['__version__']\n__version__ = '{version}'\n")
        return environment

    def python(self, torch):
        """Returns a folder for PATH with a python3 that knows of this torch."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        (folder / "python3").write_text(f"#!/bin/sh\necho {torch}\n")
        (folder / "python3").chmod(0o755)
        return f"{folder}:/usr/bin:/bin"

    def refused(self, **variables):
        done = self.run_longbow("--version", code=1, **{"LONGBOW_TORCH": None, "LONGBOW_CACHE": self.home / "nothing",
                                                        **variables})
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("longbow: error: "), done.stderr)
        return done.stderr

    def test_of_environments_and_of_python(self):
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            with self.subTest(name):
                self.version(**{name: self.environment()})
        self.version(PATH=self.python(TORCH))
        named = self.environment()
        for place in (named, named / "lib/python3.11/site-packages", TORCH):
            self.run_longbow("--version", LONGBOW_TORCH=place)

    def test_of_the_cache(self):
        cache = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        shutil.copytree(self.environment(), cache / "venv", symlinks=True)
        self.run_longbow("--version", LONGBOW_TORCH=None, LONGBOW_CACHE=cache, PATH=self.python("/nothing"))

    def test_one_that_does_not_fit_is_passed_over(self):
        self.version(VIRTUAL_ENV=self.environment("2.1.0"), PATH=self.python(TORCH))

    def test_none_that_fits(self):
        series = re.search(r"2\.\d+", (TORCH / "version.py").read_text())[0]
        nothing = self.python("/nothing")
        remedy = f"activate a Python environment that has it (pip install 'torch=={series}.*'), or set LONGBOW_TORCH"
        self.assertIn(f"needs torch {series}, and none was found: {remedy}", self.refused(PATH=nothing))
        old = self.environment("2.1.0+cu118")
        message = self.refused(PATH=nothing, VIRTUAL_ENV=old)
        self.assertIn(f"needs torch {series}, and found torch 2.1.0+cu118 in {old}/", message)
        self.assertIn(f"(of VIRTUAL_ENV): {remedy}", message)
        # What is named counts alone.
        self.assertIn("2.1.0+cu118", self.refused(LONGBOW_TORCH=old, VIRTUAL_ENV=self.environment()))
        self.assertIn(f"LONGBOW_TORCH={self.empty}", self.refused(LONGBOW_TORCH=self.empty))
        # A minor version is a whole number: 2.1 is not 2.11.
        self.assertIn(f"torch {series}9.0", self.refused(LONGBOW_TORCH=self.environment(f"{series}9.0")))

    def test_one_that_cannot_be_loaded(self):
        series = re.search(r"2\.\d+", (TORCH / "version.py").read_text())[0]
        broken = self.environment(f"{series}.0")
        self.assertIn("cannot be loaded: ", self.refused(LONGBOW_TORCH=broken))

    def test_an_incomplete_installation(self):
        lone = self.empty / "bin/longbow"
        lone.parent.mkdir()
        shutil.copy(self.longbow, lone)
        done = self.run_longbow("--version", longbow=lone, code=1)
        self.assertIn(f"there is no {self.empty}/lib/liblongbow_program.so; install longbow again", done.stderr)


class Configurations(Installed):
    def test_from_an_empty_folder(self):
        installed = self.share / "configs" / CONFIG
        for name in (CONFIG, f"configs/{CONFIG}"):
            with self.subTest(name):
                done = self.run_longbow("config", "check", "-c", name)
                self.assertEqual(done.stdout, f"ok {installed}\n")
                self.assertIn(f"{name}: not here, taking the installed {installed}", done.stderr)

    def test_the_file_here_wins(self):
        (self.empty / "demo").mkdir()
        (self.empty / CONFIG).write_text("position: {method: rotary}\ndata: {store: mine}\n")
        done = self.run_longbow("config", "show", "-c", CONFIG)
        self.assertIn("method: rotary\n", done.stdout)
        self.assertIn("store: mine\n", done.stdout)  # its paths are its own
        installed = self.share / "configs" / CONFIG
        self.assertIn(f"{CONFIG}: taking the one here, not the installed {installed}", done.stderr)

    def test_data_lies_in_the_cache(self):
        shown = json.loads(self.run_longbow("config", "show", "--json", "-c", CONFIG).stdout)["data"]
        self.assertEqual(shown["store"], f"{self.cache}/data/corpora/austen/store")
        self.assertEqual(shown["valid"], [f"{self.cache}/data/corpora/austen/valid.txt"])
        shown = json.loads(self.run_longbow("config", "show", "--json", "-c", "cc100/alibi-512.yaml").stdout)
        self.assertEqual(shown["tokenizer"]["file"], f"{self.cache}/data/corpora/cc100/gpt2")
        # An override is the user's own, who stands in this folder.
        done = self.run_longbow("config", "show", "--json", "-c", CONFIG, "data.store=mine")
        self.assertEqual(json.loads(done.stdout)["data"]["store"], "mine")

    def test_a_name_that_nothing_has(self):
        done = self.run_longbow("config", "check", "-c", "demo/alibbi.yaml", code=3)
        self.assertIn("demo/alibbi.yaml: there is no such config file", done.stderr)

    def test_studies_and_reproductions(self):
        plan = self.run_longbow("study", "studies/austen.yaml", "--part", "gates", "--print-commands").stdout
        self.assertIn(f"-c {self.share}/configs/demo/base.yaml", plan)
        plan = self.run_longbow("reproduce", "table2", "--scale", "demo", "--print-commands").stdout
        self.assertIn(f"{self.share}/configs/demo/paper.yaml", plan)

    def test_a_build_folder_takes_none(self):
        done = call([BUILD / "longbow", "config", "check", "-c", CONFIG], self.empty)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(done.stderr, f"longbow: error: {CONFIG}: there is no such config file\n")

    def test_the_schema_and_the_paper(self):
        schema = json.loads((self.share / "longbow.schema.json").read_text())
        self.assertEqual(schema, json.loads(self.run_longbow("config", "schema").stdout))
        tables = (SOURCE / "data/paper/tables.yaml").read_text()
        self.assertEqual((self.share / "paper/tables.yaml").read_text(), tables)

    def test_scripts_of_corpora_write_into_the_cache(self):
        done = call([self.share / "corpora/wikitext103", "--help"], self.empty, LONGBOW_CACHE=self.cache)
        self.assertEqual(done.returncode, 0, done.stderr)
        probe = f"import sys; sys.path.insert(0, {str(self.share / 'corpora')!r}); import common; print(common.CORPORA)"
        for folder, top in ((self.share, self.cache), (SOURCE / "scripts", SOURCE)):
            done = call([sys.executable, "-B", "-c", probe.replace(str(self.share), str(folder))], self.empty,
                        LONGBOW_CACHE=self.cache)
            wanted = top / "data/corpora"
            self.assertEqual(done.stdout, f"{wanted}\n", done.stderr)


def shell(name):
    """Skips a test where a shell is not installed."""
    return unittest.skipUnless(shutil.which(name), f"{name} is not installed")


# What must be among the words that complete a line, and what must not; the same for every shell.
LINES = [
    ("longbow tr", {"train"}, {"eval", "probe"}),
    ("longbow config ", {"show", "check", "schema", "list"}, {"train"}),
    ("longbow config show --j", {"--json"}, {"--device"}),
    ("longbow train --run", {"--run-dir"}, {"--lengths"}),
    ("longbow train --log-level ", {"debug", "warn"}, {"train"}),
    ("longbow train --resume n", {"never"}, {"auto"}),
    ("longbow train -c x.yaml position.me", {"position.method="}, {"position.window="}),
    ("longbow train -c x.yaml position.method=al", {"alibi"}, {"rotary"}),
    ("longbow train -c x.yaml model.tie_output=", {"true", "false"}, set()),
    ("longbow train optim.na", {"optim.name="}, {"optim.lr="}),
    ("longbow eval run position.slope_sc", {"position.slope_scale="}, set()),
    ("longbow inspect position t", {"t5"}, {"alibi"}),
    ("longbow export gguf run --dtype q", {"q8_0"}, {"fp32"}),
]


class Completions(Installed):
    def completed(self, words, line):
        """Returns the words with what stands before the = of the last word of the line taken away."""
        head = line.split(" ")[-1].rpartition("=")[0]
        return {word.removeprefix(head + "=") if head else word for word in words if word}

    def check(self, complete):
        for line, wanted, unwanted in LINES:
            with self.subTest(line):
                words = self.completed(complete(line), line)
                self.assertLessEqual(wanted, words)
                self.assertEqual(unwanted & words, set())

    def test_bash(self):
        """Asks as readline does: by the function that `complete` has registered, with the line and the cut words."""
        file = self.prefix / "share/bash-completion/completions/longbow"
        asked = """
            set -u
            source "$1"
            COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$3
            registered=$(complete -p longbow)
            [[ $registered =~ -F\\ ([^ ]+) ]] || exit 1
            "${BASH_REMATCH[1]}" longbow "" ""
            if ((${#COMPREPLY[@]} > 0)); then printf '%s\\n' "${COMPREPLY[@]}"; fi
        """

        def complete(line, breaks=" \t\n\"'><=;|&(:"):
            done = call(["bash", "--norc", "-c", asked, "bash", file, line, breaks], self.empty)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return done.stdout.splitlines()

        self.check(complete)
        # Readline replaces only what follows the last character of COMP_WORDBREAKS.
        line = "longbow train position.method=ali"
        self.assertIn("alibi", complete(line))
        self.assertIn("position.method=alibi", complete(line, " \t\n"))
        self.assertEqual(complete("longbow train --log-level=deb"), ["debug"])
        # Files beside settings where a command takes both, and nothing of a flag that names a file.
        (self.empty / "my run").mkdir()
        self.assertIn("my run", complete("longbow eval my"))
        self.assertEqual(complete("longbow train --run-dir "), [])

    def test_bash_names_installed_configurations(self):
        asked = """
            source "$1"
            PATH=$2:$PATH COMP_LINE='longbow train -c demo/al' COMP_POINT=24 COMP_WORDBREAKS=' ='
            _longbow
            printf '%s\\n' "${COMPREPLY[@]}"
        """
        done = call(["bash", "--norc", "-c", asked, "bash", self.prefix / "share/bash-completion/completions/longbow",
                     self.longbow.parent], self.empty)
        self.assertEqual(done.stdout.split(), [CONFIG], done.stderr)

    @shell("zsh")
    def test_zsh(self):
        """The script passes zsh's check, and its function offers the words to compadd."""
        file = self.prefix / "share/zsh/site-functions/_longbow"
        done = call(["zsh", "-n", file], self.empty)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        asked = """
            compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -l -- "$@" | grep -- "^$typed" }
            compset() { : }
            _files() { : }
            source $1
            words=("${(@s: :)2}") CURRENT=${#words} typed=${${words[-1]}##*=}
            _longbow
        """

        def complete(line):
            done = call(["zsh", "-f", "-c", asked, "zsh", file, line], self.empty)
            self.assertEqual(done.stderr, "")
            return done.stdout.splitlines()

        self.check(complete)

    @shell("fish")
    def test_fish(self):
        file = self.prefix / "share/fish/vendor_completions.d/longbow.fish"
        done = call(["fish", "--no-config", "-n", file], self.empty, HOME=self.empty)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

        def complete(line):
            done = call(["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", file, line], self.empty,
                        HOME=self.empty)
            self.assertEqual(done.stderr, "")
            return [word.split("\t")[0] for word in done.stdout.splitlines()]

        self.check(complete)

    @shell("groff")
    def test_the_manual_page(self):
        page = self.prefix / "share/man/man1/longbow.1"
        done = call(["groff", "-ww", "-man", "-Tutf8", page], self.empty)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        shown = re.sub(r"\x1b\[[\d;]*m|.\x08", "", done.stdout)
        for text in ("longbow config show", "--run-dir", "LONGBOW_TORCH", "longbow train -c configs/demo/alibi.yaml"):
            self.assertIn(text, shown)
        if shutil.which("man"):
            done = call(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", page], self.empty, MANWIDTH=80)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
