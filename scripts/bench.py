"""Runs the benchmarks that scripts/bench names and prints a ratio for each; above 1, Longbow is faster."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

import bench_public as public
from bench_turns import Unavailable, ask, finish, sample, start, take_turns

ROOT = pathlib.Path(__file__).resolve().parents[1]

def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def commit():
    """Returns the checkout's commit, marked if there are changes that no commit holds."""
    answer = subprocess.run(["git", "describe", "--always", "--abbrev=12", "--dirty=-changed", "--exclude=*"], cwd=ROOT,
                            capture_output=True, text=True)
    return answer.stdout.strip() or "unknown"


PEERS = {"pytorch_eager": [], "pytorch_compiled": ["--compile"]}
PEER_NAMES = {"pytorch_eager": "eager PyTorch", "pytorch_compiled": "torch.compile"}


def train_against_peers(options, shape, dtype):
    """The least time of each side's rounds counts. The ratio is that to the faster peer."""
    import bench_step

    layers, dim, heads, ffn, batch, length = bench_step.SHAPES[shape]
    model = [f"model.layers={layers}", f"model.dim={dim}", f"model.heads={heads}", f"model.ffn_dim={ffn}",
             f"train.batch={batch}", f"train.length={length}", f"train.dtype={dtype}"]
    program = [str(ROOT / "build/release/longbow"), "bench", "train", "-c", "configs/demo/alibi.yaml", *model,
               "--threads", str(options.threads), "--serve", "--quiet"]
    peer = [sys.executable, "-B", str(ROOT / "scripts/bench_step.py"), "--threads", str(options.threads),
            "--dropout", "0", "--shape", shape, "--dtype", dtype, "--serve"]
    name = "train" if shape == "demo" else f"train-{shape}"
    sides, absent = {"longbow": start(program)}, {}
    for which, flags in PEERS.items():
        try:
            sides[which] = start([*peer, *flags])
        except Unavailable as reason:
            absent[which] = str(reason)
    processes, times = sample(list(sides.values()), options.rounds, samples=3)
    finish(processes)
    kept = dict(zip(sides, times))
    least = {side: min(rounds) for side, rounds in kept.items()}
    ours = least["longbow"]
    faster = min((side for side in least if side != "longbow"), key=least.get)
    beside = ", ".join(f"{PEER_NAMES[side]} {least[side]:.1f} ms ({least[side] / ours:.2f}x)"
                       for side in PEERS if side in least)
    print(f"{name:<11}{least[faster] / ours:5.2f}x the faster peer, {PEER_NAMES[faster]}: {ours:.1f} ms an update of "
          f"{batch} x {length} tokens, {beside} ({layers} layers of width {dim}, {dtype}, {options.threads} threads, "
          f"minima of {options.rounds} rounds)", flush=True)
    for which, reason in absent.items():
        print(f"{name:<11}{PEER_NAMES[which]} is not measured, since it cannot compile here: {reason}", flush=True)
    row = {"benchmark": name, "shape": shape, "layers": layers, "dim": dim, "batch": batch, "length": length,
           "dtype": dtype, "threads": options.threads, "ratio": least[faster] / ours, "faster_peer": faster}
    for side in ("longbow", *PEERS):
        row[f"{side}_ms"] = least.get(side)
        row[f"{side}_tokens_per_second"] = 1e3 * batch * length / least[side] if side in least else None
    if absent:
        row["not_measured"] = absent
    return {**row, "rounds": {f"{side}_ms": rounds for side, rounds in kept.items()}}


def bench_train(options):
    return [train_against_peers(options, "demo", dtype) for dtype in ("fp32", "bf16")]


def bench_train_long(options):
    return [train_against_peers(options, "long", dtype) for dtype in ("fp32", "bf16")]


