#!/usr/bin/env python3
"""Compares Longbow's rate of byte-level BPE encoding with that of Hugging Face's `tokenizers`, both with one thread and
the same vocabulary, in one run.

The text is the Austen corpus if data/corpora/austen (or --text FILE) has it, otherwise English-like text made here.
Passes alternate, and the best of each side counts. `tokenizers` runs in its faster form: the whole text at once, or its
paragraphs as a batch.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def english_like(size, seed=1):
    """Returns words by Zipf's law, so that a few thousand of them cover most of the text, as in a book."""
    rng = random.Random(seed)
    words = ["".join(rng.choice("etaoinshrdlucmfwypvbgk") for _ in range(rng.randint(1, 9))) for _ in range(20_000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    text, length = [], 0
    while length < size:
        line = " ".join(rng.choices(words, weights, k=rng.randint(20, 120))) + ".\n\n"
        text.append(line.capitalize())
        length += len(line)
    return "".join(text)


def measure(tool, text=None, vocab_size=2048, passes=5):
    """Returns a dictionary: bytes, tokens, seconds of each side, ratio (theirs over ours; above 1, Longbow is faster),
    whether the ids are equal."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer, models, pre_tokenizers

    corpus = ROOT / "data/corpora/austen/train.txt"
    if text is None and corpus.exists():
        text = corpus
    source = str(text) if text else "English-like text"
    data = pathlib.Path(text).read_bytes().decode("utf-8") if text else english_like(3_000_000)
    with tempfile.TemporaryDirectory() as folder:
        path, model = pathlib.Path(folder, "text"), pathlib.Path(folder, "model")
        path.write_bytes(data.encode("utf-8"))
        subprocess.run([tool, "train", "bpe", str(vocab_size), model, "1", path], check=True)
        theirs = Tokenizer(models.BPE.from_file(str(model / "vocab.json"), str(model / "merges.txt")))
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        paragraphs = data.split("\n")
        ours_best = whole_best = batch_best = float("inf")
        for _ in range(passes):
            tokens, seconds = subprocess.run([tool, "time", model, path], check=True, capture_output=True,
                                             text=True).stdout.split()
            ours_best = min(ours_best, float(seconds))
            start = time.perf_counter()
            ids = theirs.encode(data).ids
            whole_best = min(whole_best, time.perf_counter() - start)
            start = time.perf_counter()
            theirs.encode_batch_fast(paragraphs)
            batch_best = min(batch_best, time.perf_counter() - start)
        stdin = str(len(data.encode("utf-8"))).encode() + b"\n" + data.encode("utf-8")
        found = subprocess.run([tool, "load", model], input=stdin, check=True, capture_output=True).stdout
    best = min(whole_best, batch_best)
    return {
        "benchmark": "tokenizer_encode", "text": source, "bytes": len(data.encode("utf-8")), "tokens": int(tokens),
        "vocab_size": vocab_size, "threads": 1, "longbow_seconds": ours_best, "tokenizers_seconds": best,
        "tokenizers_whole_seconds": whole_best, "tokenizers_batch_seconds": batch_best, "ratio": best / ours_best,
        "ids_equal": ids == [int(i) for i in found.split()],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=str(ROOT / "build/release/tests/tokenizer_tool"),
                        help="the build's tokenizer_tool")
    parser.add_argument("--text", help="UTF-8 text to encode (default: the Austen corpus)")
    parser.add_argument("--vocab-size", type=int, default=2048,
                        help="tokens of the vocabulary that is trained on the text")
    parser.add_argument("--json", action="store_true", help="only one line of JSON")
    options = parser.parse_args()
    result = measure(options.tool, options.text, options.vocab_size)
    if not options.json:
        rate = {side: result["bytes"] / result[f"{side}_seconds"] / 1e6 for side in ("longbow", "tokenizers")}
        print(f"bpe encode, one thread, {result['bytes']:,} bytes of {result['text']}: longbow {rate['longbow']:.1f} "
              f"MB/s, tokenizers {rate['tokenizers']:.1f} MB/s, ratio {result['ratio']:.1f}, ids "
              f"{'equal' if result['ids_equal'] else 'DIFFER'}")
    print(json.dumps(result))
    return 0 if result["ids_equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
