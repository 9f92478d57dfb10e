"""Tests `longbow prepare` under bad input, full disks, signals and kills: each gives a clear line and no unfinished
store, and the same command continues."""

import gzip
import os
import signal
import subprocess
import unittest

from patience import PATIENCE, wait_for
from prepare_case import CONFIG, DATA, INTERRUPTED, LONGBOW, USAGE, PrepareCase, corpus


class BadInput(PrepareCase):
    def test_invalid_utf8_names_file_and_byte(self):
        self.train = self.write("latin.txt", b"caf\xe9 " * 10)
        error = self.prepare(code=DATA)
        self.assertIn("latin.txt", error)
        self.assertIn("byte 3", error)
        self.assert_nothing_left()

    def test_empty_split(self):
        self.valid = self.write("empty.txt", "")
        self.assertIn("the valid split has no tokens", self.prepare(code=DATA))
        self.assertFalse(self.store.exists())
        self.valid.write_text("a little text")  # finished work is not done again
        self.assertIn("continuing", self.stderr_of_prepare())
        self.run_longbow("inspect", "data", self.store, "--verify")

    def stderr_of_prepare(self, *arguments):
        result = subprocess.run([LONGBOW, "prepare", "--tokenizer", "bpe", "--vocab-size", "400",
                                 "--train", str(self.train), "--valid", str(self.valid), "--out",
                                 str(self.store), *arguments], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def test_missing_files_are_listed_all_at_once(self):
        error = self.run_longbow("prepare", "--tokenizer", "bpe", "--train", self.dir / "a.txt", self.train,
                                 "--valid", self.dir / "b*.txt", "/dev/null", "--out", self.store, code=DATA)
        for name in ("a.txt (train)", "b*.txt (valid)", "none that fits the pattern",
                     "/dev/null (valid): not a regular file"):
            self.assertIn(name, error)
        self.assert_nothing_left()

    def test_usage(self):
        self.assertIn("no text", self.run_longbow("prepare", "--out", self.store, code=USAGE))
        self.assertIn("--out", self.run_longbow("prepare", "--train", self.train, code=USAGE))
        self.assertIn("wordpeice", self.prepare(tokenizer="wordpeice", code=CONFIG))
        self.assertIn("vocabulary", self.run_longbow("prepare", "--tokenizer", "bpe", "--valid", self.valid,
                                                     "--out", self.store, code=USAGE))
        self.assert_nothing_left()

    def test_a_vocabulary_that_cannot_be_used_leaves_no_folder(self):
        """Even the folders in which the store would have been must not remain."""
        vocabulary = self.write("dict.txt", "no count here\n")
        for kind, code in ((f"word:{vocabulary}", DATA), (f"word:{self.dir / 'absent.txt'}", DATA),
                           (f"sentencepiece:{vocabulary}", DATA)):
            with self.subTest(kind):
                error = self.prepare(tokenizer=kind, size=(), out=self.dir / "new" / "folders" / "store", code=code)
                self.assertIn(kind.split(":")[1], error)
                self.assertFalse((self.dir / "new").exists())
        self.run_longbow("prepare", "--tokenizer", "bpe", "--valid", self.valid,
                         "--out", self.dir / "new" / "store", code=USAGE)
        self.assertFalse((self.dir / "new").exists())

    def test_damaged_archive(self):
        self.train = self.write("train.gz", gzip.compress(self.train.read_bytes())[:-2000])
        self.assertIn("train.gz", self.prepare(code=DATA))
        self.assert_nothing_left()

    def test_unwritable_place(self):
        blocked = self.write("a-file", "x") / "store"
        self.assertIn("a-file", self.prepare(out=blocked, code=1))
        self.assertIn("/proc", self.prepare(out="/proc/longbow-store", code=1))

    def test_full_disk(self):
        mount = self.dir / "small"
        mount.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(mount)],
                                               capture_output=True).returncode != 0:
            self.skipTest("mounting a tmpfs needs root")
        self.addCleanup(subprocess.run, ["umount", str(mount)])
        self.train = self.write("train.txt", corpus(200000, 4))
        self.assertIn("are free", self.prepare(out=mount / "store", code=1))  # by an estimate, before any work
        self.assertEqual(list(mount.iterdir()), [])
        self.train = self.write("train.gz", gzip.compress(corpus(100000, 4).encode()))
        # The archive is small, but its ids are not.
        self.assertIn("No space left", self.prepare(out=mount / "store", code=1))
        self.assertEqual([p.name for p in mount.iterdir()], [".store.preparing"])
        subprocess.run(["mount", "-o", "remount,size=4m", str(mount)], check=True)  # now there is enough room
        self.prepare(out=mount / "store")
        self.assertEqual([p.name for p in mount.iterdir()], ["store"])
        self.prepare()
        self.assertEqual(self.contents(mount / "store"), self.contents(self.store))


