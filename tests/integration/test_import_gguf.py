"""Tests `longbow import gguf` on files that PyPI's gguf writes from the golden folders, laid out as llama.cpp's converter
does it: the imported models must give the log-probabilities of those that `import hf` makes of the same folders, and
their tokenizers the same ids.

Needs NumPy and gguf; skipped (exit status 77) without them."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

try:
    import gguf
    import numpy as np
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

from hf_case import FOLDERS, HfCase, Model, checkpoint_of, read_tensors
from patience import PATIENCE

TOOL = os.environ.get("LONGBOW_TOKENIZER_TOOL", "")
NUMPY = {"F32": np.float32, "F16": np.float16, "BF16": None}


def arrays(model):
    """Returns the tensors as fp32 arrays, names without the prefix of the base model."""
    found = {}
    for name, (dtype, shape, data) in model.tensors.items():
        if dtype == "U8":
            continue
        if dtype == "BF16":
            values = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(data, NUMPY[dtype]).astype(np.float32)
        for prefix in ("transformer.", "model.", "gpt_neox."):
            name = name.removeprefix(prefix)
        found[name] = values.reshape(shape)
    return found


def permuted(weight, heads):
    """Rows of q or k with the halves of each head interleaved, as files of the llama architecture have them."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def blocks(tensor, groups, queries):
    """Rows grouped by head as rows of all q, all k, all v."""
    size = tensor.shape[0] // groups // (queries + 2)
    grouped = tensor.reshape(groups, queries + 2, size, *tensor.shape[1:])
    parts = grouped[:, :queries], grouped[:, queries], grouped[:, queries + 1]
    return np.concatenate([part.reshape(-1, *tensor.shape[1:]) for part in parts])


def pairs(theirs, ours):
    return {f"{theirs}.{part}": f"{ours}.{part}" for part in ("weight", "bias")}


class Converter:
    """Writes a golden folder as a GGUF file."""

    def __init__(self, name, architecture, layer, names):
        self.model, self.architecture = Model(name), architecture
        self.settings, self.layer = self.model.settings, layer
        self.names = {key: value for theirs, ours in names.items() for key, value in pairs(theirs, ours).items()}
        self.tokenizer = json.loads(self.model.tokenizer.read_text())

    def number(self, *keys):
        return next(self.settings[key] for key in keys if self.settings.get(key) is not None)

    def write(self, path, kind=gguf.GGMLQuantizationType.F32, extra=lambda writer: None):
        writer = gguf.GGUFWriter(path, self.architecture)
        layers = self.number("num_hidden_layers", "n_layer", "n_layers")
        width = self.number("hidden_size", "n_embd", "n_embed", "d_model")
        writer.add_block_count(layers)
        writer.add_embedding_length(width)
        writer.add_head_count(self.number("num_attention_heads", "n_head", "n_heads"))
        writer.add_context_length(next((self.settings[key] for key in ("max_position_embeddings", "n_positions", "max_seq_len")
                                        if key in self.settings), 2048))
        writer.add_feed_forward_length(self.number("intermediate_size", "ffn_hidden_size")
                                       if {"intermediate_size", "ffn_hidden_size"} & set(self.settings) else 4 * width)
        if "rms_norm_eps" in self.settings:
            writer.add_layer_norm_rms_eps(self.settings["rms_norm_eps"])
        else:
            writer.add_layer_norm_eps(self.number("layer_norm_epsilon", "layer_norm_eps"))
        extra(writer)
        self.add_tokenizer(writer)
        for name, tensor in self.tensors().items():
            if tensor.ndim == 2 and kind != gguf.GGMLQuantizationType.F32 and tensor.shape[1] % 32 == 0:
                writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
            else:
                writer.add_tensor(name, np.ascontiguousarray(tensor))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    def tensors(self):
        found = {}
        for name, tensor in arrays(self.model).items():
            where = name.split(".")
            if name.startswith(self.layer + "."):
                number, rest = where[1], ".".join(where[2:])
                found[f"blk.{number}.{self.names[rest]}"] = self.changed(self.names[rest], tensor)
            else:
                found[self.names[name]] = self.changed(self.names[name], tensor)
        return found

    def changed(self, name, tensor):
        return tensor

    def add_tokenizer(self, writer):
        model, added = self.tokenizer["model"], {token["content"]: token for token in self.tokenizer["added_tokens"]}
        vocabulary = model["vocab"] | {text: token["id"] for text, token in added.items()}
        texts = sorted(vocabulary, key=vocabulary.get)
        kinds = [(3 if added[text]["special"] else 4) if text in added else 1 for text in texts]
        if model["byte_fallback"]:
            kinds = [6 if len(text) == 6 and text.startswith("<0x") else kind for text, kind in zip(texts, kinds)]
            kinds[0] = 2
            writer.add_tokenizer_model("llama")
            ranks = {}
            for merge in reversed(model["merges"]):
                merge = merge if isinstance(merge, list) else merge.split(" ", 1)
                ranks["".join(merge)] = model["merges"].index(merge if isinstance(model["merges"][0], list) else " ".join(merge))
            writer.add_token_scores([-float(ranks.get(text, 10_000)) for text in texts])
            writer.add_bos_token_id(1)
        else:
            writer.add_tokenizer_model("gpt2")
            writer.add_tokenizer_pre(self.pre)
            writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
        writer.add_token_list(texts)
        writer.add_token_types(kinds)


