"""Compares the fused operator of liblongbow_ops.so, called from Python, with the formula in fp64 on the same device.

    grid.py LIBRARY --rows FILE [--device cuda|cpu]
"""
import argparse
import itertools
import json
import math
import sys

import torch

# The largest errors that are allowed: of outputs, of gradients. Tensor cores truncate where a CPU rounds
# (docs/attention.md).
TOLERANCE = {torch.float32: (2e-5, 2e-5), torch.bfloat16: (8e-3, 1.5e-2), torch.float16: (1e-3, 2e-3)}
TOLERANCE_ON_CPU = {**TOLERANCE, torch.float32: (2e-6, 4e-6)}
ANOTHER_MASK = 1e-2  # another dropout mask differs by more, the order of sums by far less
NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def reference(q, k, v, slopes, table, lengths, causal, window):
    """Computes attention with every score in memory, in the dtype of q; rows that see no key are 0."""
    queries, keys = q.shape[2], k.shape[2]
    position = torch.arange(queries, device=q.device)[:, None] + keys - queries
    distance = position - torch.arange(keys, device=q.device)[None, :]
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
    if slopes is not None:
        scores = scores - (slopes if slopes.dim() == 2 else slopes[None])[:, :, None, None] * distance.abs()
    if table is not None:
        scores = scores + table[:, distance.abs().clamp(max=table.shape[1] - 1)]
    seen = torch.ones_like(distance, dtype=torch.bool).expand(q.shape[0], 1, queries, keys)
    if causal:
        seen = seen & (distance >= 0)
    if window:
        seen = seen & (distance < window)
    if lengths is not None:
        limit = lengths[:, None, None, None]
        seen = seen & (torch.arange(keys, device=q.device) < limit) & (position < limit)
    any_key = seen.any(-1, keepdim=True)
    weights = torch.where(seen, scores, -math.inf).where(any_key, 0.0).softmax(-1).where(seen, 0.0)
    return weights @ v, torch.where(any_key[..., 0], torch.where(seen, scores, -math.inf).logsumexp(-1), -math.inf)


def grid():
    """Returns shapes, each of which changes one thing of a plain causal ALiBi call."""
    plain = dict(batch=2, heads=3, queries=333, keys=333, dim=64, bias="slopes", causal=True, window=0, lengths=None)
    changes = [dict(dim=dim) for dim in (8, 32, 64, 80, 96, 128, 160, 256)]
    changes += ([dict(bias=bias) for bias in ("none", "table", "batch")]
                + [dict(bias="table", causal=False), dict(causal=False)])
    changes += [dict(window=w) for w in (1, 50, 64)] + [dict(keys=700), dict(queries=1, keys=900),
                                                        dict(queries=7, keys=3000, dim=128)]
    changes += [dict(lengths=(333, 100)), dict(lengths=(0, 64)), dict(queries=64, keys=64), dict(queries=1, keys=1)]
    changes += [dict(queries=1500, keys=1500, dim=128, batch=1), dict(queries=400, keys=300)]
    for change, dtype in itertools.product(changes, TOLERANCE):
        yield {**plain, **change, "dtype": dtype}


def tensors(case, device):
    generator = torch.Generator().manual_seed(7)

    def random(*shape):
        return torch.randn(*shape, generator=generator)

    shapes = [(case["batch"], case[length], case["heads"], case["dim"])
              for length in ("queries", "keys", "keys", "queries")]
    q, k, v, dout = (random(*shape).to(device, case["dtype"]).transpose(1, 2) for shape in shapes)
    slopes = table = None
    if case["bias"] in ("slopes", "batch"):
        slopes = torch.tensor([2.0 ** -(h + 1) for h in range(case["heads"])])
        slopes = (slopes if case["bias"] == "slopes"
                  else slopes * torch.linspace(1, 2, case["batch"])[:, None]).to(device)
    if case["bias"] == "table":
        table = random(case["heads"], 129).to(device)
    lengths = None if case["lengths"] is None else torch.tensor(case["lengths"], dtype=torch.int32, device=device)
    return q, k, v, dout, slopes, table, lengths


def error(got, expected):
    """Returns the largest difference relative to the largest expected value (or to 0.1, because the gradient of a row
    with one key is 0); NaN counts as infinite."""
    if expected.numel() == 0:
        return 0.0
    worst = (got.double() - expected).abs().max().item() / max(expected.abs().max().item(), 0.1)
    return worst if worst == worst else math.inf


