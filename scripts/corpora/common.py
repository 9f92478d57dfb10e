"""What the corpus scripts share: errors, checksums, files that appear complete or not at all, and reading of compressed
text."""
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



def corpora_folder():
    """Returns data/corpora of the checkout. What is installed with longbow writes into the cache, in which the paths of
    the installed configurations begin."""
    top = Path(__file__).resolve().parents[2]
    if not (top / "CMakeLists.txt").is_file():
        top = Path(os.environ.get("LONGBOW_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "longbow"))
    return top / "data/corpora"


CORPORA = corpora_folder()


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
    """Opens a binary file that gets its name only when everything is written."""
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
    """Puts the file under another name: as a hard link if the file system allows it, otherwise as a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(source):
        return
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            # Links the file itself: a symbolic link of a download cache would point nowhere from here.
            os.link(os.path.realpath(source), part)
        except OSError:
            shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


class HashingFile:
    """Reads a file and keeps the SHA-256 of what was read."""

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
    """Opens the uncompressed bytes of a .gz, .xz, .zst or plain file, read through `source` (a HashingFile)."""
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
    """Uses the program zstd, because Python's standard library cannot read the format before 3.14."""
    if shutil.which("zstd") is None:
        raise CorpusError(f"{path} needs the program zstd (Debian: apt-get install zstd)")
    with subprocess.Popen(["zstd", "-dcq", "--", str(path)], stdout=subprocess.PIPE) as process:
        yield process.stdout
        process.stdout.close()
        if process.wait() != 0:
            raise CorpusError(f"{path} is damaged: zstd could not unpack it")
    while source.read(1 << 20):  # reads the rest for its checksum
        pass


def lines_of(file, block=1 << 20):
    """Yields the lines, without their ends, of a file that can only read()."""
    begun = []  # the unfinished line, in pieces
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
    """Calls main() and turns errors that a user can correct into one line and exit status 1."""
    try:
        main()
    except (CorpusError, OSError) as error:
        print(f"error: {name}: {error}", file=sys.stderr)
        sys.exit(1)
