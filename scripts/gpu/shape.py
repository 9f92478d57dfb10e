"""Reads the shape of the model whose update is timed, so that step.yaml alone says it, and counts its work."""
import pathlib
import re

from stores import LARGE_VOCABULARY as VOCAB

_text = (pathlib.Path(__file__).parent / "step.yaml").read_text()
_settings = dict(re.findall(r"^  (\w+): (\w+)$", _text, re.MULTILINE))
LAYERS, DIM, HEADS, FFN, BATCH, LENGTH = (int(_settings[key])
                                          for key in ("layers", "dim", "heads", "ffn_dim", "batch", "length"))


def parameters():
    """Returns the number of weights in matrices; the embedding is also the output."""
    return LAYERS * (4 * DIM * DIM + 2 * DIM * FFN) + VOCAB * DIM


def flops(tokens, length):
    """Returns the work of an update: 6 a weight and token, and three times the causal half of attention's products."""
    return tokens * (6 * parameters() + 6 * LAYERS * length * DIM)
