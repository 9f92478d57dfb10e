"""Runs the benchmarks that scripts/bench names and prints a ratio each: above 1, Longbow is faster."""
import argparse
import json
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def bench_train(options):
    """One update at a time on either side, in turn, so that both see the same load; the least of each counts."""
    import bench_step

    program = [str(ROOT / "build/release/longbow"), "bench", "train", "-c", "configs/demo/alibi.yaml", "--threads", str(options.threads), "--serve", "--quiet"]
    # Each side in a process of its own: neither's threads spin while the other works.
    peer = [sys.executable, "-B", str(ROOT / "scripts/bench_step.py"), "--threads", str(options.threads), "--dropout", "0", "--serve"]
    sides = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in (program, peer)]
    for side in sides:
        if side.stdout.readline().strip() != "ready":
            raise SystemExit(f"error: {' '.join(side.args)} did not start")
    times = ([], [])
    for _ in range(options.rounds):
        for side, kept in zip(sides, times):
            samples = []
            for _ in range(3):
                print("step", file=side.stdin, flush=True)
                samples.append(float(side.stdout.readline()))
            kept.append(min(samples))
    for side in sides:
        side.stdin.close()
        side.wait()
    ours, theirs = (min(kept) for kept in times)
    tokens = bench_step.BATCH * bench_step.LENGTH
    print(f"train      {theirs / ours:5.2f}x eager PyTorch: {ours:.1f} ms against {theirs:.1f} ms an update of {tokens} tokens "
          f"(fp32, {options.threads} threads, minima of {options.rounds} rounds)")
    return {"benchmark": "train", "config": "configs/demo/alibi.yaml", "dtype": "fp32", "threads": options.threads, "longbow_ms": ours,
            "pytorch_eager_ms": theirs, "rounds": {"longbow_ms": times[0], "pytorch_eager_ms": times[1]}, "ratio": theirs / ours}


def bench_tokenizer(options):
    import bench_tokenizer as tokenizer

    row = tokenizer.measure(str(ROOT / "build/release/tests/tokenizer_tool"), passes=options.rounds)
    print(f"tokenizer  {row['ratio']:5.2f}x Hugging Face tokenizers: {row['bytes'] / row['longbow_seconds'] / 1e6:.1f} MB/s against "
          f"{row['bytes'] / row['tokenizers_seconds'] / 1e6:.1f} MB/s (byte-level BPE, one thread, ids equal: {row['ids_equal']})")
    return row


def bench_attention(options):
    import bench_attention as attention

    return {"benchmark": "attention", "rows": attention.measure(options.rounds, report=lambda row: print(attention.line(row), flush=True))}


BENCHMARKS = {"train": bench_train, "attention": bench_attention, "tokenizer": bench_tokenizer}


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
