"""Position methods of Longbow: what they add to the embedding and the scores, and how they rotate queries and keys."""

import math

import torch
import torch.nn.functional as F
from torch import nn


# Of options that a layer's entry leaves out.
DEFAULTS = {
    "rotary": {"base": 10000.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0},
    "t5": {"buckets": 32, "max_distance": 128, "shared": True},
    "kerple": {"kernel": "log", "shared": True},
    "sandwich": {"dim": 128},
}


def slopes_of(heads, options):
    bias_max = options.get("bias_max", 8.0)

    def geometric(count):
        return [2.0 ** (-bias_max * i / count) for i in range(1, count + 1)]

    lower = 2 ** int(math.log2(heads))
    if options.get("slopes", "authors") == "geometric" or lower == heads:
        return geometric(heads)
    return geometric(lower) + geometric(2 * lower)[0::2][: heads - lower]


class Positions(nn.Module):
    """One position method, which serves all layers."""

    def __init__(self, method, options, model, train_length):
        super().__init__()
        options = {**DEFAULTS.get(method, {}), **options}
        self.method, self.options, self.model, self.train_length = method, options, model, train_length
        if method == "learned":
            rows = (options.get("max_length") or train_length) + options.get("offset", 0)
            self.weight = nn.Parameter(torch.zeros(rows, model.dim))
        elif method == "t5":
            table = (options["buckets"], model.heads)
            self.weight = nn.Parameter(torch.zeros(table if options["shared"] else (model.layers, *table)))
        elif method == "kerple":
            self.p, self.a = (nn.Parameter(torch.zeros(1 if options["shared"] else model.layers, model.heads))
                              for _ in range(2))
        elif method not in ("none", "alibi", "sinusoidal", "rotary", "sandwich"):
            raise ValueError(f"this code does not have the position method {method}")

    def embed(self, x, places):
        if self.method == "learned":
            if int(places.max()) >= self.weight.shape[0] - self.options.get("offset", 0):
                raise ValueError("the input is longer than the table of learned positions")
            return x + F.embedding(places + self.options.get("offset", 0), self.weight)
        if self.method != "sinusoidal":
            return x
        half = self.model.dim // 2
        frequencies = torch.exp(torch.arange(half, device=x.device, dtype=torch.float64) *
                                (-math.log(10000.0) / (half - 1)))
        angles = (places.double() + 2)[..., None] * frequencies
        rows = torch.cat([angles.sin(), angles.cos()], -1)
        return x + F.pad(rows, (0, self.model.dim % 2)).to(x.dtype)

    def bias(self, distances, keys, layer):
        """Returns what is added to the scores [.., heads, queries, keys], or None. `distances` [queries, keys]."""
        if self.method == "alibi":
            slopes = torch.tensor(slopes_of(self.model.heads, self.options), dtype=torch.float64,
                                  device=distances.device)
            scale = self.options.get("slope_scale", 1.0)
            if self.options.get("rounding", "none") == "falcon":
                column = slopes.bfloat16()[:, None] * torch.arange(keys, device=distances.device).bfloat16()
                return column.double()[:, None, :] * scale
            return -(slopes * scale)[:, None, None] * distances
        if self.method == "t5":
            buckets, most = self.options["buckets"], self.options["max_distance"]
            exact = buckets // 2
            known = torch.arange(most + 1, device=distances.device)
            ratio = (known.float() / exact).log() / math.log(most / exact) * (buckets - exact)
            far = (ratio.clamp(0, buckets).long() + exact).clamp(max=buckets - 1)
            bucket = torch.where(known < exact, known, far)[distances.clamp(0, most)]
            weight = self.weight if self.weight.dim() == 2 else self.weight[layer]
            return F.embedding(bucket, weight).permute(2, 0, 1)
        if self.method == "kerple":
            row = 0 if self.options["shared"] else layer
            p, a = (weight[row].clamp(min=0.01)[:, None, None] for weight in (self.p, self.a))
            past = distances.clamp(min=0).to(p.dtype)
            return -a * past ** p.clamp(max=2) if self.options["kernel"] == "power" else -p * torch.log1p(a * past)
        if self.method == "sandwich":
            half = self.options["dim"] // 2
            waves = 10000.0 ** (-torch.arange(1, half + 1, dtype=torch.float64, device=distances.device) / half)
            known = torch.arange(keys, dtype=torch.float64, device=distances.device)
            sums = (known[:, None] * waves).cos().sum(-1)[distances.clamp(min=0)] - half
            heads = torch.arange(1, self.model.heads + 1, dtype=torch.float64, device=distances.device)
            return sums / (8 * heads / self.model.heads)[:, None, None]
        return None

    def frequencies(self, length):
        """Returns the angles of the pairs at position 1, and the factor on rotated queries and keys."""
        angles, factor = self.scaled_frequencies(length)
        angles[int(self.options.get("share", 1.0) * len(angles)):] = 0
        return angles, factor

    def scaled_frequencies(self, length):
        o = self.options
        base, dim = o["base"], o.get("dim") or self.model.head_dim
        scaling, factor = o.get("scaling", "none"), o.get("factor", 1.0)
        original = o.get("original_length") or self.train_length
        pairs = torch.arange(dim // 2, dtype=torch.float64)

        def plain(of):
            return torch.exp(pairs * (-2 * math.log(of) / dim))

        if scaling == "none":
            return plain(base), 1.0
        if scaling == "linear":
            return plain(base) / factor, 1.0
        if scaling == "dynamic":
            if length <= original or dim == 2:
                return plain(base), 1.0
            return plain(base * (factor * length / original - (factor - 1)) ** (dim / (dim - 2))), 1.0
        if scaling == "llama3":
            kept, low, high = plain(base), o["low_freq_factor"], o["high_freq_factor"]
            waves = 2 * math.pi / kept
            smooth = (original / waves - low) / (high - low)
            between = kept / factor * (1 - smooth) + kept * smooth
            return torch.where(waves > original / low, kept / factor,
                               torch.where(waves < original / high, kept, between)), 1.0
        if scaling != "yarn":
            raise ValueError(f"this code does not have the scaling {scaling}")

        def pair_of(turns):
            return dim * math.log(original / (2 * math.pi * turns)) / (2 * math.log(base))

        def length_factor(mscale):
            return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1

        low, high = pair_of(o["beta_fast"]), pair_of(o["beta_slow"])
        if o.get("truncate", True):
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, dim - 1)
        high += 0.001 if low == high else 0
        ramp = ((pairs - low) / (high - low)).clamp(0, 1)
        kept, score = plain(base), o.get("attention_factor", 0.0)
        one, other = o.get("mscale", 0.0), o.get("mscale_all_dim", 0.0)
        if not score:
            score = length_factor(one) / length_factor(other) if one > 0 and other > 0 else length_factor(1.0)
        return kept / factor * ramp + kept * (1 - ramp), score

    def rotate(self, x, places):
        """Rotates x [batch, heads, length, head_dim]."""
        if self.method != "rotary":
            return x
        frequencies, factor = self.frequencies(places.shape[-1])
        angles = places.double()[:, None, :, None] * frequencies.to(x.device)
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        cos, sin = (angles.cos() * factor).to(wide), (angles.sin() * factor).to(wide)
        dim = 2 * frequencies.shape[0]
        part, rest = x[..., :dim].to(wide), x[..., dim:]
        halves = self.options.get("pairs", "interleaved") == "halves"
        a, b = part.chunk(2, -1) if halves else (part[..., 0::2], part[..., 1::2])
        turned = (a * cos - b * sin, a * sin + b * cos)
        turned = torch.cat(turned, -1) if halves else torch.stack(turned, -1).flatten(-2)
        return torch.cat([turned.to(x.dtype), rest], -1)


class LayerPositions(nn.Module):
    """Methods that differ from layer to layer: a child for each distinct pair of method and options."""

    def __init__(self, entries, model, train_length):
        super().__init__()
        distinct = []
        self.entries = []
        for entry in entries:
            pair = (entry["method"], entry["options"])
            if pair not in distinct:
                self.add_module(str(len(distinct)), Positions(*pair, model, train_length))
                distinct.append(pair)
            self.entries.append((distinct.index(pair), entry["window"]))

    def of(self, layer):
        child, window = self.entries[layer % len(self.entries)]
        return getattr(self, str(child)), window
