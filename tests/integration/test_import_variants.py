"""Public models of other sizes and settings than the golden folders have: transformers makes each with random weights,
also those of its norms and biases, and its log-probabilities must be Longbow's. Some settings are then written as older
releases wrote them. Skipped (exit status 77) where transformers is not installed."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error")
try:
    import numpy
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: an oracle is not installed: {error}")
        sys.exit(77)
    raise unittest.SkipTest(f"an oracle is not installed: {error}")

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "longbow")
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
TOKENIZER = SOURCE / "tests/golden/hf/gpt2/tokenizer.json"  # 320 ids
CHECKPOINT = 5
# In nats. Both compute in double, but transformers has its angles and some softmaxes in single precision.
TOLERANCE = 2e-5
SHORT, LONG = 24, 90  # windows below and above the 64 tokens that models here are made for
STRIDE = 20

BLOOM = dict(vocab_size=331, hidden_size=36, n_layer=2, n_head=6)
MPT = dict(vocab_size=333, d_model=40, n_heads=5, n_layers=2, max_seq_len=128)
FALCON = dict(vocab_size=337, hidden_size=36, num_hidden_layers=2, num_attention_heads=6, max_position_embeddings=64)
GROUPS = {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}
GPT2 = dict(vocab_size=341, n_positions=96, n_embd=36, n_layer=2, n_head=6)
OPT = dict(vocab_size=347, hidden_size=36, num_hidden_layers=2, ffn_dim=70, max_position_embeddings=96,
           num_attention_heads=6)
NEOX = dict(vocab_size=349, hidden_size=48, num_hidden_layers=2, num_attention_heads=6, intermediate_size=101,
            max_position_embeddings=64)
LLAMA = dict(vocab_size=353, hidden_size=48, intermediate_size=67, num_hidden_layers=2, num_attention_heads=6,
             num_key_value_heads=2, max_position_embeddings=64)
GPTJ = dict(vocab_size=359, n_positions=96, n_embd=48, n_layer=2, n_head=6, rotary_dim=4)
PHI = dict(vocab_size=367, hidden_size=48, intermediate_size=101, num_hidden_layers=2, num_attention_heads=6,
           max_position_embeddings=64)


def rope(kind="default", base=10000.0, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": base, **more}}


def put(**keys):
    return lambda settings: settings.update(keys)


def older_rope(settings):
    """As releases before 5 wrote rotary positions."""
    given = settings.pop("rope_parameters")
    settings["rope_theta"] = given.pop("rope_theta")
    if "partial_rotary_factor" in given:
        settings["partial_rotary_factor"] = given.pop("partial_rotary_factor")
    settings["rope_scaling"] = None if given["rope_type"] == "default" else given
    settings["torch_dtype"] = settings.pop("dtype")


def neox_of_4_46(settings):
    """Releases 4.46 to 4.57 wrote the general names beside GPT-NeoX's own."""
    older_rope(settings)
    settings.update(rotary_emb_base=settings["rope_theta"], rotary_pct=settings["partial_rotary_factor"])


