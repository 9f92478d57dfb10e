"""`longbow export gguf`: PyPI's gguf reads an exported file with the values that the run has, laid out as llama.cpp wants
them; llama.cpp's graph (gguf_graph.py) computes with it what the run does; and `longbow import gguf` makes the same model
of it: settings, log-probabilities and ids. Needs NumPy and gguf; skipped (exit status 77) without them."""

import subprocess
import sys
import unittest

try:
    import gguf
    import numpy as np
    from gguf_case import (CHECKPOINT, EXACT, GELU, LLAMA, LONGBOW, NEOX, NO_BIAS, PLAIN, RMS, ROUNDED, USAGE, ExportCase,
                           Layout, checkpoint, longbow, quantized, read, settings, write)
    from patience import PATIENCE
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

# name: (architecture, settings). Those with "~" round the last bit of some weights.
TRAINED = {
    "mpt": ("mpt", ["position.method=alibi", GELU, NO_BIAS, PLAIN]),
    "mpt_clip": ("mpt", ["position.method=alibi", "model.activation=gelu", PLAIN, "model.qkv_clip=0.5", "model.kv_heads=2",
                         "position.bias_max=16", "model.key_bias=true"]),
    "bloom": ("bloom", ["position.method=alibi", "model.activation=gelu_bloom", "model.embedding_norm=true", PLAIN]),
    "refact": ("refact", ["position.method=alibi", *RMS, NO_BIAS, PLAIN, "model.kv_heads=3", "model.head_dim=8"]),
    "jais": ("jais", ["position.method=alibi", "model.activation=swiglu", "position.bias_max=4", PLAIN]),
    "jais_rounded~": ("jais", ["position.method=alibi", "model.activation=swiglu", NO_BIAS, "model.heads=3"]),
    "llama": ("llama", [*LLAMA, "model.key_bias=true", "model.kv_heads=3", "model.head_dim=8", PLAIN]),
    "llama_halves": ("llama", [*LLAMA, NO_BIAS, "model.tie_output=false", "model.norm_weights=false", PLAIN,
                               "position.pairs=halves", "position.base=500000"]),
    "llama_scaled~": ("llama", [*LLAMA, NO_BIAS]),
    "llama_linear": ("llama", [*LLAMA, NO_BIAS, PLAIN, "position.scaling=linear", "position.factor=3"]),
    "llama_yarn": ("llama", [*LLAMA, NO_BIAS, PLAIN, "position.scaling=yarn", "position.factor=4"]),
    "llama_llama3": ("llama", [*LLAMA, NO_BIAS, PLAIN, "position.scaling=llama3", "position.factor=4", "model.head_dim=12",
                               "model.ffn_bias=on"]),
    "qwen3": ("qwen3", [*LLAMA, NO_BIAS, PLAIN, "model.qk_norm=head", "model.kv_heads=3"]),
    "qwen3_scores~": ("qwen3", [*LLAMA, NO_BIAS, PLAIN, "model.qk_norm=head", "model.score_scale=0.3"]),
    "olmo2": ("olmo2", [*LLAMA, NO_BIAS, PLAIN, "model.qk_norm=whole", "model.block=sublayer_norm"]),
    "gemma~": ("gemma", ["position.method=rotary", "model.norm=rmsnorm_1p", "model.activation=geglu_tanh", NO_BIAS,
                         "model.head_dim=8", "model.kv_heads=1"]),
    "gptneox": ("gptneox", [*NEOX, "model.key_bias=true", PLAIN]),
    "gptneox_parallel": ("gptneox", ["position.method=rotary", "model.activation=gelu", NO_BIAS, "model.block=parallel",
                                     "model.tie_output=false", "position.dim=2", PLAIN]),
    "stablelm": ("stablelm", ["position.method=rotary", "model.activation=swiglu", NO_BIAS, "model.qkv_bias=on",
                              "model.norm_bias=on", "model.kv_heads=2", "position.dim=2", PLAIN]),
    "falcon": ("falcon", [*NEOX, NO_BIAS, "model.block=parallel_one_norm", "model.kv_heads=1", PLAIN]),
    "phi2": ("phi2", [*NEOX, "model.block=parallel_one_norm", "position.dim=2", "model.head_bias=true", PLAIN]),
    "gpt2": ("gpt2", ["position.method=learned", GELU, "model.key_bias=true", PLAIN, "model.norm_eps=1e-6"]),
    "gpt2_without_positions": ("gpt2", ["position.method=none", "model.activation=gelu", NO_BIAS, PLAIN]),
    "gpt2_scores~": ("gpt2", ["position.method=learned", GELU, PLAIN, "model.score_scale_by_layer=true", "model.layers=3",
                              "model.norm_weights=false"]),
}


