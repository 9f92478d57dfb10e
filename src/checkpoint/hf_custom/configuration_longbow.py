"""Settings of a language model that Longbow trained. `longbow` holds them as Longbow has them: {"model": {..},
"position": {"method", "window", "options", "layers"}}; keys that have no effect in a model are left out."""

from transformers import PretrainedConfig


class LongbowConfig(PretrainedConfig):
    model_type = "longbow"

    def __init__(self, vocab_size=2, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, train_length=0,
                 longbow=None, tie_word_embeddings=True, **kwargs):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.train_length = train_length
        nothing = {"method": "none", "window": 0, "options": {}, "layers": []}
        self.longbow = longbow or {"model": {}, "position": nothing}
        kwargs.setdefault("use_cache", False)
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)


class Model:
    """The settings of `model` with the defaults of those that have no effect."""

    DEFAULTS = {"head_dim": 0, "kv_heads": 0, "block": "pre_norm", "activation": "relu", "norm": "layernorm",
                "norm_eps": 1e-5, "norm_weights": True, "embedding_norm": False, "qk_norm": "none", "final_norm": True,
                "bias": True, "key_bias": False, "qkv_bias": "as_model", "out_bias": "as_model",
                "ffn_bias": "as_model", "norm_bias": "as_model", "head_bias": False, "qkv_clip": 0.0,
                "score_scale": 0.0, "score_scale_by_layer": False, "embedding_dim": 0, "tie_output": True,
                "embedding_scale": "sqrt_dim", "adaptive_cutoffs": [], "adaptive_factor": 4.0, "tie_projections": True}

    def __init__(self, settings):
        self.__dict__.update(self.DEFAULTS | settings)
        self.head_dim = self.head_dim or self.dim // self.heads
        self.kv_heads = self.kv_heads or self.heads
        self.token_dim = self.embedding_dim or self.dim

    def bias_of(self, part):
        own = getattr(self, part + "_bias")
        return self.bias if own == "as_model" else own == "on"
