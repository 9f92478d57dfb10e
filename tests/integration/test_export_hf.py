"""`longbow export hf`: what transformers computes with an exported folder equals what Longbow computes, and an imported
model goes back byte by byte. Skipped where transformers is not installed. LONGBOW_GOLDEN_HF names another folder with
public models than tests/golden/hf."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
try:
    import numpy
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: an oracle is not installed: {error}")
        sys.exit(77)
    raise unittest.SkipTest(f"an oracle is not installed: {error}")

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "longbow")
TOOL = os.environ.get("LONGBOW_TOKENIZER_TOOL", "tokenizer_tool")
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
GOLDEN = pathlib.Path(os.environ.get("LONGBOW_GOLDEN_HF", SOURCE / "tests/golden/hf"))
CHECKPOINT = 5
TOLERANCE = 1.2e-5  # nats, of fp32
WORDS = "the a one two three sun moon river house walks sees gives under over quick quiet green old and but".split()

CONFIG = """
model: {layers: 2, dim: 24, heads: 6, ffn_dim: 96, dropout: 0.0}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: STORE, train: [TRAIN]}
optim: {lr: 2e-2}
train: {length: 32, batch: 4, stop: 8 updates}
log: {tensorboard: false}
"""

PLAIN = "model.embedding_scale=none"
NO_BIAS = "model.bias=false"
LLAMA = ["position.method=rotary", "model.norm=rmsnorm", "model.activation=swiglu"]
NEOX = ["position.method=rotary", "model.norm=layernorm", PLAIN]

# name: (class, settings)
NATIVE = {
    "mpt": ("MptForCausalLM", ["position.method=alibi", "model.activation=gelu", NO_BIAS, PLAIN]),
    "mpt_untied": ("MptForCausalLM", ["position.method=alibi", "model.activation=gelu", NO_BIAS,
                                      "model.tie_output=false", "model.qkv_clip=0.5", "model.score_scale=0.3"]),
    "xglm": ("XGLMForCausalLM", ["position.method=sinusoidal", "model.activation=relu"]),
    "xglm_untied": ("XGLMForCausalLM", ["position.method=sinusoidal", "model.activation=gelu", NO_BIAS, PLAIN,
                                        "model.tie_output=false"]),
    "gpt2": ("GPT2LMHeadModel", ["position.method=learned", "model.activation=gelu_tanh", "model.key_bias=true", PLAIN,
                                 "model.norm_eps=1e-6"]),
    "gpt2_without_positions": ("GPT2LMHeadModel", ["position.method=none", NO_BIAS, PLAIN]),
    "gpt2_scores": ("GPT2LMHeadModel", ["position.method=learned", PLAIN, "model.score_scale=1",
                                        "model.score_scale_by_layer=true", "model.norm_weights=false"]),
    "opt": ("OPTForCausalLM", ["position.method=learned", PLAIN, "model.block=post_norm", "model.final_norm=false",
                               "model.embedding_dim=12"]),
    "biogpt": ("BioGptForCausalLM", ["position.method=learned", "model.activation=gelu"]),
    "smollm3": ("SmolLM3ForCausalLM", ["position.method=none", *LLAMA[1:], "model.kv_heads=2", PLAIN]),
    "neox": ("GPTNeoXForCausalLM", [*NEOX, "model.key_bias=true"]),
    "neox_parallel": ("GPTNeoXForCausalLM", [*NEOX, NO_BIAS, "model.block=parallel", "model.activation=gelu",
                                             "model.tie_output=false", "position.dim=2"]),
    "neox_dynamic": ("GPTNeoXForCausalLM", [*NEOX, "position.scaling=dynamic", "position.factor=2"]),
    "llama": ("LlamaForCausalLM", [*LLAMA, "model.key_bias=true", "model.kv_heads=3", "model.head_dim=8", PLAIN]),
    "llama_untied": ("LlamaForCausalLM", [*LLAMA, NO_BIAS, "model.tie_output=false", "model.norm_weights=false"]),
    "llama_linear": ("LlamaForCausalLM", [*LLAMA, NO_BIAS, PLAIN, "position.scaling=linear", "position.factor=3"]),
    "llama_yarn": ("LlamaForCausalLM", [*LLAMA, NO_BIAS, PLAIN, "position.scaling=yarn", "position.factor=4"]),
    "llama_llama3": ("LlamaForCausalLM", [*LLAMA, NO_BIAS, PLAIN, "position.scaling=llama3", "position.factor=4",
                                          "position.pairs=halves", "model.ffn_bias=on"]),
    "mistral": ("MistralForCausalLM", [*LLAMA, NO_BIAS, PLAIN, "position.window=9"]),
    "qwen3": ("Qwen3ForCausalLM", [*LLAMA, PLAIN, "model.ffn_bias=off", "model.qk_norm=head", "model.kv_heads=3"]),
    "gemma": ("GemmaForCausalLM", [*LLAMA, NO_BIAS]),
    "gemma_1p": ("GemmaForCausalLM", ["position.method=rotary", "model.norm=rmsnorm_1p", "model.activation=geglu_tanh",
                                      NO_BIAS, "model.head_dim=8", "model.kv_heads=1"]),
    "stablelm": ("StableLmForCausalLM", [*NEOX, "model.activation=swiglu", NO_BIAS, "model.qkv_bias=on",
                                         "model.norm_bias=on", "model.kv_heads=2"]),
}

CUSTOM = {
    "alibi": ["position.method=alibi"],
    "alibi_rmsnorm": ["position.method=alibi", "model.norm=rmsnorm", "model.activation=swiglu", "model.key_bias=true",
                      "position.bias_max=16", "position.slopes=geometric", "model.kv_heads=3"],
    "alibi_falcon": ["position.method=alibi", "position.rounding=falcon", "attention.backend=reference", NO_BIAS],
    "t5": ["position.method=t5"],
    "t5_own": ["position.method=t5", "position.shared=false", "position.buckets=8", "position.max_distance=20",
               "model.norm=rmsnorm", NO_BIAS],
    "sinusoidal": ["position.method=sinusoidal", "model.norm=rmsnorm", "model.tie_output=false"],
    "learned": ["position.method=learned", "model.norm=rmsnorm_1p", "model.embedding_scale=sqrt_dim_fp32",
                "model.head_bias=true", "model.embedding_norm=true"],
    "rotary": ["position.method=rotary", "model.qk_norm=head", "model.qkv_clip=0.7", "position.dim=2",
               "model.score_scale_by_layer=true"],
    "kerple": ["position.method=kerple"],
    "kerple_power": ["position.method=kerple", "position.kernel=power", "position.shared=false", "model.kv_heads=2"],
    "sandwich": ["position.method=sandwich", "position.dim=20", "model.activation=gelu"],
    "p_rope": ["position.method=rotary", "position.share=0.6"],
    "rotary_yarn": [*LLAMA, "position.scaling=yarn", "position.factor=4", "model.qk_norm=whole", "position.window=9"],
    "none": ["position.method=none", "model.block=sublayer_norm", "model.norm=rmsnorm"],
    "normed_residual": ["position.method=none", "model.block=normed_residual", "model.final_norm=false"],
    "post_norm": ["position.method=alibi", "model.block=post_norm", "model.embedding_dim=12", "model.norm_bias=off"],
    "gelu_bloom": ["position.method=alibi", "model.activation=gelu_bloom", "model.embedding_norm=true"],
    "one_norm": ["position.method=rotary", "model.block=parallel_one_norm", "model.norm_weights=false"],
    "layers": ["position.layers=[{method: rotary, window: 7}, {method: alibi}]"],
    "adaptive": ["position.method=alibi", "model.adaptive_cutoffs=[100, 200]", "model.adaptive_factor=2"],
    "adaptive_apart": ["position.method=none", "model.adaptive_cutoffs=[100, 200]", "model.adaptive_factor=2",
                       "model.tie_output=false"],
}


def longbow(*arguments, code=0):
    result = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert result.returncode == code, f"{arguments}: exit code {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stderr if code else result.stdout


def safetensors(path):
    """Reads a file's tensors as {name: (dtype, shape, hash of the bytes)}, and its metadata."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        body = hashlib.sha256(data[8 + size + begin : 8 + size + end]).hexdigest()
        tensors[name] = (about["dtype"], about["shape"], body)
    return tensors, metadata


