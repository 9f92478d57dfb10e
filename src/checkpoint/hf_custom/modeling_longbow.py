"""A language model that Longbow trained, as a class of transformers. It reads Longbow's names of tensors and computes
what Longbow does with the same settings, one whole window at a time: generation computes the window anew for each
token. LongbowForCausalLM.logits of a model with adaptive softmax are log-probabilities."""

import math
import struct

import torch
import torch.nn.functional as F
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from .configuration_longbow import LongbowConfig, Model
from .positions_longbow import LayerPositions, Positions

# --- Parts with Longbow's names of tensors


class Weights(nn.Module):
    """A weight and, where there is one, a bias."""

    def __init__(self, weight, bias=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(weight))
        self.bias = nn.Parameter(torch.zeros(bias)) if bias else None


class Linear(Weights):
    def __init__(self, out, width, bias=False):
        super().__init__((out, width), (out,) if bias else None)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Norm(nn.Module):
    def __init__(self, model, width):
        super().__init__()
        self.kind, self.eps, self.width = model.norm, model.norm_eps, width
        has_bias = model.norm_weights and self.kind == "layernorm" and model.bias_of("norm")
        self.weight = nn.Parameter(torch.zeros(width)) if model.norm_weights else None
        self.bias = nn.Parameter(torch.zeros(width)) if has_bias else None

    def forward(self, x):
        if self.kind == "layernorm":
            return F.layer_norm(x, (self.width,), self.weight, self.bias, self.eps)
        weight = self.weight + 1 if self.kind == "rmsnorm_1p" and self.weight is not None else self.weight
        wide = x.double() if x.dtype == torch.float64 else x.float()
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (normed if weight is None else normed * weight).to(x.dtype)


# --- Layers


class Attention(nn.Module):
    def __init__(self, model, layer):
        super().__init__()
        self.model, self.layer = model, layer
        queries, keys = model.heads * model.head_dim, model.kv_heads * model.head_dim
        bias = model.bias_of("qkv")
        self.q = Linear(queries, model.dim, bias)
        self.k = Linear(keys, model.dim, bias and model.key_bias)
        self.v = Linear(keys, model.dim, bias)
        self.out = Linear(model.dim, queries, model.bias_of("out"))
        if model.qk_norm != "none" and model.norm_weights:
            head = model.qk_norm == "head"
            self.q_norm = Weights((model.head_dim if head else queries,))
            self.k_norm = Weights((model.head_dim if head else keys,))

    def normed(self, x, name):
        if self.model.qk_norm == "none":
            return x
        weight = getattr(self, name).weight if self.model.norm_weights else None
        if weight is not None and self.model.norm == "rmsnorm_1p":
            weight = weight + 1
        whole = self.model.qk_norm == "whole"
        wide = (x.flatten(2) if whole else x).to(torch.float64 if x.dtype == torch.float64 else torch.float32)
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.model.norm_eps)
        return (normed if weight is None else normed * weight).to(x.dtype).view(x.shape)

    def forward(self, x, positions, window, places, seen):
        model = self.model
        batch, length, _ = x.shape

        def heads(part, count):
            y = part(x)
            if model.qkv_clip > 0:
                y = y.clamp(-model.qkv_clip, model.qkv_clip)
            return y.view(batch, length, count, model.head_dim)

        q = self.normed(heads(self.q, model.heads), "q_norm").transpose(1, 2)
        k = self.normed(heads(self.k, model.kv_heads), "k_norm").transpose(1, 2)
        v = heads(self.v, model.kv_heads).transpose(1, 2)
        q, k = positions.rotate(q, places), positions.rotate(k, places)
        groups = model.heads // model.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        scale = model.score_scale or 1 / math.sqrt(model.head_dim)
        if model.score_scale_by_layer:
            scale /= self.layer + 1
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        scores = (q @ k.transpose(2, 3)).to(wide) * scale
        order = torch.arange(length, device=x.device)
        distances = order[:, None] - order
        bias = positions.bias(distances, length, self.layer)
        if bias is not None:
            scores = scores + bias.to(wide)
        allowed = distances >= 0 if window == 0 else (distances >= 0) & (distances < window)
        if seen is not None:
            # A padded place sees itself, so that its row is no empty one.
            allowed = (allowed & seen[:, None, :].bool()) | (distances == 0)
            allowed = allowed[:, None]
        scores = scores.masked_fill(~allowed, -torch.inf)
        mixed = scores.softmax(-1).to(x.dtype) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, length, -1))