class Killed(PrepareCase):
    def test_no_half_store_at_any_fail_point(self):
        self.prepare(out=self.dir / "other")
        for point in ("data.vocabulary", "data.chunk", "data.save", "data.before_manifest", "data.before_rename"):
            self.prepare(code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": point})
            self.assertFalse(self.store.exists(), point)
            self.run_longbow("inspect", "data", self.store, code=DATA)
            self.assertTrue(self.work_folder().exists())
        self.prepare()
        self.run_longbow("inspect", "data", self.store, "--verify")
        self.assertFalse(self.work_folder().exists())
        self.assertEqual(self.contents(self.store), self.contents(self.dir / "other"))

    def test_after_the_rename_it_is_whole(self):
        self.prepare(code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": "data.after_rename"})
        self.run_longbow("inspect", "data", self.store, "--verify")
        self.assertIn("kept", self.prepare())

    def test_overwrite_keeps_the_old_store_until_the_end(self):
        self.prepare()
        before = self.contents(self.store)
        self.prepare("--overwrite", "--documents", "line", code=-signal.SIGKILL,
                     env={"LONGBOW_FAILPOINT": "data.before_rename"})
        self.assertEqual(self.contents(self.store), before)

    def interrupt(self, point, *tokenizer):
        self.train = self.write("train.txt", corpus(1000000, 5))
        command = [LONGBOW, "prepare", "--tokenizer", *tokenizer, "--train", str(self.train), "--out"]
        process = subprocess.Popen([*command, str(self.store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, "LONGBOW_FAILPOINT": f"{point}=wait"})
        wait_for(lambda: process.poll() is not None or list(self.dir.glob(".store.preparing")))
        if point == "data.chunk":  # the vocabulary's file shows that encoding begins
            wait_for(lambda: process.poll() is not None or list(self.dir.glob(".store.preparing/store/dict.txt")))
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=PATIENCE)[1].decode()
        self.assertEqual(process.returncode, INTERRUPTED, error)
        self.assertIn("SIGINT", error)
        self.assertFalse(self.store.exists())
        first = subprocess.run([*command, str(self.store)], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(first.returncode, 0, first.stderr)
        subprocess.run([*command, str(self.dir / "at-once")], capture_output=True, check=True, timeout=PATIENCE)
        self.assertEqual(self.contents(self.store), self.contents(self.dir / "at-once"))
        return first.stderr

    def test_interrupt_while_encoding_goes_on_within_the_file(self):
        self.assertIn("continuing", self.interrupt("data.chunk", "word"))

    def test_interrupt_while_learning_begins_again(self):
        self.assertNotIn("continuing", self.interrupt("text.merge", "bpe", "--vocab-size", "2000"))

    def test_two_at_once(self):
        self.prepare(code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": "data.save"})
        holder = subprocess.Popen(["flock", "--no-fork", str(self.work_folder()), "sleep", "10000"])
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        wait_for(lambda: subprocess.run(["flock", "--nonblock", str(self.work_folder()), "true"]).returncode != 0,
                 "the lock")
        self.assertIn("another prepare", self.prepare(code=1))

    def test_overwriting_leaves_no_other_folder(self):
        self.prepare()
        self.prepare("--overwrite", "--documents", "line")
        self.prepare("--overwrite", code=-signal.SIGKILL, env={"LONGBOW_FAILPOINT": "data.after_rename"})
        self.prepare("--overwrite", "--documents", "line")
        self.assertEqual([p.name for p in self.dir.iterdir() if p.name.startswith(".")], [])


if __name__ == "__main__":
    unittest.main()
