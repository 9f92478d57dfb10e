"""Imported models at eight times the length that they were made for: with each rotary scaling and each family's ALiBi, every
token's log-probability equals that of transformers computing in double, and the mean loss in fp32 that of transformers in fp32.

transformers holds rotary angles in fp32 in every type. Here its tables come from the scalings' formulas, written out below in
double, after they have been compared with its own. Where it leaves a model's definition (docs/import.md), both are compared:
`--rounded` with transformers as it is, and the default with transformers mended. Skipped where transformers is not installed."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
try:
    import numpy
    import torch
    import transformers
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: an oracle is not installed: {error}")
        sys.exit(77)
    raise unittest.SkipTest(f"an oracle is not installed: {error}")

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "longbow")
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
TOKENIZER = SOURCE / "tests/golden/hf/gpt2/tokenizer.json"
TRAINED = 64
LENGTH = 8 * TRAINED
IDS = LENGTH + 200  # the last window is shorter, and longer than what the model was made for
WORDS = 320
transformers.logging.disable_progress_bar()
EXACT, MEAN = 1e-7, 1e-4  # nats
SHOWS = 1e-2  # what a wrong table or slope must change at least, in nats, so that agreement says something

LLAMA = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": TRAINED}
# As files have it whose scaling was made for longer inputs.
LONGER = LLAMA | {"max_position_embeddings": LENGTH}
NEOX = {"hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 3,
        "max_position_embeddings": TRAINED}
YARN = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": TRAINED}

# name: (class, settings, rotary parameters)
ROTARY = {
    "plain": ("Llama", LLAMA, {"rope_type": "default"}),
    "linear": ("Llama", LLAMA, {"rope_type": "linear", "factor": 8.0}),
    "dynamic": ("Llama", LLAMA, {"rope_type": "dynamic", "factor": 2.0}),
    "yarn": ("Llama", LONGER, YARN),
    "yarn with a factor of its own": ("Llama", LLAMA, YARN | {"attention_factor": 1.3, "beta_fast": 8.0, "beta_slow": 0.5}),
    "yarn with mscale": ("Llama", LLAMA, YARN | {"mscale": 1.4, "mscale_all_dim": 0.7, "truncate": False}),
    "llama3": ("Llama", LONGER, {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                "original_max_position_embeddings": TRAINED}),
    "plain in part": ("GPTNeoX", NEOX, {"rope_type": "default", "partial_rotary_factor": 0.5}),
    "dynamic in part": ("GPTNeoX", NEOX, {"rope_type": "dynamic", "factor": 3.0, "partial_rotary_factor": 0.75}),
}

BLOOM = {"hidden_size": 48, "n_layer": 2, "seq_length": TRAINED}
FALCON = {"hidden_size": 48, "num_hidden_layers": 2, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True,
          "new_decoder_architecture": False, "max_position_embeddings": TRAINED}
MPT = {"d_model": 48, "n_layers": 2, "max_seq_len": TRAINED}
ALIBI = {
    "bloom": ("Bloom", BLOOM | {"n_head": 6}),
    "bloom with the norm's output": ("Bloom", BLOOM | {"n_head": 4, "apply_residual_connection_post_layernorm": True}),
    "mpt": ("Mpt", MPT | {"n_heads": 6, "attn_config": {"clip_qkv": 1.5}}),
    "mpt with a scale": ("Mpt", MPT | {"n_heads": 4, "attn_config": {"softmax_scale": 0.5}}),
}


class Double:
    """PyTorch as a module of transformers sees it where everything is to be double, whatever the module casts to."""

    float32 = float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


@contextlib.contextmanager
def in_double(model):
    with contextlib.ExitStack() as stack:
        module = sys.modules[type(model).__module__]
        stack.enter_context(unittest.mock.patch.object(module, "torch", Double()))
        stack.enter_context(unittest.mock.patch.object(torch.Tensor, "float", torch.Tensor.double))
        yield


def frequencies(rope, dim, length):
    """The angle by which a token turns each pair, in a window of so many tokens, and the factor on cosines and sines."""
    base, kind, factor = rope["rope_theta"], rope["rope_type"], rope.get("factor", 1.0)
    pair = numpy.arange(dim // 2, dtype=numpy.float64)
    if kind == "dynamic" and length > TRAINED:
        base *= (factor * length / TRAINED - (factor - 1)) ** (dim / (dim - 2))
    plain = base ** (-2 * pair / dim)
    if kind == "linear":
        return plain / factor, 1.0
    if kind == "llama3":
        waves = TRAINED / (2 * numpy.pi / plain)  # turns within the trained length
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        kept = numpy.clip((waves - low) / (high - low), 0, 1)
        return plain * (kept + (1 - kept) / factor), 1.0
    if kind == "yarn":
        def place(turns):
            return dim * numpy.log(TRAINED / (turns * 2 * numpy.pi)) / (2 * numpy.log(base))
        low, high = place(rope.get("beta_fast", 32)), place(rope.get("beta_slow", 1))
        if rope.get("truncate", True):
            low, high = numpy.floor(low), numpy.ceil(high)
        low, high = max(low, 0), min(high, dim - 1)
        divided = numpy.clip((pair - low) / (high - low), 0, 1)

        def softer(scale):
            return 0.1 * scale * numpy.log(factor) + 1
        scales = (rope["mscale"], rope["mscale_all_dim"]) if "mscale" in rope else None
        softening = softer(scales[0]) / softer(scales[1]) if scales else softer(1)
        return plain * (1 - divided) + plain / factor * divided, rope.get("attention_factor", softening)
    return plain, 1.0


class Tables(torch.nn.Module):
    """Gives a model of transformers the cosines and sines of these parameters, in double."""

    def __init__(self, rope, dim):
        super().__init__()
        self.rope, self.dim = rope, dim

    def forward(self, x, position_ids):
        length = int(position_ids.max()) + 1
        angle, factor = frequencies(self.rope, self.dim, length)
        angles = position_ids.double()[..., None] * torch.from_numpy(angle)
        angles = torch.cat((angles, angles), dim=-1)
        return (angles.cos() * factor).to(x.dtype), (angles.sin() * factor).to(x.dtype)


def paper_slopes(heads):
    """ALiBi's slopes for any number of heads, as its authors have them."""
    if heads & (heads - 1) == 0:
        return [2.0 ** (-8 * (head + 1) / heads) for head in range(heads)]
    power = 1 << (heads.bit_length() - 1)
    return paper_slopes(power) + paper_slopes(2 * power)[0::2][:heads - power]