def gelu_bloom(x):
    return x * 0.5 * (1 + torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x)))


ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
               "gelu_bloom": gelu_bloom, "swiglu": F.silu, "geglu_tanh": lambda x: F.gelu(x, approximate="tanh")}


class FeedForward(nn.Module):
    def __init__(self, model):
        super().__init__()
        bias = model.bias_of("ffn")
        self.activation = ACTIVATIONS[model.activation]
        self.gated = model.activation in ("swiglu", "geglu_tanh")
        self.add_module("in", Linear(model.ffn_dim, model.dim, bias))
        if self.gated:
            self.gate = Linear(model.ffn_dim, model.dim, bias)
        self.out = Linear(model.dim, model.ffn_dim, bias)

    def forward(self, x):
        inner = getattr(self, "in")(x)
        return self.out(inner * self.activation(self.gate(x)) if self.gated else self.activation(inner))


class Layer(nn.Module):
    def __init__(self, model, layer):
        super().__init__()
        self.block = model.block
        self.norm1 = Norm(model, model.dim)
        if self.block != "parallel_one_norm":
            self.norm2 = Norm(model, model.dim)
        self.attention = Attention(model, layer)
        self.ffn = FeedForward(model)

    def forward(self, x, *positions):
        if self.block == "pre_norm":
            x = x + self.attention(self.norm1(x), *positions)
            return x + self.ffn(self.norm2(x))
        if self.block == "normed_residual":
            n = self.norm1(x)
            n = self.norm2(n + self.attention(n, *positions))
            return n + self.ffn(n)
        if self.block == "post_norm":
            x = self.norm1(x + self.attention(x, *positions))
            return self.norm2(x + self.ffn(x))
        if self.block == "sublayer_norm":
            x = x + self.norm1(self.attention(x, *positions))
            return x + self.norm2(self.ffn(x))
        n = self.norm1(x)
        return x + self.attention(n, *positions) + self.ffn(self.norm2(x) if self.block == "parallel" else n)


# --- Embedding and head


class Band(nn.Module):
    """The words of a band of an adaptive embedding or softmax, or its projection [dim, band's dim], or both."""

    def __init__(self, words=0, width=0, projected=0):
        super().__init__()
        if words:
            self.weight = nn.Parameter(torch.zeros(words, width))
        if projected:
            self.projection = nn.Parameter(torch.zeros(projected, width))


class Bands:
    def __init__(self, model, vocab_size):
        self.bounds = [0, *model.adaptive_cutoffs, vocab_size]
        self.count = len(self.bounds) - 1
        self.words = [self.bounds[i + 1] - self.bounds[i] for i in range(self.count)]
        self.dims = [int(model.dim / model.adaptive_factor**i) for i in range(self.count)]


class Embedding(nn.Module):
    def __init__(self, model, vocab_size):
        super().__init__()
        root = math.sqrt(model.dim)
        # transformers makes a model on the meta device, where a tensor has no value to be read.
        rounded = struct.unpack("f", struct.pack("f", root))[0]
        self.scale = {"sqrt_dim": root, "sqrt_dim_fp32": rounded, "none": 1.0}[model.embedding_scale]
        self.split = Bands(model, vocab_size) if model.adaptive_cutoffs else None
        if self.split:
            bands = self.split
            self.bands = nn.ModuleList(Band(bands.words[i], bands.dims[i], model.dim) for i in range(bands.count))
        else:
            self.tokens = Weights((vocab_size, model.token_dim))
        if model.embedding_norm:
            self.norm = Norm(model, model.token_dim)
        if model.token_dim != model.dim:
            self.project_in = Linear(model.dim, model.token_dim)

    def forward(self, ids):
        if self.split:
            width = self.bands[0].projection.shape[0]
            x = self.bands[0].weight.new_zeros(*ids.shape, width)
            for i, band in enumerate(self.bands):
                chosen = (ids >= self.split.bounds[i]) & (ids < self.split.bounds[i + 1])
                rows = F.embedding(ids[chosen] - self.split.bounds[i], band.weight)
                x[chosen] = F.linear(rows, band.projection)
        else:
            x = F.embedding(ids, self.tokens.weight)
        x = x * self.scale
        if hasattr(self, "norm"):
            x = self.norm(x)
        return self.project_in(x) if hasattr(self, "project_in") else x


