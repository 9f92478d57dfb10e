"""Times a training update of the model of step.yaml in PyTorch under torch.compile: the peers of `longbow bench train`.

    step.py --rows FILE [--device cuda|cpu]

The first peer has flash attention and no bias at all, which ALiBi's kernels can at best equal; the second has ALiBi by
FlexAttention, the third by flash-attn if that is installed. With --device cpu it only shows that this script works.
"""
import argparse
import json
import math
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

from shape import BATCH, DIM, FFN, HEADS, LAYERS, LENGTH, VOCAB

WARM_UP, STEPS = 5, 20


def alibi_slopes(heads):
    """Returns the authors' slopes; between powers of two they take every other one of the next power."""
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    return slopes + [2 ** (-8 * (i + 1) / (2 * power)) for i in range(0, 2 * (heads - power), 2)]


def no_bias(_slopes, _length):
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)


def flex(slopes, length):
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    blocks = create_block_mask(lambda b, h, i, j: i >= j, None, None, length, length, device=slopes.device)
    return lambda q, k, v: flex_attention(q, k, v, score_mod=lambda s, b, h, i, j: s - slopes[h] * (i - j),
                                          block_mask=blocks)


def flash_attn(slopes, _length):
    from flash_attn import flash_attn_func

    def call(q, k, v):
        rows = (t.transpose(1, 2) for t in (q, k, v))
        return flash_attn_func(*rows, causal=True, alibi_slopes=slopes).transpose(1, 2)

    return call


PEERS = {"torch.compile, flash, no bias": no_bias, "torch.compile, flex attention alibi": flex,
         "torch.compile, flash-attn alibi": flash_attn}


class Block(nn.Module):
    def __init__(self, attend):
        super().__init__()
        self.attend = attend
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.ffn_in, self.ffn_out = nn.Linear(DIM, FFN), nn.Linear(FFN, DIM)

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
        x = x + self.out(self.attend(q, k, v).transpose(1, 2).reshape(batch, length, DIM))
        return x + self.ffn_out(F.gelu(self.ffn_in(self.norm2(x))))


class Model(nn.Module):
    def __init__(self, attend, layers):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, DIM)
        nn.init.normal_(self.embedding.weight, std=DIM**-0.5)
        self.blocks = nn.ModuleList(Block(attend) for _ in range(layers))
        self.norm = nn.LayerNorm(DIM)

    def forward(self, tokens, targets):
        x = self.embedding(tokens) * math.sqrt(DIM)
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(F.linear(self.norm(x), self.embedding.weight).flatten(0, 1).float(), targets)


def milliseconds_of_updates(peer, device, layers, batch, length, steps):
    torch.manual_seed(1)
    attend = peer(torch.tensor(alibi_slopes(HEADS), device=device), length)
    with torch.device(device):
        model = Model(attend, layers)
    compiled = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    tokens = torch.randint(VOCAB, (batch, length + 1), device=device)
    inputs, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].flatten()

    def update():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16):
            loss = compiled(inputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    times = []
    for done in range(WARM_UP + steps):
        start = time.perf_counter()
        update().item()  # waits for the device once an update, as the trainer's log does
        if done >= WARM_UP:
            times.append((time.perf_counter() - start) * 1e3)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", required=True, help="file that takes a JSON object a peer")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    device = options.device.split(":")[0]
    layers, batch, length, steps = (LAYERS, BATCH, LENGTH, STEPS) if device != "cpu" else (1, 1, 64, 1)
    with open(options.rows, "w") as rows:
        for name, peer in PEERS.items():
            row = {"name": name, "tokens": batch * length}
            try:
                times = milliseconds_of_updates(peer, device, layers, batch, length, steps)
                row |= {"ms": min(times), "median_ms": statistics.median(times)}
            except Exception as error:  # noqa: BLE001  a peer that is absent or cannot be compiled
                row["not_run"] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
            print(json.dumps(row), file=rows, flush=True)


if __name__ == "__main__":
    main()
