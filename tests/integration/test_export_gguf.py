"""`longbow export gguf`: PyPI's gguf reads an exported file with the values that the run has, laid out as llama.cpp wants
them; llama.cpp's graph (gguf_graph.py) computes with it what the run does; and `longbow import gguf` makes the same model
of it: settings, log-probabilities and ids. Needs NumPy and gguf; skipped (exit status 77) without them. LONGBOW_GOLDEN_HF
names another folder with public models than tests/golden/hf."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import gguf
    import numpy as np
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

from gguf_graph import Graph
from hf_case import read_tensors
from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "longbow")
TOOL = os.environ.get("LONGBOW_TOKENIZER_TOOL", "tokenizer_tool")
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
GOLDEN = pathlib.Path(os.environ.get("LONGBOW_GOLDEN_HF", SOURCE / "tests/golden/hf"))
USAGE, CHECKPOINT = 2, 5
# Nats, computed in fp64: of weights that are the same, of some whose last bit is rounded, and of the two forms of gelu.
EXACT, ROUNDED, OTHER_GELU = 1e-9, 2e-5, 2e-2
GRAPH = 1e-7  # keys are in single precision: epsilon, clamp
WORDS = "the a one two three sun moon river house walks sees gives under over quick quiet green old and but".split()
TEXTS = ["the quick river", " two  spaces\n\n and lines\n", "don't caf\u00e9 \u6559\u80b2 12 3.4!?", "a\tb  c", "   1234567",
         "na\u00efve (x) [y]\r\n  z", "", "\U0001f600 \u00bd \u2028x"]

CONFIG = """
model: {layers: 2, dim: 24, heads: 6, ffn_dim: 96, dropout: 0.0}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: STORE, train: [TRAIN]}
optim: {lr: 2e-2}
train: {length: 32, batch: 4, stop: 8 updates}
log: {tensorboard: false}
"""
PLAIN, NO_BIAS = "model.embedding_scale=none", "model.bias=false"
RMS = ["model.norm=rmsnorm", "model.activation=swiglu"]
LLAMA = ["position.method=rotary", *RMS]
GELU = "model.activation=gelu_tanh"
NEOX = ["position.method=rotary", GELU]

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
# Golden folders and what their models are exported to; None: nothing holds them.
FOLDERS = {"bloom_heads4": "bloom", "bloom_heads12": "bloom", "falcon_7b_like": "falcon", "falcon_rw": None, "gpt2": "gpt2",
           "gptj": "phi2", "llama": "llama", "llama3": "llama", "llama_dynamic": None, "llama_linear": "llama",
           "mistral": None, "mpt_biasmax16": "mpt", "mpt_heads4": "mpt", "mpt_heads10": "mpt", "neox": "gptneox",
           "opt": None, "phi": "phi2", "qwen2": "qwen2", "qwen3": "qwen3"}
FOLDER, CONFIG_FILE = None, None


def longbow(*arguments, code=0, **more):
    done = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, timeout=PATIENCE,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, **more)
    out, err = done.stdout, done.stderr.decode(errors="replace")
    assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{out[:2000]}{err}"
    return err if code else out.decode(errors="replace")


def setUpModule():
    global FOLDER, CONFIG_FILE
    FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="longbow-export-gguf-"))
    draw = random.Random(1)
    text = "".join(" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) + "\n" for _ in range(300))
    (FOLDER / "train.txt").write_text(text)
    CONFIG_FILE = FOLDER / "tiny.yaml"
    CONFIG_FILE.write_text(CONFIG.replace("STORE", str(FOLDER / "store")).replace("TRAIN", str(FOLDER / "train.txt")))


def tearDownModule():
    shutil.rmtree(FOLDER)


def checkpoint(run):
    return run / "checkpoints/last"


def weights(run):
    """Returns a checkpoint's weights as fp32 arrays, by our names."""
    found = {}
    for name, (dtype, shape, data) in read_tensors(checkpoint(run) / "model.safetensors").items():
        if dtype == "U8":
            continue  # fillers
        if dtype == "BF16":
            values = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(data, {"F32": np.float32, "F16": np.float16}[dtype]).astype(np.float32)
        found[name] = values.reshape(shape)
    return found


def settings(run):
    with (checkpoint(run) / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    config = json.loads(header["__metadata__"]["longbow.config"])
    return config["model"], config["position"]


def read(path):
    """Returns a file's fields as Python values, and its tensors as (type, fp32 array)."""
    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    tensors = {tensor.name: (tensor.tensor_type.name,
                             gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
                             .reshape(tuple(reversed(tensor.shape.tolist()))))
               for tensor in reader.tensors}
    return fields, tensors


def quantized(values, kind):
    return gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind]).tobytes()