# name: (model_type, settings, what becomes of config.json)
VARIANTS = {
    "bloom": ("bloom", {**BLOOM, "layer_norm_epsilon": 1e-3, "apply_residual_connection_post_layernorm": True}, None),
    "bloom_5_heads_untied": ("bloom", {**BLOOM, "hidden_size": 35, "n_head": 5, "tie_word_embeddings": False}, None),
    "mpt": ("mpt", {**MPT, "attn_config": {"clip_qkv": 0.7, "softmax_scale": 0.11}}, None),
    "mpt_of_4": ("mpt", MPT, put(attn_config={"model_type": "", "tie_encoder_decoder": False})),
    "falcon_one_head": ("falcon", {**FALCON, "bias": True, "activation": "relu", "ffn_hidden_size": 77}, None),
    "falcon_sequential": ("falcon", {**FALCON, "parallel_attn": False, "multi_query": False}, None),
    "falcon_groups": ("falcon", GROUPS, None),
    "falcon_11b": ("falcon", {**GROUPS, "num_ln_in_parallel_attn": 1, "tie_word_embeddings": False, **rope(base=5e5)},
                   put(ff_factor=4)),
    "gpt2": ("gpt2", {**GPT2, "n_head": 9, "n_inner": 51, "scale_attn_by_inverse_layer_idx": True}, None),
    "gpt2_medium": ("gpt2", {**GPT2, "scale_attn_weights": False, "activation_function": "gelu"},
                    put(n_special=0, predict_special_tokens=True, output_past=True, n_ctx=96, _num_labels=1)),
    "opt_350m": ("opt", {**OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 20}, None),
    "opt_no_weights_of_norms": ("opt", {**OPT, "layer_norm_elementwise_affine": False, "enable_bias": False}, None),
    "galactica": ("opt", {**OPT, "enable_bias": False, "activation_function": "gelu", "tie_word_embeddings": False},
                  put(learned_embeddings=True, scale_embeddings=False)),
    "neox": ("gpt_neox", {**NEOX, "attention_bias": False, **rope(partial_rotary_factor=0.75)}, neox_of_4_46),
    "neox_sequential": ("gpt_neox", {**NEOX, "use_parallel_residual": False, "tie_word_embeddings": True,
                                     **rope("linear", 25000.0, factor=1.7, partial_rotary_factor=1.0)}, neox_of_4_46),
    "neox_20b": ("gpt_neox", {**NEOX, "hidden_act": "gelu_fast", "layer_norm_eps": 1e-4},
                 put(attention_probs_dropout_prob=0, hidden_dropout_prob=0)),
    "llama": ("llama", {**LLAMA, "head_dim": 10, "attention_bias": True, "mlp_bias": True, "rms_norm_eps": 1e-3}, None),
    "llama_dynamic": ("llama", {**LLAMA, **rope("dynamic", 77.0, factor=4.0)}, older_rope),
    "llama_yarn": ("llama", {**LLAMA, "head_dim": 16, **rope("yarn", factor=4.0, original_max_position_embeddings=48,
                                                             beta_fast=8.0, beta_slow=0.5, truncate=False,
                                                             mscale=0.7, mscale_all_dim=1.1)}, older_rope),
    "llama_yarn_factor": ("llama", {**LLAMA, "head_dim": 16, "tie_word_embeddings": True,
                                    **rope("yarn", factor=8.0, original_max_position_embeddings=32,
                                           attention_factor=0.83)}, None),
    "llama_llama3": ("llama", {**LLAMA, "head_dim": 20, **rope("llama3", 123.0, factor=3.7, low_freq_factor=1.3,
                                                               high_freq_factor=2.9,
                                                               original_max_position_embeddings=48)}, older_rope),
    "llama_yarn_one_mscale": ("llama", {**LLAMA, **rope("yarn", factor=40.0, original_max_position_embeddings=32,
                                                        mscale=0.7)}, None),
    "llama_yarn_all": ("llama", {**LLAMA, **rope("yarn", factor=4.0, original_max_position_embeddings=32, mscale=0.7,
                                                 mscale_all_dim=1.1, attention_factor=1.2)}, older_rope),
    "vicuna_16k": ("llama", {**LLAMA, **rope("linear", factor=4.0)},
                   lambda settings: (older_rope(settings), settings.update(max_sequence_length=256))),
    "mistral": ("mistral", {**LLAMA, "sliding_window": 2, "hidden_act": "gelu_pytorch_tanh"}, older_rope),
    "qwen2": ("qwen2", {**LLAMA, "use_sliding_window": True, "sliding_window": 20, "max_window_layers": 1}, older_rope),
    "qwen3": ("qwen3", {**LLAMA, "head_dim": 12, "attention_bias": True, "use_sliding_window": True,
                        "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"]}, None),
    "gptj": ("gptj", {**GPTJ, "n_inner": 55, "activation_function": "gelu", "tie_word_embeddings": True}, None),
    "phi": ("phi", {**PHI, "num_key_value_heads": 2, **rope(partial_rotary_factor=0.25)}, older_rope),
    "phi_dynamic": ("phi", {**PHI, **rope("dynamic", factor=2.0, partial_rotary_factor=0.5)}, None),
    "olmo2": ("olmo2", {**LLAMA, "attention_bias": True, "tie_word_embeddings": True}, older_rope),
    "gemma": ("gemma", {**LLAMA, "head_dim": 12, "num_key_value_heads": 1, "attention_bias": True},
              put(hidden_act="gelu", hidden_activation=None)),
    "gemma_untied": ("gemma", {**LLAMA, "head_dim": 8, "tie_word_embeddings": False},
                     put(hidden_act="gelu", hidden_activation="gelu_pytorch_tanh")),
}