LLAMA = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
         "post_attention_layernorm": "ffn_norm", "mlp.up_proj": "ffn_up", "mlp.gate_proj": "ffn_gate",
         "mlp.down_proj": "ffn_down", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
         "self_attn.k_norm": "attn_k_norm"} | {f"self_attn.{part}_proj": f"attn_{part}" for part in "qkv"}
BLOOM = {"word_embeddings": "token_embd", "word_embeddings_layernorm": "token_embd_norm", "ln_f": "output_norm",
         "embed_in": "token_embd", "embed_out": "output", "final_layer_norm": "output_norm",
         "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "mlp.dense_h_to_4h": "ffn_up",
         "mlp.dense_4h_to_h": "ffn_down"} | {f"{where}.{theirs}": ours for where in ("self_attention", "attention")
                                             for theirs, ours in (("query_key_value", "attn_qkv"), ("dense", "attn_output"))}
GPT2 = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm", "ln_1": "attn_norm", "ln_2": "ffn_norm",
        "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
MPT = {"wte": "token_embd", "norm_f": "output_norm", "norm_1": "attn_norm", "norm_2": "ffn_norm", "attn.Wqkv": "attn_qkv",
       "attn.out_proj": "attn_output", "ffn.up_proj": "ffn_up", "ffn.down_proj": "ffn_down"}
PHI = {"embed_tokens": "token_embd", "final_layernorm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
       "self_attn.dense": "attn_output", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"} | {
           f"self_attn.{part}_proj": f"attn_{part}" for part in "qkv"}


class Llama(Converter):
    pre = "llama-bpe"

    def __init__(self, name, architecture="llama"):
        super().__init__(name, architecture, "layers", LLAMA)

    def changed(self, name, tensor):
        if self.architecture != "llama" or not name.startswith(("attn_q.", "attn_k.")):
            return tensor
        key = "num_attention_heads" if name.startswith("attn_q.") else "num_key_value_heads"
        return permuted(tensor, self.settings[key])

    def write(self, path, kind=gguf.GGMLQuantizationType.F32):
        def extra(writer):
            writer.add_head_count_kv(self.settings["num_key_value_heads"])
            head = self.settings.get("head_dim") or self.settings["hidden_size"] // self.settings["num_attention_heads"]
            writer.add_rope_dimension_count(head)
            writer.add_rope_freq_base(self.settings.get("rope_theta") or self.settings["rope_parameters"]["rope_theta"])
            writer.add_vocab_size(self.settings["vocab_size"])
            if "head_dim" in self.settings:
                writer.add_key_length(head)
                writer.add_value_length(head)
        return super().write(path, kind, extra)


