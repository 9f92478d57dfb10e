"""Writes blocks.safetensors: blocks of random bytes of each quantized type, and the elements that PyPI's gguf makes of
them. The scales, which are halves, are drawn as numbers, so that none is infinite."""

import pathlib

import gguf
import numpy as np
from gguf.quants import dequantize
from safetensors.numpy import save_file

BLOCKS = 6
# Places of the halves in a block, in bytes.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "Q8_K": []}

rng = np.random.default_rng(7)
tensors = {}
for name, places in HALVES.items():
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for place in places:
        scales = rng.normal(0, 0.1, BLOCKS).astype(np.float16)
        scales[0] = 2.0 ** -20  # below the normal numbers
        blocks[:, place : place + 2] = scales.view(np.uint8).reshape(BLOCKS, 2)
    if name == "Q8_K":
        blocks[:, :4] = rng.normal(0, 0.1, BLOCKS).astype(np.float32).view(np.uint8).reshape(BLOCKS, 4)
        values = blocks[:, :4].view(np.float32) * blocks[:, 4:260].view(np.int8).astype(np.float32)
    else:
        values = dequantize(blocks, kind)
    assert values.size == BLOCKS * elements
    tensors[name + ".blocks"] = blocks
    tensors[name + ".values"] = values.reshape(BLOCKS, elements).astype(np.float32)
save_file(tensors, pathlib.Path(__file__).with_name("blocks.safetensors"))