def write(path, fields, tensors, extra=lambda writer: None):
    """Writes what read() returns, with PyPI's gguf."""
    writer = gguf.GGUFWriter(path, fields["general.architecture"])
    for key, value in fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        if isinstance(value, list):
            writer.add_array(key, value)
        else:
            add = {bool: writer.add_bool, float: writer.add_float32, str: writer.add_string}.get(type(value), writer.add_uint32)
            add(key, value)
    extra(writer)
    for name, (_, values) in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def other_pairs(rows, heads, turned, to_neighbours):
    """The rows of each head with the other order of pairs: halves or neighbours."""
    size = rows.shape[0] // heads
    order = np.arange(turned).reshape((2, -1) if to_neighbours else (-1, 2)).T.reshape(-1)
    whole = np.concatenate([order, np.arange(turned, size)])
    return rows.reshape(heads, size, *rows.shape[1:])[:, whole].reshape(rows.shape)


class Layout:
    """What a file must have, computed from a run's weights with NumPy: names, fused matrices, order of rows, zeros."""

    NAMES = {"attention.out": "attn_output", "ffn.in": "ffn_up", "ffn.gate": "ffn_gate", "ffn.out": "ffn_down",
             "attention.q_norm": "attn_q_norm", "attention.k_norm": "attn_k_norm"}

    def __init__(self, run, architecture):
        self.weights, self.architecture = weights(run), architecture
        self.model, self.position = settings(run)
        self.heads = self.model["heads"]
        self.size = self.model["head_dim"] or self.model["dim"] // self.heads
        self.kv_heads = self.model["kv_heads"] or self.heads

    def get(self, name, *shape, otherwise=0.0):
        values = self.weights.get(name)
        return np.full(shape, otherwise, np.float32) if values is None else values

    def turned(self, rows, heads):
        if self.position["method"] != "rotary":
            return rows
        neighbours = self.position.get("pairs", "interleaved") == "interleaved"
        wanted = self.architecture == "llama"
        return rows if neighbours == wanted else other_pairs(rows, heads, self.position.get("dim") or self.size, wanted)

    def projection(self, layer, part, kind):
        heads = self.heads if part == "q" else self.kv_heads
        rows = heads * self.size
        shape = (rows,) if kind == "bias" else (rows, self.model["dim"])
        values = self.get(f"layers.{layer}.attention.{part}.{kind}", *shape)
        if part == "q" and self.model["score_scale_by_layer"]:
            values = (values.astype(np.float64) / (layer + 1)).astype(np.float32)
        if part == "q" and self.architecture == "jais":
            values = (values.astype(np.float64) * np.sqrt(self.size)).astype(np.float32)
        return values if part == "v" else self.turned(values, heads)

    def tensor(self, name):
        where, kind = name.rsplit(".", 1)
        dim = self.model["dim"]
        if where == "token_embd":
            scaled = self.model["embedding_scale"] != "none" and self.architecture != "gemma"
            return (self.weights["embed.tokens.weight"].astype(np.float64) * (np.sqrt(dim) if scaled else 1)).astype(np.float32)
        if where == "output":
            own = self.weights.get(f"head.{kind}")
            embedding = self.weights["embed.tokens.weight"]
            return own if own is not None else embedding if kind == "weight" else np.zeros(len(embedding), np.float32)
        if where == "position_embd":
            return self.get("position.weight", 512, dim)
        if where in ("output_norm", "token_embd_norm"):
            return self.norm({"output_norm": "final_norm", "token_embd_norm": "embed.norm"}[where], kind)
        _, layer, part = where.split(".")
        norms = {"attn_norm": "norm1", "ffn_norm": "norm2", "post_attention_norm": "norm1", "post_ffw_norm": "norm2"}
        if part in norms:
            return self.norm(f"layers.{layer}.{norms[part]}", kind)
        if part == "attn_qkv":
            return np.concatenate([self.projection(int(layer), one, kind) for one in "qkv"])
        if part in ("attn_q", "attn_k", "attn_v"):
            return self.projection(int(layer), part[-1], kind)
        ours = next(ours for ours, theirs in self.NAMES.items() if theirs == part)
        values = self.get(f"layers.{layer}.{ours}.{kind}", self.model["ffn_dim"] if part in ("ffn_up", "ffn_gate") else dim)
        if part in ("attn_q_norm", "attn_k_norm"):
            whole = self.model["qk_norm"] == "whole"
            values = self.turned(values, (self.heads if part == "attn_q_norm" else self.kv_heads) if whole else 1)
            if part == "attn_q_norm" and self.model["score_scale"]:
                values = (values.astype(np.float64) * (self.model["score_scale"] * np.sqrt(self.size))).astype(np.float32)
        return values

    def norm(self, ours, kind):
        values = self.get(f"{ours}.{kind}", self.model["dim"], otherwise=1.0 if kind == "weight" else 0.0)
        return values + np.float32(1) if self.model["norm"] == "rmsnorm_1p" else values


class ExportCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=FOLDER))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def train(self, *overrides):
        run = self.dir / "run"
        shutil.rmtree(run, ignore_errors=True)
        longbow("train", "-c", CONFIG_FILE, "--run-dir", run, "--threads", 1, "--device", "cpu", "--quiet", *overrides)
        return run

    def export(self, run, *arguments, code=0):
        path = self.dir / "out.gguf"
        path.unlink(missing_ok=True)
        said = longbow("export", "gguf", f"{run}@last", "--out", path, *arguments, code=code)
        if code:
            self.assertFalse(path.exists(), "an error leaves nothing behind")
            self.assertEqual([one.name for one in self.dir.iterdir() if one.name.startswith(".out")], [])
            self.assertEqual(len(said.splitlines()), 1, said)
            return said
        self.said = said
        return path

    def imported(self, kind, source):
        out = self.dir / f"imported_{kind}"
        shutil.rmtree(out, ignore_errors=True)
        longbow("import", kind, source, "--out", out)
        return out

    def logprobs(self, run, length, words=300):
        ids = self.dir / "ids.npy"
        np.save(ids, np.random.default_rng(3).integers(0, words, length))
        longbow("eval", f"{run}@last", "--ids", ids, "--protocol", "hf", "--bos", "never", "--lengths", length, "--stride",
                length, "--dtype", "fp64", "--token-logprobs", self.dir / "out.npy", "--threads", 1, "--device", "cpu",
                "--out", self.dir / "rows.jsonl", "--again")
        return np.load(self.dir / "out.npy")

    def assert_same_model(self, run, path, again, length, tolerance, words=300):
        """The run, the file in llama.cpp's graph, and the run that is imported from it."""
        ours, theirs = self.logprobs(run, length, words), self.logprobs(again, length, words)
        self.assertGreater(np.ptp(ours), 0.1, "a model that gives all words the same shows nothing")
        self.assertLess(np.abs(ours - theirs).max(), tolerance)
        graph = Graph(*read(path)).logprobs(np.load(self.dir / "ids.npy"))
        other = "tanh form" in self.said
        difference = np.abs(ours - graph).max()
        self.assertLess(difference, OTHER_GELU if other else max(tolerance, GRAPH))
        self.assertGreater(difference, EXACT if other else -1, "what the command says is so")

    def ids(self, folder, texts=TEXTS):
        stdin = b"".join(b"%d\n%s" % (len(text.encode()), text.encode()) for text in texts)
        done = subprocess.run([TOOL, "load", str(folder)], input=stdin, capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [[int(word) for word in line.split()] for line in done.stdout.decode().splitlines()]


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


class Tokenizers(ExportCase):
    def test_our_byte_level_kind(self):
        run = self.train(*LLAMA, PLAIN)
        path = self.export(run)
        fields, _ = read(path)
        self.assertEqual((fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]), ("gpt2", "gpt-2"))
        end = fields["tokenizer.ggml.tokens"].index("<|endoftext|>")
        self.assertEqual(fields["tokenizer.ggml.token_type"][end], gguf.TokenType.CONTROL)
        self.assertEqual((fields["tokenizer.ggml.eos_token_id"], fields["tokenizer.ggml.bos_token_id"]), (end, end))
        self.assertFalse(fields["tokenizer.ggml.add_bos_token"])
        self.assertEqual(self.ids(checkpoint(self.imported("gguf", path))), self.ids(FOLDER / "store"))

    def test_sentencepiece(self):
        for model in ("bpe", "unigram"):
            with self.subTest(model):
                store = self.dir / f"store_{model}"
                run = self.train(*LLAMA, PLAIN, "tokenizer.kind=sentencepiece", f"tokenizer.sentencepiece_model={model}",
                                 "tokenizer.vocab_size=290", f"data.store={store}", f"data.train={FOLDER}/train.txt")
                path = self.export(run)
                fields, _ = read(path)
                if model == "unigram":
                    self.assertEqual(fields["tokenizer.ggml.model"], "no_vocab")
                    self.assertIn("no tokenizer: its model is of the type Unigram", self.said)
                    self.assertIn("--tokenizer", longbow("import", "gguf", path, "--out", self.dir / "no", code=CHECKPOINT))
                    continue
                self.assertEqual(fields["tokenizer.ggml.model"], "llama")
                types = fields["tokenizer.ggml.token_type"]
                self.assertEqual(types.count(gguf.TokenType.BYTE), 256)
                self.assertEqual(fields["tokenizer.ggml.tokens"][fields["tokenizer.ggml.unknown_token_id"]], "<unk>")
                self.assertIn("in front of each of its lines", self.said)
                lines = [text for text in TEXTS if "\n" not in text and text]
                self.assertEqual(self.ids(checkpoint(self.imported("gguf", path)), lines), self.ids(store, lines))

    def test_a_kind_without_a_form(self):
        run = self.train(*LLAMA, PLAIN, "tokenizer.kind=word", "tokenizer.vocab_size=0", f"data.store={self.dir}/store",
                         f"data.train={FOLDER}/train.txt")
        path = self.export(run)
        fields, tensors = read(path)
        self.assertEqual(fields["tokenizer.ggml.model"], "no_vocab")
        self.assertEqual(fields["llama.vocab_size"], tensors["token_embd.weight"][1].shape[0])
        self.assertIn("no tokenizer: ", self.said)