class Head(nn.Module):
    def __init__(self, model, vocab_size):
        super().__init__()
        self.split = Bands(model, vocab_size) if model.adaptive_cutoffs else None
        tied = model.tie_output
        if self.split:
            bands, own_projections = self.split, not (tied and model.tie_projections)
            self.classes = nn.Parameter(torch.zeros(bands.count - 1, bands.dims[0]))
            self.bands = nn.ModuleList(
                Band(0 if tied else bands.words[i], bands.dims[i], model.dim if i and own_projections else 0)
                for i in range(bands.count))
        else:
            if not tied:
                self.weight = nn.Parameter(torch.zeros(vocab_size, model.token_dim))
            if model.token_dim != model.dim:
                self.project_out = Linear(model.token_dim, model.dim)
            self.bias = nn.Parameter(torch.zeros(vocab_size)) if model.head_bias else None

    def forward(self, x, embedding):
        if not self.split:
            if hasattr(self, "project_out"):
                x = self.project_out(x)
            return F.linear(x, self.weight if hasattr(self, "weight") else embedding.tokens.weight, self.bias)

        def words(i):
            return getattr(self.bands[i], "weight", embedding.bands[i].weight)

        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        first = F.linear(x, torch.cat([words(0), self.classes])).to(wide).log_softmax(-1)
        near = self.split.words[0]
        parts = [first[..., :near]]
        for i in range(1, self.split.count):
            projection = getattr(self.bands[i], "projection", embedding.bands[i].projection)
            within = F.linear(x @ projection, words(i)).to(wide).log_softmax(-1)
            parts.append(within + first[..., near + i - 1, None])
        return torch.cat(parts, -1)


class LongbowForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = LongbowConfig
    base_model_prefix = ""
    _no_split_modules = ["Layer"]

    def __init__(self, config):
        super().__init__(config)
        model = Model(config.longbow["model"])
        position = config.longbow["position"]
        self.window = position["window"]
        self.embed = Embedding(model, config.vocab_size)
        if position["layers"]:
            self.position = LayerPositions(position["layers"], model, config.train_length)
        else:
            self.position = Positions(position["method"], position["options"], model, config.train_length)
        self.layers = nn.ModuleList(Layer(model, i) for i in range(model.layers))
        self.final_norm = Norm(model, model.dim) if model.final_norm else None
        self.head = Head(model, config.vocab_size)
        self.post_init()

    def _init_weights(self, module):
        pass  # weights come from a checkpoint

    def tie_weights(self, *args, **kwargs):
        pass  # the head reads the embedding's matrix itself

    def get_input_embeddings(self):
        return self.embed

    def get_output_embeddings(self):
        return None

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **kwargs):
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def positions_of(self, layer):
        if isinstance(self.position, LayerPositions):
            return self.position.of(layer)
        return self.position, self.window

    def forward(self, input_ids, attention_mask=None, labels=None, **kwargs):
        """Returns the logits [batch, length, vocab] and, with labels (-100: none), the mean loss of the next tokens.
        attention_mask [batch, length] is 0 at padding, at either end."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        seen = attention_mask if attention_mask is not None and not bool(attention_mask.all()) else None
        if seen is not None:
            places = (seen.long().cumsum(-1) - 1).clamp(min=0)
        x = self.positions_of(0)[0].embed(self.embed(input_ids), places)
        for i, layer in enumerate(self.layers):
            x = layer(x, *self.positions_of(i), places, seen)
        if self.final_norm is not None:
            x = self.final_norm(x)
        logits = self.head(x, self.embed)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100)
        return CausalLMOutput(loss=loss, logits=logits)
