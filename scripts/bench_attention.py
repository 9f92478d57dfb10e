"""Times Longbow's fused attention beside PyTorch's scaled_dot_product_attention in one process, in turn, with one
thread; the least time of the rounds counts.

There are two peers: SDPA with a dense ALiBi mask (the same function), and SDPA causal without any bias (less work, as
it has no ALiBi).
"""
import argparse
import json
import math
import pathlib
import time

import torch
import torch.nn.functional as F

LIBRARY = pathlib.Path(__file__).resolve().parents[1] / "build/release/liblongbow_ops.so"
# length, head_dim, batch * heads (8 heads)
SHAPES = ((64, 32, 256), (512, 64, 8), (1024, 64, 8), (2048, 64, 8), (4096, 64, 8))
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def contestants(q, k, v, slopes):
    length = q.shape[2]
    distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    mask = (-slopes[:, None, None] * distance).masked_fill(distance < 0, -math.inf)[None]
    fused = torch.ops.longbow.fused_attention
    return {
        "sdpa_mask": lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        "sdpa_causal": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        "fused": lambda: fused(q, k, v, slopes, skip_threshold=math.inf)[0],
        "fused_skip": lambda: fused(q, k, v, slopes)[0],
        "fused_none": lambda: fused(q, k, v)[0],
    }


def measure_shape(length, head_dim, rows, dtype, rounds):
    torch.manual_seed(1)
    heads = 8
    packed = torch.randn(rows // heads, length, 3, heads, head_dim).to(DTYPES[dtype])
    q, k, v = (part.transpose(1, 2).detach().requires_grad_() for part in packed.unbind(2))
    slopes = torch.tensor([2.0 ** (-8 * (i + 1) / heads) for i in range(heads)])
    runs = contestants(q, k, v, slopes)
    gradient = torch.randn(rows // heads, length, heads, head_dim).to(DTYPES[dtype]).transpose(1, 2)
    best = {name: [math.inf, math.inf] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            out = run()
            middle = time.perf_counter()
            torch.autograd.grad(out, (q, k, v), gradient)
            end = time.perf_counter()
            best[name] = [min(best[name][0], middle - start), min(best[name][1], end - middle)]
    visited = torch.ops.longbow.visited_fraction(q, k, slopes).mean().item()
    total = {name: sum(pair) for name, pair in best.items()}
    return {
        "dtype": dtype, "length": length, "head_dim": head_dim, "batch_heads": rows, "rounds": rounds,
        "visited_fraction": visited, "forward_ms": {name: 1e3 * pair[0] for name, pair in best.items()},
        "backward_ms": {name: 1e3 * pair[1] for name, pair in best.items()},
        "ratio_mask_without_skipping": total["sdpa_mask"] / total["fused"],
        "ratio_mask": total["sdpa_mask"] / total["fused_skip"],
        "ratio_causal_no_bias": total["sdpa_causal"] / total["fused_skip"],
        "ratio_causal_both_without_bias": total["sdpa_causal"] / total["fused_none"],
    }


def measure(rounds, lengths=None, dtypes=("fp32", "bf16"), report=None):
    torch.set_num_threads(1)
    torch.ops.load_library(str(LIBRARY))
    rows = []
    for dtype in dtypes:
        for length, head_dim, batch_heads in SHAPES:
            if lengths and length not in lengths:
                continue
            rows.append(measure_shape(length, head_dim, batch_heads, dtype, rounds))
            if report:
                report(rows[-1])
    return rows


def resident(field):
    for row in pathlib.Path("/proc/self/status").read_text().splitlines():
        if row.startswith(field):
            return 1024 * int(row.split()[1])
    raise RuntimeError(f"no {field} in /proc/self/status")


def measure_memory(length=16384, heads=8, head_dim=64):
    """Runs forward and backward in fp32 in this process. Compares its peak of resident memory, less that of before,
    with the bytes of q, k, v, the output and their four gradients."""
    torch.set_num_threads(1)
    torch.ops.load_library(str(LIBRARY))
    slopes = torch.tensor([2.0 ** (-8 * (i + 1) / heads) for i in range(heads)])

    def run(length):
        q, k, v = (torch.randn(1, heads, length, head_dim).requires_grad_() for _ in range(3))
        out = torch.ops.longbow.fused_attention(q, k, v, slopes)[0]
        return torch.autograd.grad(out, (q, k, v), torch.randn_like(out))

    run(256)  # the libraries' own memory, which is taken once
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = resident("VmRSS")
    run(length)
    tensors = 8 * heads * length * head_dim * 4
    return {"length": length, "dtype": "fp32", "peak_bytes": resident("VmHWM") - before, "tensor_bytes": tensors,
            "memory_ratio": (resident("VmHWM") - before) / tensors}


def memory_line(row):
    return (f"attention  memory {row['memory_ratio']:.2f} of q, k, v, the output and their gradients: "
            f"{row['peak_bytes'] / 1e6:.0f} of {row['tensor_bytes'] / 1e6:.0f} MB at length {row['length']}, forward "
            "and backward, fp32")


def line(row):
    forward, backward = row["forward_ms"], row["backward_ms"]
    return (f"attention  {row['ratio_mask']:5.2f}x SDPA with an ALiBi mask ({row['ratio_mask_without_skipping']:.2f}x "
            f"without skipping, {row['ratio_causal_no_bias']:.2f}x SDPA causal that has no bias): {row['dtype']}, "
            f"length {row['length']}, {row['batch_heads']} x {row['head_dim']}, forward {forward['fused_skip']:.2f} of "
            f"{forward['sdpa_mask']:.2f} ms, backward {backward['fused_skip']:.2f} of "
            f"{backward['sdpa_mask']:.2f} ms, visited {row['visited_fraction']:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=lambda text: [int(part) for part in text.split(",")])
    parser.add_argument("--dtypes", type=lambda text: text.split(","), default=list(DTYPES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory", action="store_true", help="only the memory at length 16,384")
    options = parser.parse_args()
    if options.memory:
        row = measure_memory()
        print(json.dumps(row) if options.json else memory_line(row))
        return
    measure(options.rounds, options.lengths, options.dtypes,
            lambda row: print(json.dumps(row) if options.json else line(row), flush=True))


if __name__ == "__main__":
    main()
