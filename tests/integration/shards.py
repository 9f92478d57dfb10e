"""Writes text into many small files of every kind that `longbow prepare` reads, for its tests and its benchmark."""

import gzip
import json
import lzma
import random
import shutil
import subprocess

ENDINGS = [".txt", ".jsonl", ".txt.gz", ".jsonl.gz", ".txt.zst", ".jsonl.zst", ".txt.xz", ".jsonl.xz"]


def paragraphs(size, seed):
    """Returns paragraphs of about `size` bytes of generated text by Zipf's law, some words beyond ASCII."""
    rng = random.Random(seed)
    words = (["".join(rng.choice("etaoinshrdlucmfwypvbgk") for _ in range(rng.randint(1, 9))) for _ in range(20000)]
             + ["na\u00efve", "\u6771\u4eac", "\U0001f600"])
    weights = [1 / (rank + 3) for rank in range(len(words))]
    found, length = [], 0
    while length < size:
        found.append(" ".join(rng.choices(words, weights, k=rng.randint(10, 200))).capitalize() + ".")
        length += len(found[-1])
    return found


def compress(data, ending):
    if ending.endswith(".gz"):
        return gzip.compress(data, 1, mtime=0)
    if ending.endswith(".xz"):
        return lzma.compress(data, preset=0)
    if ending.endswith(".zst"):
        return subprocess.run(["zstd", "-q", "-1", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def write_shards(folder, count, size, pool, seed=1):
    """Writes `count` files of about `size` bytes of text each, with paragraphs drawn from `pool`: plain text and JSON
    lines, plain and compressed, in turn (no .zst if the zstd program is missing). Returns their paths and the bytes of
    their text."""
    rng = random.Random(seed)
    endings = [e for e in ENDINGS if not e.endswith(".zst") or shutil.which("zstd")]
    folder.mkdir(parents=True, exist_ok=True)
    paths, text_bytes = [], 0
    for i in range(count):
        chosen, length = [], 0
        while length < size:
            chosen.append(pool[rng.randrange(len(pool))])
            length += len(chosen[-1].encode()) + 2
        ending = endings[i % len(endings)]
        if ".jsonl" in ending:
            documents = ["\n\n".join(chosen[k:k + 4]) for k in range(0, len(chosen), 4)]
            data = "".join(json.dumps({"id": k, "text": text}, ensure_ascii=bool(k % 2)) + "\n"
                           for k, text in enumerate(documents)).encode()
            text_bytes += sum(len(text.encode()) for text in documents)
        else:
            data = ("\n\n".join(chosen) + "\n").encode()
            text_bytes += len(data)
        paths.append(folder / f"shard-{i:04}{ending}")
        paths[-1].write_bytes(compress(data, ending))
    return paths, text_bytes
