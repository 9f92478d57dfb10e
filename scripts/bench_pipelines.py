"""Compares Longbow's rate of encoding with that of Hugging Face's `tokenizers`, one thread each, for the pipelines of
public models' tokenizer.json (tests/golden/hf) and the vocabulary of SmolLM2, on books and on code.

The golden files' vocabularies are tiny. So their pipelines get one that `tokenizers` learns here from the same books
and code, as large as Llama 2's. `tokenizers` counts in its faster form: the whole text, or its lines as a batch."""

import json
import os
import pathlib
import subprocess
import sysconfig
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

ROOT = pathlib.Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests/golden/hf"
VOCABULARY = 32_000
TARGETS = {True: 20.0, False: 8.0}  # byte-level or not
# Those of the other golden folders are the same as one of these.
FAMILIES = ("gpt2", "neox", "bloom_heads4", "falcon_7b_like", "llama3", "qwen2", "llama", "mistral")
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def code(size):
    """Sources of Python's standard library, about so many bytes of them."""
    text = []
    for file in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text.append(file.read_bytes().decode("utf-8", "ignore"))
        size -= len(text[-1])
        if size <= 0:
            break
    return "".join(text)


def is_byte_level(settings):
    return not settings["model"].get("byte_fallback")


def larger(settings, texts, vocabulary):
    """The same pipeline with a vocabulary of this size that is learnt from the texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    byte_level = is_byte_level(settings)
    learner = Tokenizer.from_str(json.dumps({**settings, "added_tokens": [], "post_processor": None}))
    learner.model = models.BPE()
    if not byte_level:  # whose text is one word: too long to learn from
        learner.normalizer, learner.pre_tokenizer = None, pre_tokenizers.Metaspace(prepend_scheme="always")
    special = [token["content"] for token in settings["added_tokens"]]
    learner.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special + ([] if byte_level else BYTES), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if byte_level else [], limit_alphabet=1000))
    model = json.loads(learner.to_str())["model"]
    added = [{**token, "id": model["vocab"][token["content"]]} for token in settings["added_tokens"]]
    return {**settings, "added_tokens": added, "post_processor": None,
            "model": {**settings["model"], "vocab": model["vocab"], "merges": model["merges"]}}


def compare(tool, file, text, rounds):
    """Seconds of each side, and whether the ids of the whole text are equal."""
    from tokenizers import Tokenizer

    theirs = Tokenizer.from_file(str(file))
    data = text.read_bytes().decode("utf-8")
    lines = data.splitlines(keepends=True)
    least = {"longbow": float("inf"), "tokenizers": float("inf")}
    for _ in range(rounds):
        answer = subprocess.run([tool, "time", "hf", file, text], check=True, capture_output=True, text=True).stdout
        least["longbow"] = min(least["longbow"], float(answer.split()[1]))
        start = time.perf_counter()
        ids = theirs.encode(data, add_special_tokens=False).ids
        whole = time.perf_counter() - start
        start = time.perf_counter()
        theirs.encode_batch_fast(lines, add_special_tokens=False)
        least["tokenizers"] = min(least["tokenizers"], whole, time.perf_counter() - start)
    stdin = b"%d\n%s" % (len(data.encode()), data.encode())
    found = subprocess.run([tool, "open", "hf", file], input=stdin, check=True, capture_output=True).stdout
    return least, ids == [int(each) for each in found.split()]


def measure(tool, files, texts, rounds=3, vocabulary=VOCABULARY, report=lambda row: None):
    """One row for each file of a pipeline ({name: (tokenizer.json, whether it gets a larger vocabulary)}) and text."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        written = {}
        for name, text in texts.items():
            written[name] = folder / f"{name}.txt"
            written[name].write_bytes(text.encode("utf-8"))
        for family, (path, grows) in files.items():
            settings = json.loads(path.read_text(encoding="utf-8"))
            if grows:
                settings = larger(settings, texts.values(), vocabulary)
            file = folder / f"{family}.json"
            file.write_text(json.dumps(settings), encoding="utf-8")
            for name, text in written.items():
                least, equal = compare(tool, file, text, rounds)
                rows.append({"pipeline": family, "text": name, "bytes": text.stat().st_size,
                             "vocab_size": len(settings["model"]["vocab"]),
                             "ratio": least["tokenizers"] / least["longbow"], "longbow_seconds": least["longbow"],
                             "tokenizers_seconds": least["tokenizers"], "ids_equal": equal,
                             "target": TARGETS[is_byte_level(settings)]})
                report(rows[-1])
    return rows


def line(row):
    rates = [row["bytes"] / row[f"{side}_seconds"] / 1e6 for side in ("longbow", "tokenizers")]
    return (f"public     {row['ratio']:5.1f}x tokenizers: {rates[0]:.1f} MB/s against {rates[1]:.1f} "
            f"({row['pipeline']}, {row['vocab_size']:,} tokens, {row['text']}, one thread, ids equal: "
            f"{row['ids_equal']}; target {row['target']:.0f}x)")