class ImportLong(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-import-long-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.ids = numpy.random.default_rng(5).integers(0, WORDS, IDS)
        numpy.save(self.dir / "ids.npy", self.ids)

    def longbow(self, *arguments):
        done = subprocess.run([LONGBOW, *map(str, arguments)], cwd=self.dir, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def make(self, family, settings):
        """A folder with random weights, large enough that positions matter, and the folder's model in transformers."""
        shutil.rmtree(self.dir / "model", ignore_errors=True)
        torch.manual_seed(3)
        config = getattr(transformers, f"{family}Config")(vocab_size=WORDS, bos_token_id=0, eos_token_id=0, pad_token_id=None,
                                                          **settings)
        model = getattr(transformers, f"{family}ForCausalLM")(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(0, 0.2)
                else:
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        model.save_pretrained(self.dir / "model")
        shutil.copy(TOKENIZER, self.dir / "model/tokenizer.json")
        return model.eval()

    def windows(self):
        # transformers keeps a dynamic scaling's longest window: the short one comes first.
        return sorted((self.ids[begin : begin + LENGTH] for begin in range(0, IDS, LENGTH)), key=len)

    def theirs(self, model):
        """Log-probabilities of all tokens but the first of each window, in the order of the text."""
        found = []
        with torch.no_grad():
            for window in self.windows():
                logits = model(torch.from_numpy(window)[None], use_cache=False).logits[0].double()
                found.append(logits.log_softmax(-1)[:-1].gather(1, torch.from_numpy(window[1:])[:, None])[:, 0].numpy())
        return numpy.concatenate(found[::-1])

    def theirs_in_double(self, model):
        with in_double(model):
            return self.theirs(model.double())

    def ours(self, *flags):
        """Imports the folder. Returns the log-probabilities in fp64, and the mean loss in fp32."""
        shutil.rmtree(self.dir / "run", ignore_errors=True)
        self.longbow("import", "hf", "model", "--out", "run", *flags)
        found = {}
        for dtype in ("fp64", "fp32"):
            row, = self.longbow("eval", "run", "--ids", "ids.npy", "--protocol", "hf", "--bos", "never", "--lengths", LENGTH,
                                "--stride", LENGTH, "--dtype", dtype, "--token-logprobs", f"{dtype}.npy", "--json",
                                "--out", f"{dtype}.jsonl", "--again", "--threads", 1).splitlines()
            found[dtype] = json.loads(row)
        self.assertEqual(found["fp64"]["tokens"], IDS - 2, "two windows, whose first tokens are not scored")
        return numpy.load(self.dir / "fp64.npy"), found["fp32"]["nll"]

    def compare(self, name, ours, double, mean):
        values, nll = ours
        worst, off = numpy.abs(values - double).max(), abs(nll + mean)
        print(f"{name:32} fp64, worst token {worst:.1e}; fp32, mean {off:.1e}", flush=True)
        self.assertEqual(values.shape, double.shape)
        self.assertLess(worst, EXACT)
        self.assertLess(off, MEAN)
        self.assertLess(abs(nll + double.mean()), MEAN)

    def test_rotary(self):
        for name, (family, settings, rope) in ROTARY.items():
            with self.subTest(name):
                rope = rope | {"rope_theta": 10000.0}
                model = self.make(family, settings | {"rope_parameters": dict(rope)})
                inner = next(module for module in model.modules() if hasattr(module, "rotary_emb"))
                dim = int(settings["hidden_size"] // settings["num_attention_heads"] * rope.get("partial_rotary_factor", 1))
                self.check_tables(model.config, inner.rotary_emb, rope, dim)
                mean = self.theirs(model).mean()
                inner.rotary_emb = Tables(rope | {"rope_type": "default"}, dim)
                plain = self.theirs_in_double(model)
                inner.rotary_emb = Tables(rope, dim)
                double = self.theirs_in_double(model)
                if rope["rope_type"] != "default":
                    self.assertGreater(numpy.abs(double - plain).max(), SHOWS, "a scaling that changes nothing shows nothing")
                self.compare(name, self.ours(), double, mean)

    def check_tables(self, config, theirs, rope, dim):
        """The formulas above are those of transformers."""
        for length in (TRAINED, 200, LENGTH):
            if rope["rope_type"] == "default":
                angle, factor = theirs.inv_freq, theirs.attention_scaling
            else:
                angle, factor = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, torch.device("cpu"), seq_len=length)
            expected, of_factor = frequencies(rope, dim, length)
            numpy.testing.assert_allclose(angle.numpy(), expected, rtol=2e-6)
            self.assertAlmostEqual(factor, of_factor, places=12)

    def test_alibi(self):
        for name, (family, settings) in ALIBI.items():
            with self.subTest(name):
                model = self.make(family, settings)
                if family == "Mpt":
                    model.config.max_seq_len = LENGTH  # which ends its table, not the model
                double = self.theirs_in_double(model)
                self.compare(name, self.ours(), double, self.theirs(model.float()).mean())

    def test_alibi_of_mpt_with_another_exponent(self):
        model = self.make("Mpt", MPT | {"n_heads": 6, "attn_config": {"alibi_bias_max": 16}})
        model.config.max_seq_len = LENGTH
        usual = self.theirs_in_double(model)
        self.compare("mpt, 16, as transformers has it", self.ours("--rounded"), usual, self.theirs(model.float()).mean())
        module = sys.modules[type(model).__module__]
        builder = module.build_mpt_alibi_tensor
        with unittest.mock.patch.object(module, "build_mpt_alibi_tensor",
                                        lambda heads, length, _, device: builder(heads, length, 16, device)):
            defined = self.theirs_in_double(model)
            self.assertGreater(numpy.abs(defined - usual).max(), SHOWS)
            self.compare("mpt, 16", self.ours(), defined, self.theirs(model.float()).mean())

    def test_alibi_of_falcon(self):
        for heads in (4, 12):
            with self.subTest(heads=heads):
                model = self.make("Falcon", FALCON | {"num_attention_heads": heads})
                self.assertEqual(model.config._attn_implementation, "sdpa", "its eager path adds ALiBi twice")
                rounded = self.theirs_in_double(model)
                self.compare(f"falcon, {heads} heads, rounded", self.ours("--rounded"), rounded, self.theirs(model.float()).mean())

                def defined_bias(mask, count, dtype):
                    keys = torch.arange(mask.shape[1], dtype=torch.float64)
                    return torch.tensor(paper_slopes(count), dtype=torch.float64)[:, None, None].mul(keys).to(dtype)

                with unittest.mock.patch.object(sys.modules[type(model).__module__], "build_alibi_tensor", defined_bias):
                    defined = self.theirs_in_double(model)
                    self.assertGreater(numpy.abs(defined - rounded).max(), SHOWS)
                    self.compare(f"falcon, {heads} heads", self.ours(), defined, self.theirs(model.float()).mean())


if __name__ == "__main__":
    unittest.main()
