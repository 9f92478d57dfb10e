"""Longbow's fused attention in a PyTorch program: ALiBi without a bias matrix, beside PyTorch's own attention with one.

    ./scripts/build release longbow_ops
    . build/env.sh; "$LONGBOW_PYTHON" examples/fused_attention.py build/release/liblongbow_ops.so [LENGTH]

build/env.sh names the Python whose torch the library was built against; another needs the same version.
"""
import math
import sys

import torch
import torch.nn.functional as F


def dense_alibi(slopes, length):
    """The bias that other kernels need as a matrix: [1, heads, length, length], -inf above the diagonal."""
    distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    bias = -slopes[:, None, None] * distance
    return bias.masked_fill(distance < 0, -math.inf)[None]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    torch.ops.load_library(sys.argv[1])
    length = int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    batch, heads, head_dim = 2, 8, 64
    torch.manual_seed(1)
    q, k, v = (torch.randn(batch, heads, length, head_dim, requires_grad=True) for _ in range(3))
    slopes = torch.tensor([2.0 ** -(head + 1) for head in range(heads)])  # ALiBi's, for eight heads

    # out: [batch, heads, length, head_dim]; lse: each row's log-sum-exp, [batch, heads, length].
    out, lse = torch.ops.longbow.fused_attention(q, k, v, slopes)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=dense_alibi(slopes, length))
    print(f"largest difference of the outputs: {(out - expected).abs().max().item():.1e}")

    weight = torch.randn_like(out)
    gradients = torch.autograd.grad(out, (q, k, v), weight)
    wanted = torch.autograd.grad(expected, (q, k, v), weight)
    for name, found, right in zip("qkv", gradients, wanted):
        print(f"largest difference of d{name}:          {(found - right).abs().max().item():.1e}")

    # Blocks of keys whose weights cannot reach the last place of the sum are not computed.
    visited = torch.ops.longbow.visited_fraction(q, k, slopes).mean(dim=0)
    for slope, fraction in zip(slopes.tolist(), visited.tolist()):
        print(f"slope {slope:<9.6g} visits {fraction:6.1%} of the blocks below the diagonal")


main()