# What no release computes, or what releases compute differently: (model_type, settings, config.json, the key)
REFUSED = [
    ("llama", LLAMA, put(rope_theta=10000.0, rope_parameters=None, partial_rotary_factor=0.5), "partial_rotary_factor"),
    ("llama", {**LLAMA, **rope("yarn", factor=4.0)}, lambda c: c["rope_parameters"].update(attention_factor=0.0),
     "attention_factor"),
    ("gpt_neox", NEOX, put(rope_theta=500.0), "rope_theta"),
    ("gpt_neox", {**NEOX, **rope(partial_rotary_factor=0.5)}, put(partial_rotary_factor=0.25), "partial_rotary_factor"),
    ("mpt", MPT, lambda c: c["attn_config"].update(softmax_scale=0.0), "softmax_scale"),
    ("opt", OPT, put(scale_embeddings=True), "scale_embeddings"),
    ("opt", OPT, put(learned_embeddings=False), "learned_embeddings"),
    ("gemma", {**LLAMA, "head_dim": 8}, put(hidden_activation="silu"), "hidden_activation"),
]


def randomize(model, seed):
    """Gives every parameter random values, so that none is without effect."""
    generator = torch.Generator().manual_seed(seed)
    around = 0.0 if model.config.model_type == "gemma" else 1.0  # of its norms' weights
    for name, values in model.named_parameters():
        noise = torch.randn(values.shape, generator=generator)
        if values.dim() == 1:
            is_weight = "norm" in name or ".ln_" in name
            values.data.copy_(0.3 * noise + (around if is_weight and name.endswith("weight") else 0.0))
        else:
            is_table = any(part in name for part in ("embed", "wte", "wpe"))
            values.data.copy_(noise * (0.4 if is_table else values.shape[-1] ** -0.5))


class Variants(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-variants-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def make(self, kind, settings, edit):
        """Writes a folder. Returns it and the model."""
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **json.loads(json.dumps(settings))))
        randomize(model, 11)
        folder = self.dir / "model"
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text())
        if edit:
            edit(config)
        (folder / "config.json").write_text(json.dumps(config))
        shutil.copy(TOKENIZER, folder)
        return folder, model.double().eval()

    def longbow(self, *arguments, code=0):
        done = subprocess.run([LONGBOW, *map(str, arguments)], cwd=self.dir, capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def theirs(self, model, ids, length):
        """The log-probability of each token in the first window that has it behind another."""
        found, scored = [], 1
        for begin in range(0, len(ids), STRIDE):
            window = torch.tensor(ids[begin:begin + length])
            first = max(scored - begin, 1)
            for part in model.modules():  # what an earlier window has left behind
                if hasattr(part, "original_inv_freq"):
                    part.inv_freq, part.max_seq_len_cached = part.original_inv_freq, part.original_max_seq_len
            with torch.no_grad():
                scores = torch.log_softmax(model(window[None], use_cache=False).logits[0].double(), -1)
            found.append(scores[first - 1:-1].gather(1, window[first:, None]).flatten())
            scored = begin + length
            if scored >= len(ids):
                return torch.cat(found).numpy()

    def test_every_variant(self):
        for name, (kind, settings, edit) in VARIANTS.items():
            with self.subTest(name):
                folder, model = self.make(kind, settings, edit)
                ids = random.Random(5).choices(range(settings["vocab_size"]), k=100)
                numpy.save(self.dir / "ids.npy", numpy.array(ids))
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                self.longbow("import", "hf", folder, "--out", "run")
                self.longbow("eval", "run", "--ids", "ids.npy", "--protocol", "hf", "--bos", "never", "--dtype", "fp64",
                             "--lengths", f"{SHORT},{LONG}", "--stride", STRIDE, "--token-logprobs", "{length}.npy",
                             "--out", f"{name}.jsonl", "--threads", "1")
                for length in (SHORT, LONG):
                    ours, theirs = numpy.load(self.dir / f"{length}.npy"), self.theirs(model, ids, length)
                    self.assertEqual(ours.shape, theirs.shape)
                    self.assertLess(numpy.abs(ours - theirs).max(), TOLERANCE)

    def test_what_is_refused(self):
        for kind, settings, edit, key in REFUSED:
            with self.subTest(f"{kind} {key}"):
                folder, _ = self.make(kind, settings, edit)
                error = self.longbow("import", "hf", folder, "--out", "run", code=CHECKPOINT)
                self.assertIn(f"key {key}", error)
                self.assertFalse((self.dir / "run").exists())


if __name__ == "__main__":
    unittest.main()
