#!/usr/bin/env python3
"""Runs training steps of the demo's model in PyTorch, written as its users write it, eager or under torch.compile: the
peers of `longbow bench train`.

By itself it prints the least time of N steps. With --serve it speaks the protocol of `longbow bench train --serve`: it
prints "ready" and then answers each line on stdin by one step and its milliseconds (scripts/bench asks all sides in
turn). If torch.compile cannot compile, the answer is "unavailable: " and the reason.
"""
import argparse
import contextlib
import math
import os
import tempfile
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

VOCAB = 2048
# layers, dim, heads, ffn_dim, batch, length
SHAPES = {"demo": (4, 256, 8, 1024, 32, 64), "long": (8, 512, 8, 2048, 2, 1024)}
LAYERS, DIM, HEADS, FFN, BATCH, LENGTH = SHAPES["demo"]


class Block(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.ffn_in, self.ffn_out = nn.Linear(DIM, FFN), nn.Linear(FFN, DIM)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask):
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, length, DIM)))
        return x + self.dropout(self.ffn_out(F.relu(self.ffn_in(self.norm2(x)))))


class Model(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, DIM)
        nn.init.normal_(self.embedding.weight, std=DIM**-0.5)
        self.blocks = nn.ModuleList(Block(dropout) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(DIM)
        self.dropout = nn.Dropout(dropout)
        slopes = torch.tensor([2.0 ** (-8 * (i + 1) / HEADS) for i in range(HEADS)])
        distance = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)[None, :]
        mask = (-slopes[:, None, None] * distance).masked_fill(distance < 0, -math.inf)
        self.register_buffer("mask", mask[None])

    def forward(self, tokens):
        x = self.dropout(self.embedding(tokens) * math.sqrt(DIM))
        for block in self.blocks:
            x = block(x, self.mask)
        return F.linear(self.norm(x), self.embedding.weight)


class Bench:
    def __init__(self, dropout, dtype="fp32", compiled=False):
        torch.manual_seed(1)
        self.dtype = dtype
        self.model = Model(dropout)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
        tokens = torch.randint(VOCAB, (BATCH, LENGTH + 1))
        self.inputs, self.targets = tokens[:, :-1].contiguous(), tokens[:, 1:].flatten()

    def step(self):
        start = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == "bf16"):
            loss = F.cross_entropy(self.forward(self.inputs).flatten(0, 1), self.targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return (time.perf_counter() - start) * 1e3


@contextlib.contextmanager
def own_compile_cache():
    """Gives torch.compile a cache folder that is removed at the end. The cache that it shares between processes may
    hold half a library, left by a run that was killed, which no later run could load."""
    with tempfile.TemporaryDirectory(prefix="longbow-bench-") as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        yield


def reason_of(error):
    """Returns the reason why Inductor failed. It needs a C++ compiler and Python's headers when it runs, and what the
    compiler said is deep in its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "fatal error" in line or "not found" in line.lower() or "No such file" in line]
    reason = (telling or lines or [type(error).__name__])[0]
    if "Python.h" in reason:
        reason += "; install python3-dev"
    elif "compiler" in reason.lower():
        reason += "; install g++"
    return reason


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--shape", choices=SHAPES, default="demo",
                        help="the demo's model, or 8 layers of width 512 at 1,024 tokens")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32",
                        help="bf16: autocast over fp32 weights, as ours")
    parser.add_argument("--compile", action="store_true", help="the model under torch.compile")
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    global LAYERS, DIM, HEADS, FFN, BATCH, LENGTH
    LAYERS, DIM, HEADS, FFN, BATCH, LENGTH = SHAPES[args.shape]
    torch.set_num_threads(args.threads)
    with own_compile_cache() if args.compile else contextlib.nullcontext():
        measure(args)


def measure(args):
    try:
        bench = Bench(args.dropout, args.dtype, args.compile)
        for _ in range(3):
            bench.step()
    except Exception as error:  # noqa: BLE001  the compiler's many layers throw anything
        if not args.compile:
            raise
        print(f"unavailable: {reason_of(error)}", flush=True)
        return
    if args.serve:
        print("ready", flush=True)
        try:
            while input() is not None:
                print(bench.step(), flush=True)
        except EOFError:
            return
    least = min(bench.step() for _ in range(args.steps))
    print(f"{least:.1f} ms a step at least, {1e3 * BATCH * LENGTH / least:.0f} tokens/s ({args.dtype}, "
          f"{'torch.compile' if args.compile else 'eager'}, PyTorch {torch.__version__})")


if __name__ == "__main__":
    main()
