"""Measures for scripts/gpu_check how fast the fused operator is on this GPU beside PyTorch's attention."""
import math
import time

import torch

LENGTHS = (1024, 2048, 4096, 8192, 16384)
TOKENS = 16384  # batch x length
WARM_UP, ROUNDS = 3, 7


def milliseconds(call):
    """Returns the least time of a call by the GPU's own clock."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(ROUNDS):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return min(times)


def longbow(q, k, v, slopes, threshold=-1.0):
    return torch.ops.longbow.fused_attention(q, k, v, slopes, skip_threshold=threshold)[0]


def sdpa(backend, mask=None):
    from torch.nn.attention import sdpa_kernel

    def call(q, k, v):
        with sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)

    return call


def alibi_mask(slopes, length, dtype):
    position = torch.arange(length, device="cuda")
    distance = position[:, None] - position[None, :]
    bias = -slopes[:, None, None] * distance
    return bias.masked_fill(distance < 0, -math.inf).to(dtype)[None]


def flex(slopes, length):
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    compiled = torch.compile(flex_attention)
    blocks = create_block_mask(lambda b, h, i, j: i >= j, None, None, length, length, device="cuda")
    return lambda q, k, v: compiled(q, k, v, score_mod=lambda s, b, h, i, j: s - slopes[h] * (i - j), block_mask=blocks)


def flash_attn(slopes):
    from flash_attn import flash_attn_func

    def call(q, k, v):
        rows = (t.transpose(1, 2) for t in (q, k, v))
        return flash_attn_func(*rows, causal=True, alibi_slopes=slopes).transpose(1, 2)

    return call


def contenders(slopes, length, dtype):
    """Returns {name: maker of a function call(q, k, v)}."""
    from torch.nn.attention import SDPBackend

    return {
        "longbow alibi": lambda: lambda q, k, v: longbow(q, k, v, slopes),
        "longbow alibi, no skipping": lambda: lambda q, k, v: longbow(q, k, v, slopes, math.inf),
        "longbow no bias": lambda: lambda q, k, v: longbow(q, k, v, None),
        "sdpa flash, no bias": lambda: sdpa(SDPBackend.FLASH_ATTENTION),
        "sdpa efficient, alibi mask": lambda: sdpa(SDPBackend.EFFICIENT_ATTENTION, alibi_mask(slopes, length, dtype)),
        "flex attention alibi": lambda: flex(slopes, length),
        "flash-attn alibi": lambda: flash_attn(slopes),
    }


def one(make, q, k, v, dout, flops):
    """Returns a row's times, or the reason why it cannot run here."""
    try:
        call = make()
        forward = milliseconds(lambda: call(q, k, v))
        leaves = [t.detach().requires_grad_() for t in (q, k, v)]
        out = call(*leaves)
        backward = milliseconds(lambda: torch.autograd.grad(out, leaves, dout, retain_graph=True))
    except Exception as error:  # a peer that is absent or refuses must not end the table
        torch.cuda.empty_cache()
        return {"not_run": f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"}
    return {"forward_ms": forward, "backward_ms": backward, "forward_tflops": flops / forward / 1e9,
            "backward_tflops": 2.5 * flops / backward / 1e9}


def measure(options, deadline):
    """Measures bf16, causal, with 16 heads of 64 or 8 of 128, forward and backward. TFLOP/s count half of the square,
    including skipped blocks."""
    rows = []
    for dim in (64, 128):
        heads = 1024 // dim
        slopes = torch.tensor([2.0 ** (-8.0 * (h + 1) / heads) for h in range(heads)], device="cuda")
        for length in LENGTHS:
            batch = TOKENS // length
            shape = (batch, length, heads, dim)
            q, k, v, dout = (torch.randn(shape, device="cuda", dtype=torch.bfloat16).transpose(1, 2) for _ in range(4))
            flops = 4 * batch * heads * length * length * dim / 2
            visited = torch.ops.longbow.visited_fraction(q, k, slopes).mean().item()
            for name, make in contenders(slopes, length, q.dtype).items():
                if time.monotonic() > deadline:
                    print("speed: out of time, the rest is omitted")
                    return {"rows": rows, "failures": []}
                row = {"name": name, "dtype": "bf16", "batch": batch, "heads": heads, "dim": dim, "length": length,
                       "visited": visited}
                row |= one(make, q, k, v, dout, flops)
                rows.append(row)
                result = row.get("not_run") or (f"{row['forward_ms']:8.3f} ms {row['forward_tflops']:6.1f} TFLOP/s "
                                                f"forward, {row['backward_ms']:8.3f} ms {row['backward_tflops']:6.1f} "
                                                "TFLOP/s backward")
                print(f"speed: {dim:4} {length:6} {name:28} {result}", flush=True)
    return {"rows": rows, "failures": []}