def bench_adaptive(options):
    """Times forward and backward of the adaptive softmax at the WikiText-103 size. The memory is counted beyond weights
    and inputs and includes the gradients."""
    tool, threads = str(ROOT / "build/release/tests/adaptive_head"), ("--threads", str(options.threads))
    differences = json.loads(subprocess.run([tool, "compare", *threads], check=True, capture_output=True,
                                            text=True).stdout)
    sides, times = take_turns([[tool, side, *threads] for side in ("ours", "fairseq")], options.rounds, samples=1)
    memory = [ask(side, "memory") for side in sides]
    finish(sides)
    ours, theirs = (min(kept) for kept in times)
    worst = max(differences.values())
    print(f"adaptive   {theirs / ours:5.2f}x fairseq's in LibTorch: {ours:.0f} ms against {theirs:.0f} ms forward "
          f"and backward of 2048 tokens over 267,744 words; memory {memory[0]:.0f} MiB against {memory[1]:.0f} MiB "
          f"({memory[0] / memory[1]:.2f}); gradients differ by {worst:.1e} at most (fp32, {options.threads} threads, "
          f"minima of {options.rounds} rounds)")
    return {"benchmark": "adaptive", "dtype": "fp32", "threads": options.threads, "longbow_ms": ours,
            "fairseq_libtorch_ms": theirs, "rounds": {"longbow_ms": times[0], "fairseq_libtorch_ms": times[1]},
            "ratio": theirs / ours, "longbow_mib": memory[0], "fairseq_libtorch_mib": memory[1],
            "memory_ratio": memory[0] / memory[1], "gradient_difference": differences}


def bench_tokenizer(options):
    import bench_tokenizer as tokenizer

    row = tokenizer.measure(str(ROOT / "build/release/tests/tokenizer_tool"), passes=options.rounds)
    print(f"tokenizer  {row['ratio']:5.2f}x Hugging Face tokenizers: {row['bytes'] / row['longbow_seconds'] / 1e6:.1f} "
          f"MB/s against {row['bytes'] / row['tokenizers_seconds'] / 1e6:.1f} MB/s (byte-level BPE, one thread, ids "
          f"equal: {row['ids_equal']})")
    return row


def bench_attention(options):
    import bench_attention as attention

    rows = attention.measure(options.rounds, report=lambda row: print(attention.line(row), flush=True))
    # This runs in a process of its own, whose memory no earlier measurement has enlarged.
    answer = subprocess.run([sys.executable, "-B", attention.__file__, "--memory", "--json"], check=True,
                            capture_output=True, text=True)
    memory = json.loads(answer.stdout)
    print(attention.memory_line(memory), flush=True)
    return {"benchmark": "attention", "rows": rows, "memory": memory}


def bench_prepare(options):
    import bench_prepare as prepare

    return prepare.measure(ROOT / "build/release/longbow", report=lambda line: print(f"prepare    {line}", flush=True))


def bench_ranks(options):
    """Compares N processes of one thread with one process of N threads: configs/demo/alibi.yaml, runs in turn; the best
    interval of each counts."""
    best = {}
    with tempfile.TemporaryDirectory(prefix="longbow-bench-") as folder:
        for turn in range(options.rounds):
            for nproc, threads in ((1, options.threads), (options.threads, 1)):
                run = pathlib.Path(folder) / f"{nproc}-{turn}"
                subprocess.run([str(ROOT / "build/release/longbow"), "train",
                                "-c", str(ROOT / "configs/demo/alibi.yaml"), "--run-dir", str(run), "--device", "cpu",
                                "--nproc", str(nproc), "--threads", str(threads), "train.stop=25 updates",
                                "schedule.warmup=5 updates", "log.every=5 updates", "log.tensorboard=false",
                                "eval.lengths=[64]", "eval.valid_tokens=64"], check=True, capture_output=True, cwd=ROOT)
                rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
                rates = [row["timing"]["tokens_per_second"]
                         for row in rows if row["event"] == "train" and row["update"] > 5]
                best[nproc] = max(best.get(nproc, 0), *rates)
    one, many = best[1], best[options.threads]
    print(f"ranks      {many / one:5.2f}x one process of {options.threads} threads: {many:.0f} tokens/s by "
          f"{options.threads} processes of one thread against {one:.0f} (demo model, Gloo, fp32, best intervals of "
          f"{options.rounds} rounds)")
    return {"benchmark": "ranks", "processes": options.threads, "tokens_per_second": many,
            "one_process_tokens_per_second": one, "ratio": many / one}


