"""Makes the text and the token stores on which scripts/gpu_check trains.

    stores.py LONGBOW FOLDER
"""
import itertools
import pathlib
import random
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]

SMALL, LARGE = "small", "large"  # names of the stores
SMALL_VOCABULARY = 512
LARGE_VOCABULARY = 50257  # GPT-2's, so that a model of its shape has its size
LARGE_TOKENS = 600_000    # the step of 124M parameters sees 32,768 an update
WORDS_A_LINE = 16


def large_text(folder):
    """Writes a dictionary of words and text of them, in which a word's frequency falls with its rank as in any text."""
    special = 4  # fairseq's dictionary begins with four symbols of its own
    words = [f"w{rank}" for rank in range(LARGE_VOCABULARY - special)]
    (folder / "dict.txt").write_text("".join(f"{word} {len(words) - rank}\n" for rank, word in enumerate(words)))
    generator = random.Random(1)
    cumulative = list(itertools.accumulate(1.0 / (rank + 10) for rank in range(len(words))))
    for split, tokens in (("train", LARGE_TOKENS), ("valid", LARGE_TOKENS // 50)):
        drawn = generator.choices(words, cum_weights=cumulative, k=tokens)
        lines = (" ".join(drawn[begin:begin + WORDS_A_LINE]) for begin in range(0, tokens, WORDS_A_LINE))
        (folder / f"{split}.txt").write_text("\n".join(lines) + "\n")


def prepare(program, store, *arguments):
    subprocess.run([program, "prepare", "--quiet", "--out", store, *arguments], stdin=subprocess.DEVNULL, check=True)


def make_stores(program, folder):
    """Makes both stores in a new folder: the small one of the project's own pages, the large one of generated text."""
    folder = pathlib.Path(folder)
    text = folder / "text"
    text.mkdir(parents=True)
    pages = sorted((SOURCE / "docs").glob("*.md"))
    prepare(program, folder / SMALL, "--tokenizer", "bpe", "--vocab-size", str(SMALL_VOCABULARY), "--train", *pages,
            "--valid", SOURCE / "README.md", SOURCE / "ARCHITECTURE.md")
    large_text(text)
    prepare(program, folder / LARGE, "--tokenizer", f"word:{text / 'dict.txt'}", "--train", text / "train.txt",
            "--valid", text / "valid.txt")
    for path in text.iterdir():
        path.unlink()
    text.rmdir()


if __name__ == "__main__":
    make_stores(sys.argv[1], sys.argv[2])