def attend(inputs, case, leaves):
    _, _, _, dout, slopes, table, lengths = inputs
    out, lse = torch.ops.longbow.fused_attention(*leaves, slopes, table, lengths=lengths, causal=case["causal"],
                                                 window=case["window"])
    grads = torch.autograd.grad(out, leaves + [b for b in (slopes, table) if b is not None], dout)
    return out, lse, grads


def check_case(case, device):
    """Returns the errors of one call, forward and backward, and a list of what is wrong."""
    inputs = tensors(case, device)
    q, k, v, dout, slopes, table, lengths = inputs
    biases = [b.requires_grad_() for b in (slopes, table) if b is not None]
    leaves = [t.detach().requires_grad_() for t in (q, k, v)]
    out, lse, grads = attend(inputs, case, leaves)
    again = attend(inputs, case, leaves)
    same = torch.equal(out, again[0]) and all(torch.equal(a, b) for a, b in zip(grads, again[2]))

    exact = [t.detach().double().requires_grad_() for t in (q, k, v)]
    exact_biases = [b.detach().double().requires_grad_() for b in biases]
    exact_slopes = exact_biases[0] if slopes is not None else None
    exact_table = exact_biases[0] if table is not None else None
    want, want_lse = reference(*exact, exact_slopes, exact_table, lengths, case["causal"], case["window"])
    wants = torch.autograd.grad(want, exact + exact_biases, dout.double())

    finite = want_lse > -math.inf
    errors = {"out": error(out, want), "lse": error(lse[finite], want_lse[finite])}
    errors |= {name: error(g, w) for name, g, w in zip(("dq", "dk", "dv"), grads, wants)}
    # The sum that gives a slope's gradient nearly cancels, so its error is relative to the possible size of its terms.
    for got, expected in zip(grads[3:], wants[3:]):
        scale = case["keys"] if slopes is not None else 1
        errors["bias"] = error(got, expected) / max(1.0, scale / max(expected.abs().max().item(), 1e-30))
    limits = (TOLERANCE_ON_CPU if device == "cpu" else TOLERANCE)[case["dtype"]]
    wrong = [f"{name} {e:.1e}" for name, e in errors.items()
             if not e <= (limits[0] if name in ("out", "lse") else limits[1])]
    if not torch.equal(finite, lse > -math.inf):
        wrong.append("lse is -inf for other rows")
    if not same:
        wrong.append("a second run gives other bits")
    return errors, wrong


def check_dropout_and_skipping(device):
    """Compares the dropout mask and the skip table with the CPU's, and checks that skipping changes nothing."""
    wrong = []
    case = dict(batch=1, heads=4, queries=1000, keys=1000, dim=64, bias="slopes", causal=True, window=0, lengths=None,
                dtype=torch.float32)
    q, k, v, _, slopes, _, _ = tensors(case, device)
    attention, visited = torch.ops.longbow.fused_attention, torch.ops.longbow.visited_fraction
    drawn = dict(dropout=0.3, dropout_seed=11, dropout_offset=3)
    here, there = attention(q, k, v, slopes, **drawn)[0], attention(q.cpu(), k.cpu(), v.cpu(), slopes.cpu(), **drawn)[0]
    if error(here.cpu(), there.double()) > ANOTHER_MASK:
        wrong.append("dropout: another mask than on the CPU")
    # The CPU's kernels narrow the table on their way.
    if (visited(q, k, slopes).cpu() < visited(q.cpu(), k.cpu(), slopes.cpu())).any():
        wrong.append("skip table: fewer blocks than the CPU visits")
    # A block that is not skipped may cost a sum its last bit, because a tensor core truncates it.
    whole = attention(q, k, v, slopes, skip_threshold=math.inf)[0].double()
    if error(attention(q, k, v, slopes)[0], whole) > TOLERANCE_ON_CPU[torch.float32][0]:
        wrong.append("skipping changes the result")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--rows", required=True, help="file that takes a JSON object a shape")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    torch.ops.load_library(options.library)
    failures = 0
    with open(options.rows, "w") as rows:
        for case in grid():
            errors, wrong = check_case(case, options.device)
            row = {**case, "dtype": NAMES[case["dtype"]], "errors": errors, "wrong": wrong}
            print(json.dumps(row), file=rows, flush=True)
            if wrong:
                failures += 1
                print(row)
    for wrong in check_dropout_and_skipping(options.device):
        failures += 1
        print(wrong)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