def bench_eval_long(options):
    """Compares evaluation at 16,384 tokens of two models with 8 layers of width 512, trained a little like the demo's:
    ALiBi with the fused operator, ALiBi with SDPA, and sinusoidal positions with the fused operator. They run in turn,
    and the best time of each counts. "Visited" is the share of blocks that are not skipped."""
    program, store, length = str(ROOT / "build/release/longbow"), "data/corpora/austen/store", 16384
    models = ROOT / "build/bench"
    for method in ("alibi", "sinusoidal"):
        subprocess.run([program, "train", "-c", f"configs/demo/{method}.yaml",
                        "--run-dir", str(models / f"eval-long-{method}"), "--quiet", "--threads", str(options.threads),
                        "model.layers=8", "model.dim=512", "model.heads=8", "model.ffn_dim=2048",
                        "train.stop=100 updates", "schedule.warmup=20 updates", "optim.lr=1e-3", "eval.lengths=[64]",
                        "eval.valid_tokens=64", "log.tensorboard=false"], check=True, cwd=ROOT)
    rates, losses, visited = {}, {}, None
    with tempfile.TemporaryDirectory(prefix="longbow-bench-") as folder:
        for _ in range(options.rounds):
            for method, backend in (("alibi", "fused"), ("alibi", "sdpa"), ("sinusoidal", "fused")):
                answer = subprocess.run([program, "eval", str(models / f"eval-long-{method}"),
                                         "--data", store, "--lengths", str(length), "--attention", backend,
                                         "--max-stream-tokens", str(length), "--threads", str(options.threads),
                                         "--out", f"{folder}/results.jsonl", "--again", "--json", "--quiet"],
                                        check=True, capture_output=True, text=True, cwd=ROOT)
                row = json.loads(answer.stdout)
                rates[method, backend] = max(rates.get((method, backend), 0), row["tokens_per_second"])
                losses[method, backend] = row["nll"]
                visited = row.get("visited_fraction", visited) if method == "alibi" and backend == "fused" else visited
    ours, sdpa, sinusoidal = rates["alibi", "fused"], rates["alibi", "sdpa"], rates["sinusoidal", "fused"]
    difference = abs(losses["alibi", "fused"] - losses["alibi", "sdpa"])
    print(f"eval-long  {ours / sdpa:5.2f}x SDPA, {ours / sinusoidal:5.2f}x sinusoidal: {ours:.0f} tokens/s against "
          f"{sdpa:.0f} and {sinusoidal:.0f} at {length:,} tokens (8 layers of width 512, fp32, {options.threads} "
          f"threads, visited {visited:.3f}; losses differ by {difference:.1e})")
    return {"benchmark": "eval-long", "length": length, "tokens_per_second": ours,
            "sdpa_tokens_per_second": sdpa, "sinusoidal_tokens_per_second": sinusoidal, "ratio_sdpa": ours / sdpa,
            "ratio_sinusoidal": ours / sinusoidal, "visited_fraction": visited, "nll_difference": difference}


