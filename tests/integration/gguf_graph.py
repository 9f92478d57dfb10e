"""What llama.cpp computes with a GGUF file, in NumPy and double precision: its graphs of the architectures that Longbow
writes (src/models/NAME.cpp there), and ggml's rotary positions and ALiBi (ggml/src/ggml-cpu/ops.cpp). Keys and tensors
that its loaders require are looked up without a default, so that a missing one is an error here, too."""

import numpy as np

RMS = {"llama", "qwen2", "qwen3", "gemma", "olmo2", "refact"}
ALIBI = {"mpt", "bloom", "refact", "jais"}
GATED = {"llama", "qwen2", "qwen3", "gemma", "olmo2", "refact", "jais", "stablelm"}
BIASED = {"bloom", "jais", "gptneox", "gpt2"}  # biases of all linear layers are required
FUSED = {"mpt", "bloom", "jais", "gptneox", "falcon", "gpt2"}
OWN_HEAD = {"jais", "gptneox", "phi2", "stablelm", "olmo2"}


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * x * (1 + 0.044715 * x * x)))


def silu(x):
    return x / (1 + np.exp(-x))


class Graph:
    def __init__(self, fields, tensors):
        self.name = fields["general.architecture"]
        self.fields = fields
        self.tensors = {name: values.astype(np.float64) for name, (_, values) in tensors.items()}
        self.used = set()
        self.dim, self.heads = self.key("embedding_length"), self.key("attention.head_count")
        self.kv_heads = self.key("attention.head_count_kv", self.heads)
        self.size = self.key("attention.key_length", self.dim // self.heads)
        self.eps = self.key("attention.layer_norm_rms_epsilon" if self.name in RMS else "attention.layer_norm_epsilon")

    def key(self, key, *otherwise):
        name = f"{self.name}.{key}"
        return self.fields.get(name, *otherwise) if otherwise else self.fields[name]

    def tensor(self, name, required=True):
        if not required and name not in self.tensors:
            return None
        self.used.add(name)
        return self.tensors[name]

    def norm(self, x, name):
        weight = self.tensor(f"{name}.weight")
        if self.name in RMS:
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * weight
        bias = self.tensor(f"{name}.bias", required=self.name != "mpt")
        centred = x - x.mean(-1, keepdims=True)
        normal = centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + self.eps) * weight
        return normal if bias is None else normal + bias

    def linear(self, x, name, bias=True):
        y = x @ self.tensor(f"{name}.weight").T
        added = self.tensor(f"{name}.bias", required=self.name in BIASED) if bias else None
        return y if added is None else y + added

    def rope(self, x):
        """x: [positions, heads, size]."""
        turned = self.key("rope.dimension_count")
        pairs = np.arange(turned // 2)
        theta = np.arange(len(x))[:, None] * self.key("rope.freq_base") ** (-2.0 * pairs / turned)
        theta = theta / self.tensors.get("rope_freqs.weight", np.ones(len(pairs)))
        self.used.add("rope_freqs.weight")
        kind, scale = self.key("rope.scaling.type", "none"), 1.0
        if kind == "linear":
            theta = theta / self.key("rope.scaling.factor")
        elif kind == "yarn":
            factor, original = self.key("rope.scaling.factor"), self.key("rope.scaling.original_context_length")
            place = lambda turns: (turned * np.log(original / (turns * 2 * np.pi))
                                   / (2 * np.log(self.key("rope.freq_base"))))
            low, high = max(0, np.floor(place(32))), min(turned - 1, np.ceil(place(1)))
            mix = 1 - np.clip((pairs - low) / max(0.001, high - low), 0, 1)
            theta = theta / factor * (1 - mix) + theta * mix
            scale = 1 + 0.1 * np.log(factor)
        cos, sin = np.cos(theta)[:, None] * scale, np.sin(theta)[:, None] * scale
        first = slice(0, turned, 2) if self.name == "llama" else slice(0, turned // 2)
        second = slice(1, turned, 2) if self.name == "llama" else slice(turned // 2, turned)
        y = x.copy()
        y[..., first] = x[..., first] * cos - x[..., second] * sin
        y[..., second] = x[..., first] * sin + x[..., second] * cos
        return y

    def slopes(self):
        largest = 8.0 if self.name in ("bloom", "refact") else self.key("attention.max_alibi_bias")
        power = 2 ** int(np.floor(np.log2(self.heads)))
        first, second = 2 ** (-largest / power), 2 ** (-largest / 2 / power)
        return np.array([first ** (head + 1) if head < power else second ** (2 * (head - power) + 1)
                         for head in range(self.heads)])

    def attention(self, x, layer):
        widths = np.cumsum([self.heads * self.size, self.kv_heads * self.size])
        if self.name in FUSED:
            q, k, v = np.split(self.linear(x, f"{layer}.attn_qkv", bias=self.name != "falcon"), widths, axis=-1)
        else:
            q, k, v = (self.linear(x, f"{layer}.attn_{part}") for part in "qkv")
        if clamp := self.key("attention.clamp_kqv", 0.0):
            q, k, v = (np.clip(part, -clamp, clamp) for part in (q, k, v))
        if self.name == "olmo2":
            q, k = self.norm(q, f"{layer}.attn_q_norm"), self.norm(k, f"{layer}.attn_k_norm")
        q = q.reshape(len(x), self.heads, self.size)
        k, v = (part.reshape(len(x), self.kv_heads, self.size) for part in (k, v))
        if self.name == "qwen3":
            q, k = self.norm(q, f"{layer}.attn_q_norm"), self.norm(k, f"{layer}.attn_k_norm")
        if self.name not in ALIBI | {"gpt2"}:
            q, k = self.rope(q), self.rope(k)
        k, v = (np.repeat(part, self.heads // self.kv_heads, axis=1) for part in (k, v))
        scores = np.einsum("ihd,jhd->hij", q, k) / (self.size if self.name == "jais" else np.sqrt(self.size))
        places = np.arange(len(x))
        if self.name in ALIBI:
            scores = scores - self.slopes()[:, None, None] * (places[:, None] - places)
        scores = np.where(places[:, None] >= places, scores, -np.inf)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        out = np.einsum("hij,jhd->ihd", weights, v).reshape(len(x), -1)
        return self.linear(out, f"{layer}.attn_output", bias=self.name not in ("refact", "falcon", "stablelm"))

    def feed_forward(self, x, layer):
        bias = self.name in BIASED | {"mpt", "llama", "phi2"}
        up = self.linear(x, f"{layer}.ffn_up", bias)
        if self.name in GATED:
            up = up * (gelu if self.name == "gemma" else silu)(self.linear(x, f"{layer}.ffn_gate", bias))
        else:
            up = gelu(up)
        return self.linear(up, f"{layer}.ffn_down", bias)

    def block(self, x, layer):
        if self.name == "olmo2":
            x = x + self.norm(self.attention(x, layer), f"{layer}.post_attention_norm")
            return x + self.norm(self.feed_forward(x, layer), f"{layer}.post_ffw_norm")
        normal = self.norm(x, f"{layer}.attn_norm")
        if self.name in ("falcon", "phi2"):
            wide = f"{layer}.attn_norm_2.weight" in self.tensors
            return x + self.attention(self.norm(x, f"{layer}.attn_norm_2") if wide else normal, layer) \
                + self.feed_forward(normal, layer)
        attended = self.attention(normal, layer)
        if self.name == "gptneox" and self.key("use_parallel_residual"):
            return x + attended + self.feed_forward(self.norm(x, f"{layer}.ffn_norm"), layer)
        x = x + attended
        return x + self.feed_forward(self.norm(x, f"{layer}.ffn_norm"), layer)

    def logprobs(self, ids):
        """Returns the log-probabilities of all ids but the first."""
        x = self.tensor("token_embd.weight")[ids]
        if self.name == "gemma":
            x = x * np.float64(np.sqrt(np.float32(self.dim)))
        if self.name == "bloom":
            x = self.norm(x, "token_embd_norm")
        if self.name == "gpt2":
            assert len(self.tensors["position_embd.weight"]) == self.key("context_length")
            x = x + self.tensor("position_embd.weight")[: len(ids)]
        for layer in range(self.key("block_count")):
            x = self.block(x, f"blk.{layer}")
        x = self.norm(x, "output_norm")
        own = self.name in OWN_HEAD or (self.name != "gemma" and "output.weight" in self.tensors)
        logits = x @ self.tensor("output.weight" if own else "token_embd.weight").T
        if self.name == "phi2":
            logits = logits + self.tensor("output.bias")
        assert not set(self.tensors) - self.used, f"llama.cpp does not read {set(self.tensors) - self.used}"
        logits = logits - logits.max(-1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return logs[np.arange(len(ids) - 1), ids[1:]]
