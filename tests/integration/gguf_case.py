"""Holds what the tests of `longbow export gguf` share: small runs, exported files as NumPy arrays, and what such a file must
have. Needs NumPy and PyPI's gguf."""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import gguf
import numpy as np

from gguf_graph import Graph
from hf_case import read_tensors
from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "longbow")
TOOL = os.environ.get("LONGBOW_TOKENIZER_TOOL", "tokenizer_tool")
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


def longbow(*arguments, code=0, **more):
    done = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, timeout=PATIENCE,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, **more)
    out, err = done.stdout, done.stderr.decode(errors="replace")
    assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{out[:2000]}{err}"
    return err if code else out.decode(errors="replace")


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
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="longbow-export-gguf-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        draw = random.Random(1)
        text = "".join(" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) + "\n" for _ in range(300))
        (cls.folder / "train.txt").write_text(text)
        cls.config = cls.folder / "tiny.yaml"
        cls.config.write_text(CONFIG.replace("STORE", str(cls.folder / "store"))
                              .replace("TRAIN", str(cls.folder / "train.txt")))

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def train(self, *overrides):
        run = self.dir / "run"
        shutil.rmtree(run, ignore_errors=True)
        longbow("train", "-c", self.config, "--run-dir", run, "--threads", 1, "--device", "cpu", "--quiet", *overrides)
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
