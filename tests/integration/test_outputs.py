"""Tests where output goes and input comes from, as shells and people name it: links, pipes, devices, /dev/stdout,
trailing slashes, limits on file sizes. What exists at such a place is followed, kept, written into, or refused before
any work; no file of others is removed."""
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
CONFIG = """\
model: {layers: 1, dim: 16, heads: 2, ffn_dim: 32, dropout: 0.0}
position: {method: alibi}
tokenizer: {kind: bpe, vocab_size: 300}
data:
  store: store
  train: [train.txt]
  valid: [valid.txt]
train: {length: 16, batch: 2, stop: 3 updates, deterministic: true}
schedule: {name: constant}
"""
TEXT = "It was the best of rooms, it was the worst of rooms; the door stood open and nobody went in.\n" * 60
EVAL = ("--data", "store", "--lengths", "16", "--threads", "1")


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class OutputCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Path(tempfile.mkdtemp(prefix="longbow-outputs-"))
        (cls.home / "train.txt").write_text(TEXT)
        (cls.home / "valid.txt").write_text(TEXT[:3000])
        (cls.home / "config.yaml").write_text(CONFIG)
        cls.ok("train", "-c", "config.yaml", "--run-dir", "run", "--threads", "1")
        cls.ok("eval", "run", *EVAL, "--out", "rows.jsonl")
        cls.table = cls.ok("report", "rows.jsonl").stdout

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def setUp(self):
        self.place = self.home / "place"
        self.place.mkdir()
        self.addCleanup(shutil.rmtree, self.place)

    @classmethod
    def longbow(cls, *arguments, stdin=subprocess.DEVNULL, cwd=None, **more):
        return subprocess.run([LONGBOW, *map(str, arguments)], cwd=cwd or cls.home, capture_output=True, text=True,
                              stdin=stdin, timeout=PATIENCE, **more)

    @classmethod
    def ok(cls, *arguments, **more):
        result = cls.longbow(*arguments, **more)
        assert result.returncode == 0, (arguments, result.returncode, result.stderr)
        return result

    def refused(self, code, mentions, *arguments, **more):
        result = self.longbow(*arguments, **more)
        self.assertEqual(result.returncode, code, (arguments, result.stderr))
        errors = [line for line in result.stderr.splitlines() if line.startswith("longbow: error: ")]
        self.assertEqual(len(errors), 1, result.stderr)
        for word in mentions:
            self.assertIn(word, errors[0])
        return result

    def rows(self, text):
        return [json.loads(line) for line in text.splitlines()]

    def from_pipe(self, path, *arguments, code=0):
        """Returns what a reader of the pipe gets while the command runs."""
        got = []
        reader = threading.Thread(target=lambda: got.append(path.read_text()))
        reader.start()
        result = self.longbow(*arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        reader.join(30)
        self.assertTrue(path.is_fifo())
        return got[0]


class Report(OutputCase):
    def test_a_file_keeps_its_mode(self):
        out = self.place / "private.md"
        out.write_text("before")
        out.chmod(0o600)
        self.ok("report", "rows.jsonl", "--out", out)
        self.assertEqual(out.read_text(), self.table)
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
        self.assertEqual([path.name for path in self.place.iterdir()], ["private.md"])

    def test_links_are_followed(self):
        (self.place / "deep").mkdir()
        (self.place / "link.md").symlink_to("deep/target.md")
        for _ in range(2):  # the link is dangling at first
            self.ok("report", "rows.jsonl", "--out", self.place / "link.md")
            self.assertTrue((self.place / "link.md").is_symlink())
            self.assertEqual((self.place / "deep/target.md").read_text(), self.table)

    def test_pipes_and_devices_are_written_into(self):
        os.mkfifo(self.place / "pipe")
        (self.place / "link").symlink_to("pipe")
        self.assertEqual(self.from_pipe(self.place / "pipe", "report", "rows.jsonl", "--out", self.place / "link"),
                         self.table)
        for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"):
            self.assertEqual(self.ok("report", "rows.jsonl", "--out", name).stdout, self.table)
        (self.place / "stdout").symlink_to("/proc/self/fd/1")
        with open(self.place / "file", "w") as file:
            file.write("before\n")
            file.flush()
            subprocess.run([LONGBOW, "report", "rows.jsonl", "--out", self.place / "stdout"], cwd=self.home,
                           stdout=file, check=True)
        self.assertEqual((self.place / "file").read_text(), "before\n" + self.table)
        self.assertTrue((self.place / "stdout").is_symlink())
        if os.geteuid() == 0:
            try:
                os.mknod(self.place / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
            except PermissionError:
                return
            self.ok("report", "rows.jsonl", "--out", self.place / "null")
            self.assertTrue(stat.S_ISCHR((self.place / "null").lstat().st_mode))

    def test_what_cannot_be_written_is_refused(self):
        (self.place / "a").symlink_to("b")
        (self.place / "b").symlink_to("a")
        for code, name, why in [(1, self.place, "is a folder"), (1, f"{self.place}/x/", "folder"),
                                (1, self.place / "no/where", "no folder"),
                                (1, self.place / "a", "loop"), (2, "", "empty value")]:
            self.refused(code, [why], "report", "rows.jsonl", "--out", name)
        self.refused(1, ["No space left", "free some space"], "report", "rows.jsonl", "--out", "/dev/full")
        for said in (("report", "rows.jsonl"), ("--version",), ("train", "--help")):
            self.refused(1, ["No space left"], *said, preexec_fn=lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1))

    def test_a_dash_is_standard_output_and_no_folder(self):
        self.assertTrue(self.ok("reproduce", "table5", "--configs", Path(os.environ["LONGBOW_SOURCE"]) / "configs",
                                "--slurm", "-").stdout.startswith("#!"))
        self.assertEqual(self.ok("report", "rows.jsonl", "--out", "./-", cwd=self.home).stdout, "")
        (self.home / "-").unlink()
        for verb in (("train", "-c", "config.yaml", "--run-dir"), ("prepare", "-c", "config.yaml", "--out"),
                     ("reproduce", "table5", "--run-dir"),
                     ("analyze", "early-token", "run", "--data", "store", "--lengths", "8,16", "--out"),
                     ("import", "fairseq", "a.pt", "--dict", "b", "--position", "alibi", "--out")):
            self.refused(2, ["standard output"], *verb, "-")
        self.assertFalse((self.home / "-").exists())

    def test_a_report_does_not_replace_its_own_results(self):
        before = (self.home / "rows.jsonl").read_text()
        (self.place / "link").symlink_to(self.home / "rows.jsonl")
        for name in ("rows.jsonl", "./rows.jsonl", self.place / "link", "run/../rows.jsonl"):
            self.refused(2, ["holds results", str(name)], "report", "rows.jsonl", "--out", name)
        self.assertEqual((self.home / "rows.jsonl").read_text(), before)


class Eval(OutputCase):
    def test_rows_go_into_pipes_and_devices(self):
        two = (*EVAL[:2], "--lengths", "16,32", "--threads", "1")
        os.mkfifo(self.place / "pipe")
        rows = self.rows(self.from_pipe(self.place / "pipe", "eval", "run", *two, "--out", self.place / "pipe"))
        self.assertEqual([row["length"] for row in rows], [16, 32])
        for _ in range(2):  # nothing can be read back from a pipe, so it is measured anew
            result = self.ok("eval", "run", *two, "--out", "/dev/stdout")
            self.assertEqual([row["length"] for row in self.rows(result.stdout)], [16, 32])
            # The table, which does not mix with the rows.
            self.assertIn("perplexity" if "perplexity" in result.stderr else "ppl", result.stderr)
        self.assertEqual(len(self.rows(self.ok("eval", "run", *two, "--out", "/dev/stdout", "--json").stdout)), 2)
        self.assertEqual(len(self.rows(self.ok("eval", "run", *two, "--out", "-").stdout)), 2)
        (self.place / "null").symlink_to("/dev/null")
        self.assertIn("ppl", self.ok("eval", "run", *two, "--out", self.place / "null").stdout)
        self.assertEqual(list(self.home.rglob("*.partial")), [])
        self.assertEqual(list(Path("/dev").glob(".eval*")), [])

    def test_rows_are_added_behind_a_link(self):
        (self.place / "link").symlink_to("rows")
        self.ok("eval", "run", *EVAL, "--out", self.place / "link")
        self.ok("eval", "run", "--data", "store", "--lengths", "16,32", "--threads", "1", "--out", self.place / "link")
        self.assertEqual([row["length"] for row in self.rows((self.place / "rows").read_text())], [16, 32])
        self.assertTrue((self.place / "link").is_symlink())

    def test_token_logprobs_follow_and_stay(self):
        (self.place / "link.npy").symlink_to("target.npy")
        self.ok("eval", "run", *EVAL, "--out", self.place / "r", "--token-logprobs", self.place / "link.npy")
        self.assertTrue((self.place / "link.npy").is_symlink())
        self.assertTrue((self.place / "target.npy").read_bytes().startswith(b"\x93NUMPY"))
        self.ok("eval", "run", *EVAL, "--out", self.place / "r", "--token-logprobs", "/dev/null")
        self.refused(1, ["no folder"], "eval", "run", *EVAL, "--out", self.place / "new",
                     "--token-logprobs", self.place / "no/x.npy")
        self.assertFalse((self.place / "new").exists())

    def test_one_file_for_two_outputs_is_refused(self):
        self.refused(2, ["--token-logprobs", "--out"], "eval", "run", *EVAL, "--out", self.place / "x",
                     "--token-logprobs", self.place / "x")
        self.refused(2, ["--token-logprobs", "--out"], "eval", "run", *EVAL, "--out", "new",
                     "--token-logprobs", "./new")
        before = (self.home / "valid.txt").read_text()
        self.refused(2, ["valid.txt"], "eval", "run", "--text", "valid.txt", "--lengths", "16", "--out", "valid.txt")
        self.assertEqual((self.home / "valid.txt").read_text(), before)

    def test_what_is_measured_stays_whole(self):
        shutil.copytree(self.home / "run", self.place / "run", symlinks=True)
        files = ("place/run/config.yaml", "place/run/metrics.jsonl", "place/run/checkpoints/last/model.safetensors",
                 "store/manifest.json")
        kept = {name: (self.home / name).read_bytes() for name in files}
        for name in files:
            self.refused(2, ["--token-logprobs", name], "eval", "place/run", *EVAL, "--token-logprobs", name)
            self.refused(2, ["--out", name], "eval", "place/run", *EVAL, "--out", name)
        self.ok("eval", "place/run", *EVAL)
        for name in files[:2]:
            self.refused(2, ["--out", name], "report", "place/run", "--out", name)
        self.assertEqual({name: (self.home / name).read_bytes() for name in files}, kept)

    def test_only_a_row_that_was_cut_short_goes(self):
        note = self.place / "note"
        note.write_text("one line, and no end of it")
        self.refused(4, ["not JSON"], "eval", "run", *EVAL, "--out", note)
        self.assertEqual(note.read_text(), "one line, and no end of it")
        row = (self.home / "rows.jsonl").read_text()
        note.write_text(row.rstrip("\n"))
        self.ok("eval", "run", *EVAL[:2], "--lengths", "8", "--threads", "1", "--out", note)
        lines = note.read_text().splitlines(keepends=True)
        self.assertEqual((len(lines), lines[0]), (2, row))

    def waits(self, *arguments):
        """SIGTERM must end a command that waits for the other end of a pipe."""
        reading, writing = os.pipe()  # both ends stay open here, so nothing comes
        self.addCleanup(os.close, writing)
        self.addCleanup(os.close, reading)
        process = subprocess.Popen([LONGBOW, *map(str, arguments)], cwd=self.home, stdin=reading,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = ""
        while "waiting" not in line:
            line = process.stderr.readline()
            self.assertNotEqual(line, "", "it ended before it waited")
        process.send_signal(signal.SIGTERM)
        try:
            error = process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.fail("deaf to SIGTERM")
        self.assertIn("SIGTERM", error)
        self.assertNotEqual(process.returncode, 0)

    def test_a_signal_ends_the_wait_for_a_pipe(self):
        os.mkfifo(self.place / "pipe")
        self.waits("eval", "run", *EVAL, "--out", self.place / "pipe")
        self.waits("eval", "run", "--text", self.place / "pipe", "--lengths", "16", "--out", self.place / "r")
        self.waits("eval", "run", "--text", "/dev/stdin", "--lengths", "16", "--out", self.place / "r")

    def test_a_measurement_whose_row_cannot_be_written_is_kept(self):
        self.refused(1, ["/dev/full", "No space left"], "eval", "run", *EVAL, "--out", "/dev/full")
        self.assertEqual(len(list((self.home / "run").glob(".eval-*.partial"))), 1)
        self.assertIn("continuing after", self.ok("eval", "run", *EVAL, "--out", "/dev/null").stderr)
        self.assertEqual(list((self.home / "run").glob(".eval-*.partial")), [])


class Text(OutputCase):
    def values(self, out):
        return [(row["nll"], row["tokens"], row["data"]) for row in self.rows((self.place / out).read_text())]

    def test_from_pipes(self):
        command = ("eval", "run", "--lengths", "16", "--threads", "1", "--out")
        self.ok(*command, self.place / "file", "--text", "valid.txt")
        with open(self.home / "valid.txt") as text:
            self.ok(*command, self.place / "redirected", "--text", "/dev/stdin", stdin=text)
        with subprocess.Popen(["cat", self.home / "valid.txt"], stdout=subprocess.PIPE) as cat:
            self.ok(*command, self.place / "piped", "--text", "/dev/stdin", stdin=cat.stdout)
        subprocess.run(["bash", "-c", f'"{LONGBOW}" eval run --lengths 16 --threads 1 --out "{self.place}/substituted" '
                        '--text <(cat valid.txt)'], cwd=self.home, check=True, capture_output=True)
        os.mkfifo(self.place / "pipe")
        writer = threading.Thread(
            target=lambda: (self.place / "pipe").write_text((self.home / "valid.txt").read_text()))
        writer.start()
        self.ok(*command, self.place / "fifo", "--text", self.place / "pipe")
        writer.join()
        for name in ("redirected", "piped", "substituted", "fifo"):
            self.assertEqual(self.values(name), self.values("file"), name)

    def test_ranks_cannot_share_a_pipe(self):
        self.refused(2, ["--nproc", "/dev/stdin"], "eval", "run", "--lengths", "16", "--nproc", "2",
                     "--out", self.place / "r", "--text", "/dev/stdin", stdin=subprocess.PIPE)
        self.assertFalse((self.place / "r").exists())


class Names(OutputCase):
    """A checkpoint belongs to its run, by whatever path it is named."""

    def setUp(self):
        super().setUp()
        self.run_dir = self.place / "model"
        shutil.copytree(self.home / "run", self.run_dir, symlinks=True)
        (self.run_dir / "results.jsonl").unlink(missing_ok=True)
        self.step = "model/checkpoints/step-00000003"

    def names_of(self, name, cwd=None, called="model"):
        cwd = cwd or self.place
        self.ok("eval", name, "--data", self.home / "store", "--lengths", "16", "--threads", "1", cwd=cwd)
        self.assertEqual(list(self.run_dir.glob("checkpoints/*/results.jsonl")), [], name)
        results = self.run_dir / "results.jsonl"
        rows = self.rows(results.read_text())
        results.unlink()
        self.assertEqual([row["name"] for row in rows], [called], name)
        text = self.ok("analyze", "early-token", name, "--data", self.home / "store", "--lengths", "8,16",
                       "--threads", "1", cwd=cwd).stdout
        self.assertTrue(text.startswith(called), (name, text[:80]))
        self.ok("generate", name, "--prompt", "It", "--max-new-tokens", "1", cwd=cwd)
        self.assertIn("step-00000003", json.loads(self.ok("inspect", "checkpoint", name,
                                                          "--json", cwd=cwd).stdout)["path"] + str(cwd) + self.step)

    def test_slashes_and_dots(self):
        for name in ("model", "model/", "model//", "./model/.", self.step, self.step + "/", self.step + "//",
                     "model/checkpoints/last/", "model/checkpoints/last", "model/checkpoints/", "model/checkpoints",
                     "model/checkpoints/../checkpoints/last/", "model@last", "model/@last", "model@last/", self.run_dir,
                     f"{self.run_dir}/"):
            self.names_of(name)

    def test_from_within(self):
        self.names_of(".", cwd=self.run_dir)
        self.names_of("./", cwd=self.run_dir)
        self.names_of(".@last", cwd=self.run_dir)
        self.names_of(".", cwd=self.place / self.step)
        self.names_of("../last/", cwd=self.place / self.step)
        self.names_of("..", cwd=self.place / self.step)
        self.names_of("../..", cwd=self.place / self.step)

    def test_links(self):
        (self.place / "link").symlink_to(self.step)
        (self.place / "to-run").symlink_to("model")
        (self.place / "to-checkpoints").symlink_to("model/checkpoints")
        for name in ("link", "link/", "to-checkpoints/step-00000003", "to-checkpoints/last/", "to-run/../model",
                     "link/../last/"):
            self.names_of(name)
        for name in ("to-run", "to-run/", "to-run/checkpoints/last/"):  # the link's own name names the run
            self.names_of(name, called="to-run")

    def test_checkpoints_on_another_disk(self):
        (self.run_dir / "checkpoints").rename(self.place / "elsewhere")
        (self.run_dir / "checkpoints").symlink_to("../elsewhere")
        for name in ("model", self.step + "/", "model/checkpoints/last/"):
            self.names_of(name)
        self.assertEqual(list((self.place / "elsewhere").glob("**/results.jsonl")), [])

    def test_empty_names_are_refused(self):
        for verb in (["eval", "", *EVAL], ["eval", "@last", *EVAL], ["generate", "", "--prompt", "a"], ["verify", ""],
                     ["inspect", "checkpoint", ""],
                     ["inspect", "data", ""], ["report", ""], ["compare", "model", ""], ["train", "-c", ""]):
            result = self.longbow(*verb)
            self.assertIn(result.returncode, (2, 5), result.stderr)
            self.assertIn("empty value" if "@last" not in verb else "@last", result.stderr)

    def test_verify_takes_the_runs_number_of_threads(self):
        self.ok("train", "-c", "config.yaml", "--run-dir", "place/two", "--threads", "2")
        self.assertNotIn("threads", self.ok("verify", "place/two").stderr)
        self.assertNotIn("threads", self.ok("verify", "place/model").stderr)  # its run used one thread

    def test_verify_says_how_much_differs(self):
        """Two runs of the same settings begin with other weights; the last checkpoint of one is put behind the other's."""
        self.ok("train", "-c", "config.yaml", "--run-dir", "place/seeded", "train.seed=77", "--threads", "1")
        start, newest = self.place / "start", {}
        for name in ("model", "seeded"):
            shutil.rmtree(start, ignore_errors=True)
            shutil.copytree((self.place / name / "checkpoints/last").resolve(), start)
            self.ok("train", "-c", "config.yaml", "--run-dir", f"place/of-{name}", "train.init_from=place/start", "--threads", "1")
            newest[name] = (self.place / f"of-{name}" / "checkpoints/last").resolve()
        shutil.rmtree(newest["model"])
        shutil.copytree(newest["seeded"], newest["model"])
        result = self.longbow("verify", "place/of-model", "--threads", "1")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertRegex(result.stderr, r"safetensors: \d+ of \d+ tensors differ .*; the first: \S+ in \d+ of \d+ numbers, "
                                        r"by \S+ at most")

    def test_resume_init_from_and_verify(self):
        for name in (self.step + "/", "model/checkpoints/last/"):
            self.ok("train", "-c", self.home / "config.yaml", "--run-dir", "again", "--resume", name,
                    "train.stop=4 updates", "--threads", "1", f"data.store={self.home}/store",
                    cwd=self.place)
            shutil.rmtree(self.place / "again")
            self.ok("train", "-c", self.home / "config.yaml", "--run-dir", "new/", f"train.init_from={name}",
                    "--threads", "1", f"data.store={self.home}/store", cwd=self.place)
            self.assertTrue((self.place / "new/checkpoints/last").exists())
            shutil.rmtree(self.place / "new")
        for name in ("model", "model/", "model/.", self.step + "/", "model/checkpoints/"):
            # Works from where its store is.
            self.assertIn("bit for bit", self.ok("verify", f"place/{name}", "--threads", "1").stdout, name)


class Prepare(OutputCase):
    def prepare(self, *arguments, size=300):
        return ("prepare", "--tokenizer", "bpe", "--vocab-size", size, "--train", "train.txt", *arguments)

    def vocabulary(self, store):
        return json.loads((store / "manifest.json").read_text())["tokenizer"]["vocab_size"]

    def left(self):
        return [str(path) for path in self.place.rglob(".*")]

    def test_a_link_is_followed_and_stays(self):
        (self.place / "big").mkdir()
        for name in ("big/empty", "big/absent"):
            link = self.place / f"link-{Path(name).name}"
            link.symlink_to(name)
            if name.endswith("empty"):
                (self.place / name).mkdir(mode=0o750)
            self.ok(*self.prepare("--out", link))
            self.assertEqual(self.vocabulary(self.place / name), 300)
            self.refused(4, ["--overwrite"], *self.prepare("--out", link, size=290))
            self.ok(*self.prepare("--out", f"{link}/", "--overwrite", size=290))
            self.assertTrue(link.is_symlink())
            self.assertEqual(self.vocabulary(self.place / name), 290)
        self.assertEqual(stat.S_IMODE((self.place / "big/empty").stat().st_mode), 0o750)
        self.assertEqual(self.left(), [])

    def test_an_empty_folder_stays_the_same_folder(self):
        store = self.place / "store"
        store.mkdir()
        before = store.stat().st_ino
        self.ok("prepare", "--tokenizer", "bpe", "--vocab-size", "300", "--train", self.home / "train.txt",
                "--out", ".", cwd=store)
        self.assertEqual(store.stat().st_ino, before)
        self.assertEqual(self.vocabulary(store), 300)
        self.assertEqual(self.left(), [])

    def test_a_move_into_a_folder_that_was_cut_short_is_finished(self):
        whole, store = self.place / "whole", self.place / "store"
        self.ok(*self.prepare("--out", whole))
        store.mkdir()
        for nth in (1, 3):
            killed = self.longbow(*self.prepare("--out", store),
                                  env={**os.environ, "LONGBOW_FAILPOINT": f"data.filling:{nth}"})
            self.assertEqual(killed.returncode, -signal.SIGKILL)
            self.assertFalse((store / "manifest.json").exists())
        self.ok(*self.prepare("--out", store))
        self.assertEqual({p.name: p.read_bytes() for p in store.iterdir()},
                         {p.name: p.read_bytes() for p in whole.iterdir()})
        self.assertEqual(self.left(), [])

    def test_overwrite_removes_nothing_foreign(self):
        store = self.place / "store"
        self.ok(*self.prepare("--out", store))
        for name in ("notes.txt", ".hidden", "train-00000.bin.bak", "results"):
            foreign = store / name
            foreign.mkdir() if name == "results" else foreign.write_text("mine")
            before = {path.name for path in store.iterdir()}
            self.refused(1, [name, "--overwrite"], *self.prepare("--out", store, "--overwrite", size=290))
            self.assertEqual({path.name for path in store.iterdir()}, before)
            self.assertEqual(self.vocabulary(store), 300)
            foreign.rmdir() if name == "results" else foreign.unlink()
        self.ok(*self.prepare("--out", store, "--overwrite", size=290))
        self.assertEqual(self.vocabulary(store), 290)

    def test_other_places_are_refused_before_any_work(self):
        (self.place / "file").write_text("mine")
        os.mkfifo(self.place / "pipe")
        (self.place / "a").symlink_to("a")
        for name in ("file", "pipe", "a", "file/store"):
            for overwrite in ((), ("--overwrite",)):
                self.refused(1, [name.split("/")[0]], *self.prepare("--out", self.place / name, *overwrite))
        self.assertEqual((self.place / "file").read_text(), "mine")
        self.assertEqual(self.left(), [])


class Runs(OutputCase):
    def test_a_run_behind_links(self):
        (self.place / "link").symlink_to("real/run")
        self.ok("train", "-c", "config.yaml", "--run-dir", self.place / "link", "--threads", "1")
        self.assertTrue((self.place / "real/run/checkpoints/last/manifest.json").exists())
        self.assertTrue((self.place / "link").is_symlink())
        # Files of a run that lie elsewhere and are linked stay there.
        shutil.copytree(self.place / "real/run", self.place / "moved", symlinks=True)
        for name in ("metrics.jsonl", "log.txt", "config.yaml"):
            (self.place / "moved" / name).rename(self.place / name)
            (self.place / "moved" / name).symlink_to(f"../{name}")
        (self.place / "moved/config.yaml").chmod(0o600)
        self.ok("train", "-c", "config.yaml", "--run-dir", self.place / "moved", "--threads", "1",
                "train.stop=5 updates", "log.every=1 updates")
        for name in ("metrics.jsonl", "log.txt", "config.yaml"):
            self.assertTrue((self.place / "moved" / name).is_symlink(), name)
        self.assertIn('"update":5', (self.place / "metrics.jsonl").read_text())
        self.assertEqual(stat.S_IMODE((self.place / "config.yaml").stat().st_mode), 0o600)

    def test_pipes_in_a_run_are_refused(self):
        (self.place / "run").mkdir()
        os.mkfifo(self.place / "run/metrics.jsonl")
        self.refused(1, ["metrics.jsonl", "pipe"], "train", "-c", "config.yaml", "--run-dir", self.place / "run",
                     "--threads", "1")

    def test_another_programs_events_stay(self):
        events = self.place / "run/tensorboard/events.out.tfevents.1700000000.host"
        events.parent.mkdir(parents=True)
        events.write_text("theirs")
        for stop in (3, 4):
            self.ok("train", "-c", "config.yaml", "--run-dir", self.place / "run", "--threads", "1",
                    f"train.stop={stop} updates")
        self.assertEqual(events.read_text(), "theirs")
        self.assertEqual(len(list(events.parent.glob("*.longbow"))), 1)

    def test_analysis_in_a_folder_behind_a_link(self):
        (self.place / "link").symlink_to("folder")
        command = ("analyze", "early-token", "run", "--data", "store", "--lengths", "8,16", "--threads", "1", "--out")
        self.ok(*command, self.place / "link")
        self.assertTrue((self.place / "folder/early-token.json").exists())
        (self.place / "file").write_text("")
        self.refused(1, ["file"], *command, self.place / "file")
        self.refused(1, ["/dev/null"], *command, "/dev/null")


class Limits(OutputCase):
    def within(self, size, *arguments, **more):
        """The command must end well, or with an error that names a file and the remedy, whatever the limit."""
        result = self.longbow(*arguments, preexec_fn=limited(size), **more)
        self.assertIn(result.returncode, (0, 1), (arguments, size, result.stderr))
        if result.returncode == 1:
            errors = [line for line in result.stderr.splitlines() if "longbow: error: " in line]
            self.assertGreaterEqual(len(errors), 1, result.stderr)
            self.assertTrue(any(f"{size:,} bytes" in line and "ulimit -f" in line and "/" in line for line in errors),
                            (arguments, errors))
        return result.returncode

    def test_training(self):
        reached = 0
        for size in (512, 4096, 16384, 30000):
            run = self.place / f"run-{size}"
            reached += self.within(size, "train", "-c", "config.yaml", "--run-dir", run, "--threads", "1")
            self.ok("train", "-c", "config.yaml", "--run-dir", run, "--threads", "1")
            self.assertIn("whole", self.ok("verify", run, "--threads", "1").stdout)
        self.assertGreaterEqual(reached, 3)

    def test_training_by_ranks(self):
        run = self.place / "ranks"
        self.assertEqual(self.within(16384, "train", "-c", "config.yaml", "--run-dir", run, "--threads", "1",
                                     "--nproc", "2"), 1)
        self.ok("train", "-c", "config.yaml", "--run-dir", run, "--threads", "1", "--nproc", "2")

    def test_preparing_goes_on_afterwards(self):
        (self.place / "more.txt").write_text(TEXT * 3)
        command = ("prepare", "--tokenizer", "bpe", "--vocab-size", "300", "--train", "train.txt",
                   self.place / "more.txt", "--out", self.place / "store")
        self.assertEqual(self.within(4096, *command), 1)
        self.ok(*command)
        self.ok(*command[:-1], self.place / "at-once")
        self.assertEqual((self.place / "store/train-00000.bin").read_bytes(),
                         (self.place / "at-once/train-00000.bin").read_bytes())

    def test_other_verbs(self):
        for size in (64, 700, 3000):
            self.within(size, "eval", "run", *EVAL, "--out", self.place / f"rows-{size}")
            self.within(size, "eval", "run", *EVAL, "--out", self.place / f"other-{size}",
                        "--token-logprobs", self.place / f"{size}.npy")
            self.within(size, "report", "rows.jsonl", "--format", "html", "--out", self.place / f"{size}.html")
            self.within(size, "report", "rows.jsonl", "--out", self.place / f"{size}.png")
            self.within(size, "analyze", "early-token", "run", "--data", "store", "--lengths", "8,16", "--threads", "1",
                        "--out", self.place / f"early-{size}")
        with open(self.place / "stdout", "w") as file:
            result = subprocess.run([LONGBOW, "config", "schema"], stdout=file, stderr=subprocess.PIPE, text=True,
                                    preexec_fn=limited(1000))
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard output", result.stderr)
        self.assertIn("ulimit -f", result.stderr)


if __name__ == "__main__":
    unittest.main()
