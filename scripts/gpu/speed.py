"""Measures how fast the fused operator is on this GPU beside PyTorch's attention: bf16, causal, 16 heads of 64 or 8 of
128, forward and backward.

    speed.py LIBRARY --rows FILE [--flex] [--device cuda|cpu]

TFLOP/s count half of the square, including skipped blocks. With --flex it measures FlexAttention, which compiles for
each shape, and nothing else. With --device cpu it only shows that this script works.
"""
import argparse
import json
import math
import time

import torch

LENGTHS = (1024, 2048, 4096, 8192, 16384)
TOKENS = 16384  # batch x length
WIDTH = 1024    # heads x head size
ROUNDS, LEAST_CALLS, ROUND_MS = 5, 10, 20.0
WARM_SECONDS = 1.0
AHEAD_CYCLES = 20_000_000  # about 10 ms for which the GPU waits while the calls are queued


def on_gpu(call):
    """Returns the milliseconds of a call by the GPU's own clock, as the least of some rounds. A round is many calls
    between two events, queued while the GPU is busy: single calls on an idle GPU would measure Python and launches."""
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)

    def round_of(calls):
        torch.cuda._sleep(AHEAD_CYCLES)
        start.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    for _ in range(3):
        call()
    calls = max(LEAST_CALLS, math.ceil(ROUND_MS / max(round_of(LEAST_CALLS), 1e-3)))
    return min(round_of(calls) for _ in range(ROUNDS))


def on_cpu(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def warm(device):
    """Keeps a GPU busy until its clocks are up; returns the rate of a large bf16 product."""
    if device == "cpu":
        return None
    size = 8192
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    end = time.monotonic() + WARM_SECONDS
    while time.monotonic() < end:
        for _ in range(10):
            a @ b
        torch.cuda.synchronize()
    return 2 * size**3 / on_gpu(lambda: a @ b) / 1e9


def longbow(q, k, v, slopes, threshold=-1.0):
    return torch.ops.longbow.fused_attention(q, k, v, slopes, skip_threshold=threshold)[0]


def sdpa(backend, mask=None):
    from torch.nn.attention import sdpa_kernel

    def call(q, k, v):
        with sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)

    return call


def alibi_mask(slopes, length, dtype):
    """Makes the mask a head at a time: 16 heads of 16,384 x 16,384 in fp32 would need 17 GB on the way."""
    position = torch.arange(length, device=slopes.device, dtype=torch.float32)
    distance = position[:, None] - position[None, :]
    mask = torch.empty((1, len(slopes), length, length), device=slopes.device, dtype=dtype)
    for head, slope in enumerate(slopes):
        mask[0, head] = torch.where(distance < 0, -math.inf, -slope * distance)
    return mask


def flex(slopes, length):
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    compiled = torch.compile(flex_attention)
    blocks = create_block_mask(lambda b, h, i, j: i >= j, None, None, length, length, device=slopes.device)
    return lambda q, k, v: compiled(q, k, v, score_mod=lambda s, b, h, i, j: s - slopes[h] * (i - j), block_mask=blocks)


def flash_attn(slopes):
    from flash_attn import flash_attn_func

    def call(q, k, v):
        rows = (t.transpose(1, 2) for t in (q, k, v))
        return flash_attn_func(*rows, causal=True, alibi_slopes=slopes).transpose(1, 2)

    return call


def contenders(slopes, length, dtype, with_flex):
    """Returns {name: maker of a function call(q, k, v)}."""
    from torch.nn.attention import SDPBackend

    if with_flex:
        return {"flex attention alibi": lambda: flex(slopes, length)}
    return {
        "longbow alibi": lambda: lambda q, k, v: longbow(q, k, v, slopes),
        "longbow alibi, no skipping": lambda: lambda q, k, v: longbow(q, k, v, slopes, math.inf),
        "longbow no bias": lambda: lambda q, k, v: longbow(q, k, v, None),
        "sdpa flash, no bias": lambda: sdpa(SDPBackend.FLASH_ATTENTION),
        "sdpa efficient, alibi mask": lambda: sdpa(SDPBackend.EFFICIENT_ATTENTION, alibi_mask(slopes, length, dtype)),
        "flash-attn alibi": lambda: flash_attn(slopes),
    }


def one(make, q, k, v, dout, flops):
    """Returns a row's times, or the reason why it cannot run here."""
    milliseconds = on_cpu if q.device.type == "cpu" else on_gpu
    try:
        call = make()
        forward = milliseconds(lambda: call(q, k, v))
        leaves = [t.detach().requires_grad_() for t in (q, k, v)]
        out = call(*leaves)
        backward = milliseconds(lambda: torch.autograd.grad(out, leaves, dout, retain_graph=True))
    except Exception as error:  # noqa: BLE001  a peer that is absent or refuses must not end the table
        torch.cuda.empty_cache()
        return {"not_run": f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"}
    return {"forward_ms": forward, "backward_ms": backward, "forward_tflops": flops / forward / 1e9,
            "backward_tflops": 2.5 * flops / backward / 1e9}


def measure(options, rows):
    device = options.device
    peak = warm(device)
    lengths, tokens = (LENGTHS, TOKENS) if device != "cpu" else (LENGTHS[:1], LENGTHS[0])
    for dim in (64, 128):
        heads = WIDTH // dim
        slopes = torch.tensor([2.0 ** (-8.0 * (h + 1) / heads) for h in range(heads)], device=device)
        for length in lengths:
            batch = tokens // length
            shape = (batch, length, heads, dim)
            q, k, v, dout = (torch.randn(shape, device=device, dtype=torch.bfloat16).transpose(1, 2) for _ in range(4))
            flops = 4 * batch * heads * length * length * dim / 2
            visited = torch.ops.longbow.visited_fraction(q, k, slopes).mean().item()
            for name, make in contenders(slopes, length, q.dtype, options.flex).items():
                row = {"name": name, "dtype": "bf16", "batch": batch, "heads": heads, "dim": dim, "length": length,
                       "visited": visited, "product_tflops": peak} | one(make, q, k, v, dout, flops)
                print(json.dumps(row), file=rows, flush=True)
                result = row.get("not_run") or (f"{row['forward_ms']:8.3f} ms {row['forward_tflops']:6.1f} TFLOP/s "
                                                f"forward, {row['backward_ms']:8.3f} ms {row['backward_tflops']:6.1f} "
                                                "TFLOP/s backward")
                print(f"{dim:4} {length:6} {name:28} {result}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--rows", required=True, help="file that takes a JSON object a measurement")
    parser.add_argument("--flex", action="store_true")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    torch.ops.load_library(options.library)
    with open(options.rows, "w") as rows:
        measure(options, rows)


if __name__ == "__main__":
    main()
