"""Holds what the tests of imports of public models share: golden folders as plain data that a test may change and write
again, without packages."""

import json
import pathlib
import shutil
import struct

from import_case import GOLDEN, ImportCase

FOLDERS = GOLDEN / "hf"
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1, "BOOL": 1}


def count(shape):
    product = 1
    for size in shape:
        product *= size
    return product


def read_tensors(path):
    """Reads a safetensors file. Returns {name: (dtype, shape, bytes)}."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {name: (about["dtype"], about["shape"], data[8 + size + about["data_offsets"][0] : 8 + size + about["data_offsets"][1]])
            for name, about in header.items()}


def write_tensors(path, tensors):
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


class Model:
    """A folder's settings and tensors."""

    def __init__(self, name, settings=None, tensors=None):
        folder = FOLDERS / name
        self.tokenizer = folder / "tokenizer.json"
        self.settings = settings or json.loads((folder / "config.json").read_text())
        self.tensors = tensors or {}
        for path in [] if tensors else sorted(folder.glob("model*.safetensors")):
            self.tensors.update(read_tensors(path))

    def write(self, folder):
        """Writes the model with its weights in one file."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(self.settings))
        shutil.copy(self.tokenizer, folder / "tokenizer.json")
        write_tensors(folder / "model.safetensors", self.tensors)
        return folder

    def write_shards(self, folder):
        """Writes the model with its weights in two files and an index. Returns the index."""
        self.write(folder)
        (folder / "model.safetensors").unlink()
        names = list(self.tensors)
        index = {"metadata": {}, "weight_map": {}}
        for number, part in enumerate((names[::2], names[1::2]), 1):
            file = f"model-{number:05}-of-00002.safetensors"
            write_tensors(folder / file, {name: self.tensors[name] for name in part})
            index["weight_map"].update(dict.fromkeys(part, file))
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return index


def ones(shape):
    return "F32", shape, struct.pack("<f", 1.0) * count(shape)


def olmo2():
    """A model of a family that has no golden: the golden Llama with its norms behind the sub-layers."""
    model = Model("llama")
    model.settings["model_type"] = "olmo2"
    del model.settings["pretraining_tp"]
    for layer in ("model.layers.0", "model.layers.1"):
        tensors = model.tensors
        tensors[f"{layer}.post_feedforward_layernorm.weight"] = tensors.pop(f"{layer}.input_layernorm.weight")
        tensors[f"{layer}.self_attn.q_norm.weight"] = ones([24])
        tensors[f"{layer}.self_attn.k_norm.weight"] = ones([12])
    return model


def gemma():
    model = Model("llama")
    model.settings.update(model_type="gemma", head_dim=6, tie_word_embeddings=True, hidden_act="gelu")
    del model.settings["pretraining_tp"]
    del model.tensors["lm_head.weight"]
    return model


# One model of each family and form.
MODELS = {name: (lambda name=name: Model(name))
          for name in ("bloom_heads4", "falcon_7b_like", "falcon_rw", "gpt2", "gptj", "llama", "mistral", "mpt_heads4",
                       "neox", "opt", "phi", "qwen2", "qwen3")} | {"olmo2": olmo2, "gemma": gemma}


class HfCase(ImportCase):
    def import_hf(self, folder, *arguments, code=0):
        out = self.dir / "run"
        shutil.rmtree(out, ignore_errors=True)
        answer = self.run_longbow("import", "hf", folder, "--out", out, *arguments, code=code)
        if code:
            self.assertFalse(out.exists(), "an error leaves nothing behind")
            self.assertEqual([path.name for path in self.dir.iterdir() if path.name.startswith(".run")], [])
            return answer
        return out

    def refused(self, folder, *texts):
        error = self.import_hf(folder, code=5)
        for text in texts:
            self.assertIn(str(text), error)
        return error


def checkpoint_of(run):
    return pathlib.Path(run) / "checkpoints/step-00000000"