def is_buffer(name):
    return name.endswith((".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias",
                          ".rotary_emb.inv_freq"))


def load(folder, **arguments):
    """Loads a folder with transformers, and makes sure that no weight was missing, left over or made up."""
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, dtype=torch.float32,
                                                       **arguments)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[what], f"{folder}: {what} {info[what]}"
    return model.eval()


def set_up():
    global FOLDER, CONFIG_FILE
    FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="longbow-export-"))
    draw = random.Random(1)
    text = "".join(" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) + "\n" for _ in range(300))
    (FOLDER / "train.txt").write_text(text)
    CONFIG_FILE = FOLDER / "tiny.yaml"
    CONFIG_FILE.write_text(CONFIG.replace("STORE", str(FOLDER / "store")).replace("TRAIN", str(FOLDER / "train.txt")))


class Export(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=FOLDER))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def train(self, *settings):
        run = self.dir / "run"
        longbow("train", "-c", CONFIG_FILE, "--run-dir", run, "--threads", 1, "--device", "cpu", "--quiet", *settings)
        return run

    def ours(self, run, ids):
        """Returns the log-probabilities of a window's tokens but the first."""
        numpy.save(self.dir / "ids.npy", numpy.array(ids))
        longbow("eval", f"{run}@last", "--ids", self.dir / "ids.npy", "--protocol", "hf", "--bos", "never", "--lengths",
                len(ids), "--stride", len(ids), "--token-logprobs", self.dir / "ours.npy", "--threads", 1, "--device",
                "cpu", "--out", self.dir / "rows.jsonl", "--again")
        return numpy.load(self.dir / "ours.npy")

    @staticmethod
    def theirs(model, ids):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].double()
        return logits.log_softmax(-1)[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0].numpy()

    def compare(self, run, model, length, words=300):
        ids = random.Random(2).choices(range(words), k=length)
        ours, theirs = self.ours(run, ids), self.theirs(model, ids)
        self.assertEqual(ours.shape, theirs.shape)
        self.assertLess(numpy.abs(ours - theirs).max(), TOLERANCE)
        self.assertGreater(numpy.ptp(ours), 0.1, "a model that gives all words the same shows nothing")


