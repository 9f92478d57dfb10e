"""Measures the memory of `longbow import hf`: the peak of the process beside the model's size and its largest tensor,
for a generated Llama of 1.1 billion parameters in bf16, written shard by shard."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOKENIZER = ROOT / "tests/golden/hf/llama/tokenizer.json"
TARGET = 1.1
# TinyLlama's sizes.
SIZES = {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
         "num_key_value_heads": 4, "vocab_size": 32000}


def shapes(sizes):
    """Yields the tensors of one shard after the other: {name: shape}."""
    width, inner, vocabulary = sizes["hidden_size"], sizes["intermediate_size"], sizes["vocab_size"]
    keys = width // sizes["num_attention_heads"] * sizes["num_key_value_heads"]
    yield {"model.embed_tokens.weight": [vocabulary, width], "model.norm.weight": [width]}
    for number in range(sizes["num_hidden_layers"]):
        layer = f"model.layers.{number}."
        yield {f"{layer}input_layernorm.weight": [width], f"{layer}post_attention_layernorm.weight": [width],
               f"{layer}self_attn.q_proj.weight": [width, width], f"{layer}self_attn.k_proj.weight": [keys, width],
               f"{layer}self_attn.v_proj.weight": [keys, width], f"{layer}self_attn.o_proj.weight": [width, width],
               f"{layer}mlp.gate_proj.weight": [inner, width], f"{layer}mlp.up_proj.weight": [inner, width],
               f"{layer}mlp.down_proj.weight": [width, inner]}
    yield {"lm_head.weight": [vocabulary, width]}


def write_shard(path, tensors, generator):
    """Writes random bf16 values: the upper halves of fp32 ones."""
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for about in header.values():
            begin, end = about["data_offsets"]
            values = generator.standard_normal((end - begin) // 2, dtype="float32") * 0.02
            file.write((values.view("uint32") >> 16).astype("uint16").tobytes())
    return {name: about["data_offsets"][1] - about["data_offsets"][0] for name, about in header.items()}


def write_folder(folder, sizes):
    """Writes the model. Returns the bytes of each tensor."""
    import numpy

    generator = numpy.random.default_rng(1)
    bytes_of, index = {}, {}
    for number, tensors in enumerate(shapes(sizes)):
        name = f"model-{number:05}.safetensors"
        index.update(dict.fromkeys(tensors, name))
        bytes_of.update(write_shard(folder / name, tensors, generator))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "max_position_embeddings": 2048, "rope_theta": 10000.0, "tie_word_embeddings": False, "bos_token_id": 1,
        "eos_token_id": 2, "torch_dtype": "bfloat16", **sizes}))
    shutil.copy(TOKENIZER, folder / "tokenizer.json")
    return bytes_of


def peak_of(command):
    """Runs the command. Returns the most bytes that it had in memory at once, mapped files among them."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"error: {' '.join(map(str, command))} ended with {process.returncode}")
    return usage.ru_maxrss * 1024


def measure(program, home, sizes=None):
    """One row. `home` is a folder with room for the model twice."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as name:
        folder = pathlib.Path(name)
        (folder / "model").mkdir()
        bytes_of = write_folder(folder / "model", sizes or SIZES)
        peak = peak_of([program, "import", "hf", folder / "model", "--out", folder / "run", "--quiet"])
    model, largest = sum(bytes_of.values()), max(bytes_of.values())
    return {"benchmark": "public-import", "parameters": model // 2, "peak_mb": peak / 1e6, "model_mb": model / 1e6,
            "largest_tensor_mb": largest / 1e6, "ratio": peak / (model + largest), "target": TARGET}


def line(row):
    return (f"public     {row['ratio']:5.2f}x of model and largest tensor is the most memory of an import: "
            f"{row['peak_mb']:.0f} MB for {row['model_mb']:.0f} + {row['largest_tensor_mb']:.0f} MB "
            f"({row['parameters'] / 1e9:.2f}B parameters in bf16, target at most {row['target']:.1f}x)")