class Imported(ExportCase):
    def test_public_models(self):
        missing = set(FOLDERS) - {path.name for path in GOLDEN.iterdir()}
        self.assertFalse(missing)
        for folder in sorted(path for path in GOLDEN.iterdir() if (path / "config.json").exists()):
            with self.subTest(folder.name):
                run = self.imported("hf", folder)
                if FOLDERS.get(folder.name, "") is None:
                    self.assertIn("in the way", self.export(run, code=CHECKPOINT))
                    continue
                path = self.export(run, "--dtype", "fp32")
                fields, _ = read(path)
                if folder.name in FOLDERS:
                    self.assertEqual(fields["general.architecture"], FOLDERS[folder.name])
                again = self.imported("gguf", path)
                self.assert_same_model(run, path, again, 64, EXACT, words=100)
                self.assertNotIn("no tokenizer", self.said)
                texts = [text for text in TEXTS if folder.name != "mistral" or not text.startswith(" ")]
                self.assertEqual(self.ids(checkpoint(again), texts), self.ids(checkpoint(run), texts))

    def test_ids_of_a_padded_vocabulary(self):
        run = self.imported("hf", GOLDEN / "llama3")
        fields, _ = read(self.export(run))
        tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
        self.assertEqual(len(set(tokens)), len(tokens))
        self.assertTrue(fields["tokenizer.ggml.add_bos_token"])
        self.assertEqual(tokens[fields["tokenizer.ggml.bos_token_id"]], "<|begin_of_text|>")
        self.assertEqual(fields["tokenizer.ggml.pre"], "llama-bpe")
        for text, kind in zip(tokens, types):
            self.assertEqual(text.startswith("[PAD"), kind == gguf.TokenType.UNUSED, text)

    def test_a_file_comes_back(self):
        """All metadata of the tokenizer and the general ones are those that the file came with, and all tensors."""
        run = self.train(*LLAMA, PLAIN, "model.kv_heads=3", NO_BIAS)
        fields, tensors = read(self.export(run))
        def extra(writer):
            writer.add_license("CC0-1.0")
            writer.add_chat_template("{{ messages }}")
        fields |= {"general.name": "A model's own name", "tokenizer.ggml.pre": "phi-2", "tokenizer.ggml.eos_token_id": 7}
        path = write(self.dir / "other.gguf", fields, tensors, extra)
        again, values = read(self.export(self.imported("gguf", path)))
        before, _ = read(path)
        for key, value in before.items():
            if key.startswith(("general.", "tokenizer.", "llama.")):
                self.assertEqual(again[key], value, key)
        self.assertEqual(again["tokenizer.ggml.pre"], "phi-2")
        for name, (kind, array) in tensors.items():
            self.assertEqual(values[name][0], kind)
            np.testing.assert_array_equal(values[name][1], array, name)


if __name__ == "__main__":
    unittest.main()