class Trained(Export):
    def test_a_class_of_transformers_computes_the_same(self):
        for name, (class_name, settings) in NATIVE.items():
            with self.subTest(name):
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                shutil.rmtree(self.dir / "out", ignore_errors=True)
                run = self.train(*settings)
                said = longbow("export", "hf", f"{run}@last", "--out", self.dir / "out")
                self.assertIn(class_name, said)
                tensors, metadata = safetensors(self.dir / "out/model.safetensors")
                self.assertEqual(metadata, {"format": "pt"})
                self.assertEqual({dtype for dtype, _, _ in tensors.values()}, {"F32"})
                model = load(self.dir / "out")
                self.assertEqual(type(model).__name__, class_name)
                # Beyond the trained length, where there is no table of positions.
                self.compare(run, model, 32 if "method=learned" in str(settings) else 48)

    def test_own_code_computes_the_same(self):
        for name, settings in CUSTOM.items():
            with self.subTest(name):
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                run = self.train(*settings)
                out = self.dir / f"out_{name}"  # transformers remembers code by the folder's name
                longbow("export", "hf", f"{run}@last", "--out", out, "--custom-code")
                model = load(out, trust_remote_code=True)
                self.assertEqual(type(model).__name__, "LongbowForCausalLM")
                self.compare(run, model, 32 if "method=learned" in str(settings) else 48)

    def test_own_code_generates_and_takes_padding(self):
        run = self.train("position.method=t5")
        longbow("export", "hf", f"{run}@last", "--out", self.dir / "out_generate", "--custom-code")
        model = load(self.dir / "out_generate", trust_remote_code=True)
        ids = torch.tensor([[5, 17, 40, 33]])
        longer = model.generate(ids, max_new_tokens=4, do_sample=False)
        with torch.no_grad():
            for place in range(4, longer.shape[1]):
                logits = model(longer[:, :place]).logits[0, -1]
                self.assertEqual(int(logits.argmax()), int(longer[0, place]))
            padded = torch.tensor([[0, 0, 5, 17, 40, 33]])
            mask = torch.tensor([[0, 0, 1, 1, 1, 1]])
            difference = model(padded, attention_mask=mask).logits[0, 2:] - model(ids).logits[0]
        self.assertLess(difference.abs().max(), 1e-5)

    def test_the_tokenizer_gives_the_same_ids(self):
        run = self.train("position.method=sinusoidal")
        longbow("export", "hf", f"{run}@last", "--out", self.dir / "out")
        tokenizer = AutoTokenizer.from_pretrained(self.dir / "out")
        texts = ["the quick river", " two  spaces\n\n and lines\n", "don't caf\u00e9 \u6559\u80b2 12 3.4!?", ""]
        self.assertEqual([tokenizer(text)["input_ids"] for text in texts], self.ids("load", FOLDER / "store", texts))
        self.assertEqual(tokenizer.decode(tokenizer(texts[2])["input_ids"]), texts[2])
        self.assertEqual(tokenizer.eos_token, "<|endoftext|>")
        self.assertEqual(tokenizer.eos_token_id, AutoConfig.from_pretrained(self.dir / "out").eos_token_id)
        self.assertEqual(tokenizer.model_max_length, 32)

    def test_sentencepiece_models_learnt_here(self):
        texts = ["the quick river", " two  spaces\n\n and lines\n", "don't caf\u00e9 \u6559\u80b2 12 3.4!?", "\n", "walks"]
        for model in ("unigram", "bpe"):
            with self.subTest(model):
                shutil.rmtree(self.dir / "run", ignore_errors=True)
                shutil.rmtree(self.dir / "out", ignore_errors=True)
                store = self.dir / f"store_{model}"
                run = self.train("position.method=sinusoidal", "tokenizer.kind=sentencepiece",
                                 f"tokenizer.sentencepiece_model={model}", f"data.store={store}",
                                 f"data.train={FOLDER}/train.txt")
                longbow("export", "hf", f"{run}@last", "--out", self.dir / "out")
                tokenizer = AutoTokenizer.from_pretrained(self.dir / "out")
                self.assertEqual([tokenizer(text)["input_ids"] for text in texts], self.ids("load", store, texts))
                self.assertTrue((self.dir / "out/tokenizer.model").exists())

    def ids(self, *arguments):
        *arguments, texts = arguments
        stdin = b"".join(b"%d\n%s" % (len(text.encode()), text.encode()) for text in texts)
        done = subprocess.run([TOOL, *map(str, arguments)], input=stdin, capture_output=True, check=True)
        return [[int(word) for word in line.split()] for line in done.stdout.decode().splitlines()]

    def test_the_type_of_the_weights(self):
        run = self.train(*NEOX)
        for dtype, name in (("bf16", "BF16"), ("fp16", "F16")):
            out = self.dir / dtype
            longbow("export", "hf", f"{run}@last", "--out", out, "--dtype", dtype)
            tensors, _ = safetensors(out / "model.safetensors")
            self.assertEqual({kind for kind, _, _ in tensors.values()}, {name})
            config = json.loads((out / "config.json").read_text())
            self.assertEqual(config["torch_dtype"], config["dtype"])
            self.assertEqual(config["dtype"], {"bf16": "bfloat16", "fp16": "float16"}[dtype])

    def test_what_no_class_holds_is_refused(self):
        run = self.train("position.method=alibi")
        error = longbow("export", "hf", f"{run}@last", "--out", self.dir / "out", code=CHECKPOINT)
        self.assertIn("MptForCausalLM", error)
        self.assertIn("model.activation: relu (it has gelu)", error)
        self.assertIn("--custom-code", error)
        self.assertEqual(len(error.splitlines()), 1)
        self.assertFalse((self.dir / "out").exists())

    def test_nothing_is_overwritten(self):
        run = self.train("position.method=none", PLAIN)
        out = self.dir / "out"
        out.mkdir()
        (out / "mine").write_text("mine")
        error = longbow("export", "hf", f"{run}@last", "--out", out, code=2)
        self.assertIn("already exists", error)
        self.assertEqual([path.name for path in out.iterdir()], ["mine"])


