"""Runs the benchmarks that scripts/bench names and prints a ratio each: above 1, Longbow is faster."""
import argparse
import json
import pathlib
import platform
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def start(command):
    side = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if side.stdout.readline().strip() != "ready":
        raise SystemExit(f"error: {' '.join(command)} did not start")
    return side


def ask(side, question):
    print(question, file=side.stdin, flush=True)
    return float(side.stdout.readline())


def take_turns(commands, rounds, samples):
    """One step at a time on each side, in turn, so that all see the same load. Each side is a process of its own, so that neither's threads
    spin while the other works. Returns the processes, still running, and for each the least milliseconds of every round."""
    sides = [start(command) for command in commands]
    times = [[] for _ in sides]
    for _ in range(rounds):
        for side, kept in zip(sides, times):
            kept.append(min(ask(side, "step") for _ in range(samples)))
    return sides, times


def finish(sides):
    for side in sides:
        side.stdin.close()
        side.wait()


def train_against_eager(options, shape):
    """The least of each side's rounds counts."""
    import bench_step

    layers, dim, heads, ffn, batch, length = bench_step.SHAPES[shape]
    model = [f"model.layers={layers}", f"model.dim={dim}", f"model.heads={heads}", f"model.ffn_dim={ffn}", f"train.batch={batch}", f"train.length={length}"]
    program = [str(ROOT / "build/release/longbow"), "bench", "train", "-c", "configs/demo/alibi.yaml", *model, "--threads", str(options.threads), "--serve", "--quiet"]
    peer = [sys.executable, "-B", str(ROOT / "scripts/bench_step.py"), "--threads", str(options.threads), "--dropout", "0", "--shape", shape, "--serve"]
    sides, times = take_turns((program, peer), options.rounds, samples=3)
    finish(sides)
    ours, theirs = (min(kept) for kept in times)
    print(f"{'train' if shape == 'demo' else 'train-' + shape:<11}{theirs / ours:5.2f}x eager PyTorch: {ours:.1f} ms against {theirs:.1f} ms an update of "
          f"{batch} x {length} tokens ({layers} layers of width {dim}, fp32, {options.threads} threads, minima of {options.rounds} rounds)")
    return {"benchmark": "train", "shape": shape, "layers": layers, "dim": dim, "batch": batch, "length": length, "dtype": "fp32",
            "threads": options.threads, "longbow_ms": ours, "pytorch_eager_ms": theirs,
            "rounds": {"longbow_ms": times[0], "pytorch_eager_ms": times[1]}, "ratio": theirs / ours}


def bench_train(options):
    return train_against_eager(options, "demo")


def bench_train_long(options):
    return train_against_eager(options, "long")


def bench_adaptive(options):
    """Forward and backward of the adaptive softmax at the WikiText-103 size; memory beside weights and inputs, gradients included."""
    tool, threads = str(ROOT / "build/release/tests/adaptive_head"), ("--threads", str(options.threads))
    differences = json.loads(subprocess.run([tool, "compare", *threads], check=True, capture_output=True, text=True).stdout)
    sides, times = take_turns([[tool, side, *threads] for side in ("ours", "fairseq")], options.rounds, samples=1)
    memory = [ask(side, "memory") for side in sides]
    finish(sides)
    ours, theirs = (min(kept) for kept in times)
    worst = max(differences.values())
    print(f"adaptive   {theirs / ours:5.2f}x fairseq's in LibTorch: {ours:.0f} ms against {theirs:.0f} ms forward and backward of 2048 tokens over "
          f"267,744 words; memory {memory[0]:.0f} MiB against {memory[1]:.0f} MiB ({memory[0] / memory[1]:.2f}); gradients differ by {worst:.1e} at most "
          f"(fp32, {options.threads} threads, minima of {options.rounds} rounds)")
    return {"benchmark": "adaptive", "dtype": "fp32", "threads": options.threads, "longbow_ms": ours, "fairseq_libtorch_ms": theirs,
            "rounds": {"longbow_ms": times[0], "fairseq_libtorch_ms": times[1]}, "ratio": theirs / ours, "longbow_mib": memory[0],
            "fairseq_libtorch_mib": memory[1], "memory_ratio": memory[0] / memory[1], "gradient_difference": differences}


def bench_tokenizer(options):
    import bench_tokenizer as tokenizer

    row = tokenizer.measure(str(ROOT / "build/release/tests/tokenizer_tool"), passes=options.rounds)
    print(f"tokenizer  {row['ratio']:5.2f}x Hugging Face tokenizers: {row['bytes'] / row['longbow_seconds'] / 1e6:.1f} MB/s against "
          f"{row['bytes'] / row['tokenizers_seconds'] / 1e6:.1f} MB/s (byte-level BPE, one thread, ids equal: {row['ids_equal']})")
    return row


def bench_attention(options):
    import bench_attention as attention

    return {"benchmark": "attention", "rows": attention.measure(options.rounds, report=lambda row: print(attention.line(row), flush=True))}


def bench_prepare(options):
    import bench_prepare as prepare

    return prepare.measure(ROOT / "build/release/longbow", report=lambda line: print(f"prepare    {line}", flush=True))


def bench_ranks(options):
    """N processes of one thread beside one process of N threads: configs/demo/alibi.yaml, runs in turn; the best interval of each counts."""
    best = {}
    with tempfile.TemporaryDirectory(prefix="longbow-bench-") as folder:
        for turn in range(options.rounds):
            for nproc, threads in ((1, options.threads), (options.threads, 1)):
                run = pathlib.Path(folder) / f"{nproc}-{turn}"
                subprocess.run([str(ROOT / "build/release/longbow"), "train", "-c", str(ROOT / "configs/demo/alibi.yaml"), "--run-dir", str(run),
                                "--device", "cpu", "--nproc", str(nproc), "--threads", str(threads), "train.stop=25 updates",
                                "schedule.warmup=5 updates", "log.every=5 updates", "log.tensorboard=false", "eval.lengths=[64]",
                                "eval.valid_tokens=64"], check=True, capture_output=True, cwd=ROOT)
                rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
                rates = [row["timing"]["tokens_per_second"] for row in rows if row["event"] == "train" and row["update"] > 5]
                best[nproc] = max(best.get(nproc, 0), *rates)
    one, many = best[1], best[options.threads]
    print(f"ranks      {many / one:5.2f}x one process of {options.threads} threads: {many:.0f} tokens/s by {options.threads} processes of one thread "
          f"against {one:.0f} (demo model, Gloo, fp32, best intervals of {options.rounds} rounds)")
    return {"benchmark": "ranks", "processes": options.threads, "tokens_per_second": many, "one_process_tokens_per_second": one, "ratio": many / one}


BENCHMARKS = {"ranks": bench_ranks, "train": bench_train, "train-long": bench_train_long, "attention": bench_attention, "adaptive": bench_adaptive, "tokenizer": bench_tokenizer,
              "prepare": bench_prepare}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--threads", type=int, default=2, help="threads of either side's training step")
    parser.add_argument("--rounds", type=int, default=7, help="rounds; the least time counts")
    parser.add_argument("--out", default="build/bench.json")
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"unknown benchmark '{name}': choose from {', '.join(BENCHMARKS)}")
    rows = [BENCHMARKS[name](options) for name in options.names or BENCHMARKS]
    pathlib.Path(options.out).write_text(json.dumps({"cpu": cpu_name(), "results": rows}, indent=1) + "\n")
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
