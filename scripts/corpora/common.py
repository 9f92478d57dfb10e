"""What the corpus scripts share: errors, checksums, files that appear whole or not at all, and opening compressed text."""
import contextlib
import gzip
import hashlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

CORPORA = Path(__file__).resolve().parents[2] / "data/corpora"


class CorpusError(Exception):
    pass


def say(text):
    print(text, file=sys.stderr)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def writing(path, opener=open):
    """A binary file that gets its name when everything is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with opener(part, "wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path, value):
    with writing(path) as file:
        file.write((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def place(source, target):
    """The file under another name: a link where the file system allows it, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(source):
        return
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            os.link(os.path.realpath(source), part)  # a link to a link (a download cache's) would point nowhere from here
        except OSError:
            shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


class HashingFile:
    """Reads a file and knows the SHA-256 of what was read."""

    def __init__(self, path):
        self.file, self.digest = open(path, "rb"), hashlib.sha256()

    def read(self, size=-1):
        block = self.file.read(size)
        self.digest.update(block)
        return block

    def readable(self):
        return True

    def seekable(self):
        return False

    def close(self):
        self.file.close()


@contextlib.contextmanager
def reading(path, source):
    """The uncompressed bytes of a .gz, .xz, .zst or plain file, through `source` (a HashingFile)."""
    try:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=source) as file:
                yield file
        elif path.suffix == ".xz":
            with lzma.LZMAFile(source) as file:
                yield file
        elif path.suffix == ".zst":
            with zstd(path, source) as file:
                yield file
        else:
            yield source
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path} is damaged: {error}; get it again") from error


@contextlib.contextmanager
def zstd(path, source):
    """Through the program zstd: Python's standard library cannot read the format before 3.14."""
    if shutil.which("zstd") is None:
        raise CorpusError(f"{path} needs the program zstd (Debian: apt-get install zstd)")
    with subprocess.Popen(["zstd", "-dcq", "--", str(path)], stdout=subprocess.PIPE) as process:
        yield process.stdout
        process.stdout.close()
        if process.wait() != 0:
            raise CorpusError(f"{path} is damaged: zstd could not unpack it")
    while source.read(1 << 20):  # for its checksum
        pass


def lines_of(file, block=1 << 20):
    """Lines without their ends, of a file that can only read()."""
    begun = []  # the line that is not at its end yet, in pieces
    while data := file.read(block):
        *lines, rest = data.split(b"\n")
        if lines:
            yield b"".join(begun) + lines[0]
            yield from lines[1:]
            begun = []
        begun.append(rest)
    if any(begun):
        yield b"".join(begun)


def run(name, main):
    """Calls main() and turns what a user can mend into one line and exit status 1."""
    try:
        main()
    except (CorpusError, OSError) as error:
        print(f"error: {name}: {error}", file=sys.stderr)
        sys.exit(1)