def bench_checkpoint(options):
    """Measures what a checkpoint costs a run with 8 layers of width 512: runs that save every tenth update alternate
    with runs that save only the first and the last. The median update of each counts, and from it the share of time at
    the default interval of ten minutes."""
    every, updates, default_seconds = 10, 40, 600.0
    seconds, sizes = {}, []
    with tempfile.TemporaryDirectory(prefix="longbow-bench-") as folder:
        for turn in range(options.rounds):
            for interval in (every, 0):
                run = pathlib.Path(folder) / f"{interval}-{turn}"
                subprocess.run([str(ROOT / "build/release/longbow"), "train",
                                "-c", "configs/demo/alibi.yaml", "--run-dir", str(run), "--device", "cpu",
                                "--threads", str(options.threads), "model.layers=8", "model.dim=512", "model.heads=8",
                                "model.ffn_dim=2048", "train.batch=8", f"train.stop={updates} updates",
                                "schedule.warmup=5 updates", f"log.every={every} updates", "log.tensorboard=false",
                                f"checkpoint.every={interval} updates", "data.valid=null"], check=True,
                               capture_output=True, cwd=ROOT)
                rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
                marks = [row["timing"]["seconds"] for row in rows if row["event"] == "train"]
                seconds.setdefault(interval, []).extend(b - a for a, b in zip(marks, marks[1:]))
                sizes.append(sum(file.stat().st_size for file in (run / "checkpoints/last").resolve().iterdir()))
                shutil.rmtree(run)
    saving, none = statistics.median(seconds[every]), statistics.median(seconds[0])
    cost = saving - none
    print(f"checkpoint {100 * cost / default_seconds:5.2f} % of the time at the default interval of 10 min: {cost:.2f} "
          f"s for each of {sizes[0] / 1e6:.0f} MB, written while training goes on ({every} updates took {saving:.2f} s "
          f"with one, {none:.2f} s without; {options.threads} threads)")
    return {"benchmark": "checkpoint", "megabytes": sizes[0] / 1e6, "seconds_each": cost,
            "interval_seconds": default_seconds, "share": cost / default_seconds}


BENCHMARKS = {"ranks": bench_ranks, "train": bench_train, "train-long": bench_train_long, "eval-long": bench_eval_long,
              "checkpoint": bench_checkpoint, "attention": bench_attention, "adaptive": bench_adaptive,
              "tokenizer": bench_tokenizer, "prepare": bench_prepare, "public-eval": public.bench_eval,
              "public-llamacpp": public.bench_llamacpp, "public-tokenizers": public.bench_tokenizers,
              "public-import": public.bench_import}
# A name that stands for others.
GROUPS = {"public": [name for name in BENCHMARKS if name.startswith("public-")]}
# The build's targets that a benchmark runs; those not listed run the program.
TARGETS = {"attention": ["longbow_ops"], "adaptive": ["adaptive_head"], "tokenizer": ["tokenizer_tool"],
           "public-tokenizers": ["longbow", "tokenizer_tool"]}
PACKAGES = {"train": "bench", "train-long": "bench", "tokenizer": "tests", "public-eval": "tests",
            "public-llamacpp": "tests", "public-tokenizers": "tests"}  # groups of scripts/setup


def needs(names):
    """Returns two lines for scripts/bench: the build's targets, and the groups of packages."""
    targets = sorted({target for name in names for target in TARGETS.get(name, ["longbow"])})
    return " ".join(targets) + "\n" + " ".join(sorted({PACKAGES[name] for name in names if name in PACKAGES}))


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"which: {', '.join([*BENCHMARKS, *GROUPS])} (default: all)")
    parser.add_argument("--threads", type=int, default=2, help="threads of either side's training step")
    parser.add_argument("--rounds", type=int, default=7, help="rounds; the least time counts")
    parser.add_argument("--out", default="build/bench.json")
    parser.add_argument("--gguf", help="public: the model's file; default: SmolLM2-135M-Instruct from PyPI")
    parser.add_argument("--llama-perplexity", metavar="FILE",
                        help="public-llamacpp: llama.cpp's tool; default: built in the cache from llama-cpp-python")
    parser.add_argument("--docs", action="store_true", help="also write the results into docs/benchmarks.md")
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHMARKS and name not in GROUPS:
            parser.error(f"unknown benchmark '{name}': choose from {', '.join([*BENCHMARKS, *GROUPS])}")
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds need a number above 0")
    named = [one for name in options.names for one in GROUPS.get(name, [name])]
    options.names = list(dict.fromkeys(named)) or list(BENCHMARKS)
    return options


def main():
    options = parse()
    if options.needs:
        print(needs(options.names))
        return
    rows = []
    for name in options.names:
        found = BENCHMARKS[name](options)
        rows += found if isinstance(found, list) else [found]
    report = {"date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(), "commit": commit(),
              "cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)), "results": rows}
    out = pathlib.Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {out}")
    if options.docs:
        import bench_docs

        page = ROOT / "docs/benchmarks.md"
        page.write_text(bench_docs.added(page.read_text(), report))
        print(f"written: {page}")


if __name__ == "__main__":
    main()