class Imported(Export):
    def test_the_bytes_of_every_weight_come_back(self):
        folders = sorted(path for path in GOLDEN.iterdir() if (path / "config.json").exists())
        self.assertTrue(folders)
        for folder in folders:
            with self.subTest(folder.name):
                run, out = self.dir / f"run_{folder.name}", self.dir / folder.name
                longbow("import", "hf", folder, "--out", run)
                longbow("export", "hf", run, "--out", out)
                before = {}
                for file in sorted(folder.glob("model*.safetensors")):
                    before |= safetensors(file)[0]
                before = {name: about for name, about in before.items() if not is_buffer(name)}
                after, metadata = safetensors(out / "model.safetensors")
                self.assertEqual(after, before)
                self.assertEqual(metadata, {"format": "pt"})
                for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json",
                             "merges.txt"):
                    if (folder / name).exists():
                        self.assertEqual((out / name).read_bytes(), (folder / name).read_bytes(), name)
                ids = random.Random(3).choices(range(100), k=64)
                difference = self.theirs(load(out), ids) - self.theirs(load(folder), ids)
                self.assertEqual(numpy.abs(difference).max(), 0)
                if folder.name not in ("falcon_rw", "mpt_biasmax16"):  # which transformers computes otherwise
                    self.compare(run, load(out), 64, words=100)

    def test_another_type(self):
        folder = sorted(path for path in GOLDEN.iterdir() if path.name.startswith("llama"))[0]
        longbow("import", "hf", folder, "--out", self.dir / "run")
        longbow("export", "hf", self.dir / "run", "--out", self.dir / "out", "--dtype", "bf16")
        tensors, _ = safetensors(self.dir / "out/model.safetensors")
        self.assertEqual({kind for kind, _, _ in tensors.values()}, {"BF16"})
        before = json.loads((folder / "config.json").read_text())
        after = json.loads((self.dir / "out/config.json").read_text())
        for key in ("dtype", "torch_dtype"):
            if key in before:
                self.assertEqual(after.pop(key), "bfloat16")
                before.pop(key)
        self.assertEqual(after, before)


def setUpModule():
    set_up()


def tearDownModule():
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    unittest.main()