class Qwen(Llama):
    pre = "qwen2"


class Bloom(Converter):
    pre = "bloom"

    def __init__(self, name, architecture="bloom", layer="h"):
        super().__init__(name, architecture, layer, BLOOM)

    def changed(self, name, tensor):
        if not name.startswith("attn_qkv."):
            return tensor
        heads = self.number("num_attention_heads", "n_head")
        return blocks(tensor, heads, 1)


class Neox(Bloom):
    pre = "mpt"

    def __init__(self, name):
        super().__init__(name, "gptneox", "layers")

    def write(self, path):
        def extra(writer):
            writer.add_rope_dimension_count(int(self.settings["rotary_pct"] * self.settings["hidden_size"]
                                                // self.settings["num_attention_heads"]))
            writer.add_parallel_residual(True)
        return super().write(path, extra=extra)


class Falcon(Bloom):
    pre = "falcon"

    def __init__(self, name):
        super().__init__(name, "falcon")

    def changed(self, name, tensor):
        return blocks(tensor, 1, self.settings["num_attention_heads"]) if name.startswith("attn_qkv.") else tensor

    def write(self, path):
        return super().write(path, extra=lambda writer: writer.add_head_count_kv(1))


class Gpt2(Converter):
    pre = "gpt-2"

    def __init__(self, name):
        super().__init__(name, "gpt2", "h", GPT2)

    def changed(self, name, tensor):
        transposed = name.endswith("weight") and tensor.ndim == 2 and not name.startswith(("token", "position"))
        return tensor.T if transposed else tensor


class Mpt(Converter):
    pre = "mpt"

    def __init__(self, name):
        super().__init__(name, "mpt", "blocks", MPT)

    def write(self, path):
        def extra(writer):
            writer.add_max_alibi_bias(float(self.settings["attn_config"]["alibi_bias_max"]))
            if self.settings["attn_config"]["clip_qkv"]:
                writer.add_clamp_kqv(self.settings["attn_config"]["clip_qkv"])
        return super().write(path, extra=extra)


class Phi(Converter):
    pre = "gpt-2"

    def __init__(self, name):
        super().__init__(name, "phi2", "layers", PHI)

    def write(self, path):
        return super().write(path, extra=lambda writer: writer.add_rope_dimension_count(4))


CONVERTERS = {"llama": lambda: Llama("llama"), "qwen2": lambda: Qwen("qwen2", "qwen2"),
              "qwen3": lambda: Qwen("qwen3", "qwen3"), "bloom_heads4": lambda: Bloom("bloom_heads4"),
              "bloom_heads12": lambda: Bloom("bloom_heads12"), "neox": lambda: Neox("neox"),
              "falcon_7b_like": lambda: Falcon("falcon_7b_like"), "gpt2": lambda: Gpt2("gpt2"),
              "mpt_heads10": lambda: Mpt("mpt_heads10"), "mpt_biasmax16": lambda: Mpt("mpt_biasmax16"),
              "phi": lambda: Phi("phi")}


class ImportGguf(HfCase):
    def import_gguf(self, path, *arguments, code=0):
        out = self.dir / "gguf"
        answer = self.run_longbow("import", "gguf", path, "--out", out, *arguments, code=code)
        if code:
            self.assertFalse(out.exists(), "an error leaves nothing behind")
            return answer
        return out

    def logprobs(self, run, ids, name):
        self.run_longbow("eval", run, "--ids", ids, "--protocol", "hf", "--bos", "never", "--lengths", 96, "--stride", 96,
                         "--dtype", "fp64", "--token-logprobs", self.dir / f"{name}.npy", "--out", self.dir / f"{name}.jsonl")
        return np.load(self.dir / f"{name}.npy")

    def ids_of(self, run, texts):
        asked = b"".join(b"%d\n%s" % (len(text), text) for text in (text.encode() for text in texts))
        done = subprocess.run([TOOL, "load", checkpoint_of(run)], input=asked, capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [[int(one) for one in line.split()] for line in done.stdout.decode().splitlines()]

    def test_each_architecture_beside_its_folder(self):
        for name, make in CONVERTERS.items():
            with self.subTest(name):
                shutil.rmtree(self.dir / "gguf", ignore_errors=True)
                path = make().write(self.dir / f"{name}.gguf")
                run, beside = self.import_gguf(path), self.import_hf(FOLDERS / name)
                about = json.loads((FOLDERS / name / "expected.json").read_text())
                ids = self.dir / "ids.npy"
                generator = np.random.default_rng(3)
                np.save(ids, generator.integers(0, about.get("vocab_size", 300), 200))
                difference = np.abs(self.logprobs(run, ids, "gguf") - self.logprobs(beside, ids, "hf")).max()
                self.assertLess(difference, 1e-9, "the same weights")
                texts = ["a b  c", "Hello, world! 1234", "naïve\n\n x", "the  end.", " lead"]
                if TOOL:
                    self.assertEqual(self.ids_of(run, texts), self.ids_of(beside, texts))

    def test_quantized_weights_are_those_of_gguf(self):
        kind = gguf.GGMLQuantizationType.Q8_0
        converter = Qwen("qwen2", "qwen2")
        run = self.import_gguf(converter.write(self.dir / "q8.gguf", kind))
        ours = read_tensors(checkpoint_of(run) / "model.safetensors")
        for theirs, name in (("blk.0.attn_q.weight", "layers.0.attention.q.weight"),
                             ("blk.1.ffn_up.weight", "layers.1.ffn.in.weight")):
            tensor = converter.tensors()[theirs]
            values = gguf.quants.dequantize(gguf.quants.quantize(tensor, kind), kind).astype(np.float32)
            self.assertEqual(ours[name][2], values.tobytes(), name)

    def test_a_file_is_measured_as_it_is(self):
        path = Qwen("qwen2", "qwen2").write(self.dir / "model.gguf")
        text = self.dir / "text.txt"
        text.write_text("one two three and four\n" * 40)
        environment = {**os.environ, "LONGBOW_CACHE": str(self.dir / "cache")}

        def longbow(*arguments, code=0):
            done = subprocess.run([os.environ["LONGBOW"], *map(str, arguments)], capture_output=True, text=True, cwd=self.dir,
                                  env=environment, timeout=PATIENCE)
            self.assertEqual(done.returncode, code, done.stderr)
            return done.stderr

        self.assertIn("imported into", longbow("eval", path, "--text", text, "--lengths", 32))
        longbow("eval", self.import_gguf(path), "--text", text, "--lengths", 32, "--out", "run.jsonl")
        rows = [json.loads((self.dir / name).read_text()) for name in ("results.jsonl", "run.jsonl")]
        self.assertEqual([row["name"] for row in rows], ["model.gguf", "gguf"])
        self.assertEqual(rows[0]["nll"], rows[1]["nll"])
        path.rename(self.dir / "other.name")  # what is in a file decides, not its name
        self.assertIn("found in the cache", longbow("prepare", "--tokenizer", f"hf:{self.dir}/other.name", "--valid", text,
                                                    "--out", "store"))
        longbow("eval", "other.name", "--data", "store", "--lengths", 32)
        self.assertIn("@train-length=N is the only one", longbow("eval", "other.name@rounded", "--text", text, "--lengths", 32,
                                                                 code=2))

    def test_damaged_files(self):
        whole = Llama("llama").write(self.dir / "whole.gguf").read_bytes()
        path = pathlib.Path(self.dir / "damaged.gguf")
        for size in (0, 3, 24, 100, 2000, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            self.import_gguf(path, code=5)
        self.assertIn("no such", self.import_gguf(self.dir / "none.gguf", code=5).lower())


if __name__ == "__main__":
    unittest.main()