class Trained(ExportCase):
    def test_each_architecture(self):
        self.assertLessEqual({architecture for architecture, _ in TRAINED.values()} | {"qwen2"},
                             set(longbow("import", "gguf", "--help").replace(",", " ").split()))
        for name, (architecture, overrides) in TRAINED.items():
            with self.subTest(name):
                run = self.train(*overrides)
                path = self.export(run)
                self.assertIn(f": {architecture}, ", self.said)
                self.check_file(run, path, architecture)
                again = self.imported("gguf", path)
                self.check_settings(run, again)
                self.assert_same_model(run, path, again, 32 if "method=learned" in str(overrides) else 48,
                                       ROUNDED if name.endswith("~") else EXACT)
                self.assertEqual("last bit" in self.said, name.endswith("~"), self.said)
                self.assertEqual("tanh form" in self.said, "model.activation=gelu" in overrides)

    def check_file(self, run, path, architecture):
        fields, tensors = read(path)
        model, _ = settings(run)
        self.assertEqual(fields["general.architecture"], architecture)
        self.assertEqual(fields["general.file_type"], gguf.LlamaFileType.ALL_F32)
        self.assertEqual(fields["general.quantization_version"], gguf.GGML_QUANT_VERSION)
        self.assertEqual(fields["general.name"], "run")
        self.assertEqual(fields[f"{architecture}.block_count"], model["layers"])
        self.assertEqual(fields[f"{architecture}.attention.head_count_kv"], model["kv_heads"] or model["heads"])
        self.assertEqual(len(fields["tokenizer.ggml.tokens"]), tensors["token_embd.weight"][1].shape[0])
        layout = Layout(run, architecture)
        known = gguf.MODEL_TENSORS[next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)]
        names = {gguf.TENSOR_NAMES[one].format(bid=layer) for one in known for layer in range(model["layers"])}
        for name, (kind, values) in tensors.items():
            self.assertIn(name.rsplit(".", 1)[0], names, "a name that llama.cpp knows")
            self.assertEqual(kind, "F32")
            if name != "rope_freqs.weight":
                np.testing.assert_array_equal(values, layout.tensor(name), name)

    def check_settings(self, run, again):
        (ours, position), (theirs, other) = settings(run), settings(again)
        for key in ("layers", "dim", "heads", "ffn_dim", "activation", "norm_eps", "block", "embedding_norm", "qk_norm",
                    "qkv_clip", "final_norm"):
            self.assertEqual(theirs[key], ours[key], key)
        self.assertEqual(theirs["norm"], ours["norm"].removesuffix("_1p"))
        for model in (ours, theirs):
            model["kv_heads"] = model["kv_heads"] or model["heads"]
            model["head_dim"] = model["head_dim"] or model["dim"] // model["heads"]
        self.assertEqual((theirs["kv_heads"], theirs["head_dim"]), (ours["kv_heads"], ours["head_dim"]))
        self.assertEqual(other["method"], "learned" if position["method"] == "none" else position["method"])
        for key in ("base", "dim", "scaling", "factor", "low_freq_factor", "high_freq_factor", "bias_max", "slopes"):
            self.assertEqual(other.get(key), position.get(key), key)
        if position.get("scaling") in ("yarn", "llama3"):
            self.assertEqual(other["original_length"], 32)

    def test_an_architecture_that_is_asked_for(self):
        run = self.train(*LLAMA, PLAIN, NO_BIAS, "model.qkv_bias=on")
        path = self.export(run, "--architecture", "qwen2")
        self.check_file(run, path, "qwen2")
        self.assert_same_model(run, path, self.imported("gguf", path), 48, EXACT)
        error = self.export(run, "--architecture", "gpt2", code=CHECKPOINT)
        self.assertIn("in the way of gpt2 stands position.method: rotary (it has learned)", error)
        self.assertIn("--architecture", error)

    def test_types(self):
        run = self.train(*LLAMA, PLAIN, NO_BIAS, "model.dim=64", "model.heads=4", "model.ffn_dim=72", "model.kv_heads=2")
        _, whole = read(self.export(run))
        for dtype, name in (("fp16", "F16"), ("bf16", "BF16"), ("q8_0", "Q8_0")):
            with self.subTest(dtype):
                path = self.export(run, "--dtype", dtype)
                fields, _ = read(path)
                self.assertEqual(fields["general.file_type"], gguf.LlamaFileType[f"MOSTLY_{name}"])
                reader = gguf.GGUFReader(path)
                self.assertEqual([tensor.name for tensor in reader.tensors], list(whole))
                for tensor in reader.tensors:
                    values = whole[tensor.name][1]
                    # Rows of 72 are no blocks of 32.
                    kind = "F32" if values.ndim == 1 else "F16" if name == "Q8_0" and values.shape[1] == 72 else name
                    self.assertEqual(tensor.tensor_type.name, kind, tensor.name)
                    self.assertEqual(tensor.data_offset % 32, 0)
                    self.assertEqual(tensor.data.tobytes(), quantized(values, kind), tensor.name)
                self.assertEqual("no blocks of 32" in self.said, dtype == "q8_0")
                # What has been rounded once is not rounded again.
                before = path.read_bytes()
                again = self.imported("gguf", path)
                self.assertEqual(self.export(again, *(["--dtype", dtype] if dtype == "q8_0" else [])).read_bytes(), before)

    def test_weights_that_are_hard_to_round(self):
        """Ties, zeros, one large weight among small ones, tiny scales; and weights that a type cannot hold."""
        run = self.train(*LLAMA, PLAIN, NO_BIAS, "model.dim=64", "model.heads=4")
        fields, tensors = read(self.export(run))
        name = "blk.0.attn_output.weight"
        values = np.random.default_rng(5).standard_normal((64, 64)).astype(np.float32)
        values[0] = 0
        values[1] = np.arange(64) / 2 - 16
        values[2] *= 1e-7
        values[3, 5] = 1e4
        values[4] *= 1e-30
        values[5] = np.round(values[5] * 4) / 4
        values[5, 0] = values[5, 32] = 127
        values[6] = (1 + np.arange(64) / 2**11) * 2.0 ** -np.arange(64).clip(0, 26)
        tensors[name] = "F32", values
        run = self.imported("gguf", write(self.dir / "hard.gguf", fields, tensors))
        for dtype, kind in (("q8_0", "Q8_0"), ("fp16", "F16"), ("bf16", "BF16")):
            reader = gguf.GGUFReader(self.export(run, "--dtype", dtype))
            tensor = next(tensor for tensor in reader.tensors if tensor.name == name)
            self.assertEqual(tensor.data.tobytes(), quantized(values, kind), dtype)
        values[7, 3] = 1e8
        run = self.imported("gguf", write(self.dir / "large.gguf", fields, tensors))
        self.export(run, "--dtype", "bf16")
        for dtype, kind in (("q8_0", "Q8_0"), ("fp16", "F16")):
            error = self.export(run, "--dtype", dtype, code=CHECKPOINT)
            self.assertIn(f"{name} has values that are not finite, or too large for {kind}", error)

    def test_what_no_architecture_holds_is_refused(self):
        error = self.export(self.train("position.method=alibi"), code=CHECKPOINT)
        self.assertIn("in the way of mpt stands model.activation: relu (it has gelu)", error)
        self.assertIn("in the way of jais stands model.activation: relu (it has swiglu)", error)
        self.assertIn("--custom-code", error)
        self.assertNotIn("llama ", error)
        self.assertIn("none has position.method: t5",
                      self.export(self.train("position.method=t5", GELU), code=CHECKPOINT))
        error = self.export(self.train(*LLAMA, "position.window=9", NO_BIAS), code=CHECKPOINT)
        self.assertIn("in the way of llama stands position.window: 9 (it has 0)", error)
        error = self.export(self.train(*NEOX, "position.scaling=dynamic", "position.factor=2"), code=CHECKPOINT)
        self.assertIn("in the way of gptneox stands position.scaling: dynamic (it has none)", error)

    def test_places(self):
        run = self.train(*LLAMA, PLAIN)
        path = self.export(run)
        before = path.read_bytes()
        error = longbow("export", "gguf", run, "--out", path, code=USAGE)
        self.assertIn("already exists", error)
        self.assertEqual(path.read_bytes(), before)
        piped = subprocess.run([LONGBOW, "export", "gguf", f"{run}@last", "--out", "-"], capture_output=True, timeout=PATIENCE)
        self.assertEqual(piped.returncode, 0, piped.stderr)
        self.assertEqual(piped.stdout, before)
        self.assertIn(b"llama", piped.stderr)
        self.assertIn("No space left", longbow("export", "gguf", run, "--out", "/dev/full", code=1))
        self.assertIn("there is no folder", longbow("export", "gguf", run, "--out", self.dir / "none/a.gguf", code=1))
        link = self.dir / "link.gguf"
        link.symlink_to(self.dir / "target.gguf")
        longbow("export", "gguf", f"{run}@last", "--out", link)
        self.assertTrue(link.is_symlink())
        self.assertEqual((self.dir / "target.gguf").read_bytes(), before)
        for wrong in (("--dtype", "q4_0"), ("--architecture", "opt")):
            longbow("export", "gguf", run, "--out", self.dir / "wrong.gguf", *wrong, code=USAGE)
        self.assertFalse((self.dir / "wrong.gguf").exists())

    def test_a_damaged_checkpoint(self):
        run = self.train(*LLAMA, PLAIN)
        path = checkpoint(run).resolve() / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        self.assertIn("model.safetensors", self.export(run, code=CHECKPOINT))


if __name__ == "__main__":
    unittest.main()
