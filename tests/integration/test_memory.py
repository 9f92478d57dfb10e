"""Compares the memory that `longbow train --dry-run` predicts with the peak that the same run counts (every byte of its
tensors), in configurations in which different things fill the memory."""
import os
import random
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from patience import PATIENCE

LONGBOW = os.environ.get("LONGBOW", "build/release/longbow")
WORDS = 1990

CONFIG = """
model: {{layers: 4, dim: 192, heads: 6, ffn_dim: 768, dropout: 0.0}}
position: {{method: alibi}}
tokenizer: {{kind: word}}
data: {{store: {folder}/store, train: [{folder}/train.txt], valid: [{folder}/valid.txt]}}
optim: {{lr: 1e-3}}
train: {{length: 64, batch: 32, stop: 2 updates, loss_chunk: 256}}
eval: {{max_batch_tokens: 1024}}
log: {{every: 1 updates, tensorboard: false}}
checkpoint: {{every: 0 updates}}  # the runs end before ten minutes are over
"""


def write_text(path, lines, seed):
    """Writes words by Zipf's law, each of them at least once."""
    draw = random.Random(seed)
    weights = [1 / (i + 1) for i in range(WORDS)]
    words = [f"w{i}" for i in range(WORDS)] + draw.choices([f"w{i}" for i in range(WORDS)], weights, k=20 * lines)
    path.write_text("".join(" ".join(words[i:i + 20]) + "\n" for i in range(0, len(words), 20)))


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="longbow-memory-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        write_text(cls.folder / "train.txt", 400, 1)
        write_text(cls.folder / "valid.txt", 40, 2)
        (cls.folder / "base.yaml").write_text(CONFIG.format(folder=cls.folder))
        # A dry run makes no store, and without a store it does not know the vocabulary.
        subprocess.run([LONGBOW, "prepare", "-c", str(cls.folder / "base.yaml"), "--quiet"], check=True,
                       capture_output=True, timeout=PATIENCE)

    def longbow(self, *arguments, threads=1):
        done = subprocess.run([LONGBOW, "train", "-c", str(self.folder / "base.yaml"), "--threads", str(threads),
                               "--device", "cpu", *arguments], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def compare(self, name, *overrides, threads=1):
        run = self.folder / name
        planned = self.longbow("--run-dir", str(run), "--dry-run", *overrides, threads=threads)
        expected = int(re.search(r"\(([\d,]+) bytes of tensors\)", planned).group(1).replace(",", ""))
        self.longbow("--run-dir", str(run), *overrides, threads=threads)
        measured = 1e6 * float(re.search(r"the most memory at once: ([\d.]+) MB of tensors",
                                         (run / "log.txt").read_text()).group(1))
        shutil.rmtree(run)
        print(f"{name}: {expected / 1e6:.1f} MB planned, {measured / 1e6:.1f} MB counted ({expected / measured:.3f})",
              flush=True)
        self.assertGreater(measured, 30e6, "too small to show anything")
        self.assertLess(abs(expected / measured - 1), 0.1, f"{name}: {planned}")
        return measured

    def test_the_demos_model(self):
        self.compare("demo")

    def test_threads_that_sum_gradients_of_their_own(self):
        for threads in (2, 3, 8):
            self.compare(f"threads-{threads}", threads=threads)
        self.compare("deeper-threads", "model.layers=8", "train.length=512", "train.batch=6", threads=4)
        self.compare("activation-dropout-threads", "model.activation_dropout=0.1", threads=4)

    def test_recompute_in_a_deeper_model_of_longer_inputs(self):
        deeper = ("model.layers=8", "train.length=512", "train.batch=6")
        plain = self.compare("deeper", *deeper)
        again = self.compare("recompute", *deeper, "train.recompute=layer")
        self.assertLess(again, 0.75 * plain)

    def test_half_precision_and_accumulation(self):
        self.compare("bf16", "train.dtype=bf16", "train.accumulate=2")
        self.compare("bf16-recompute", "train.dtype=bf16", "train.recompute=layer")

    def test_adaptive_softmax_and_dropout(self):
        self.compare("adaptive", "model.adaptive_cutoffs=[600, 1200]", "model.dropout=0.1",
                     "model.attention_dropout=0.1", "model.activation_dropout=0.1", "optim.name=nag")

    def test_other_attention_and_positions(self):
        self.compare("sdpa", "attention.backend=sdpa", "position.method=rotary", "train.length=256", "train.batch=8")
        self.compare("reference", "attention.backend=reference", "train.length=256", "train.batch=4",
                     "train.dtype=fp64", "model.layers=2")
        self.compare("t5", "attention.backend=sdpa", "position.method=t5", "train.length=256", "train.batch=4",
                     "model.activation=swiglu")
        self.compare("sdpa-dropout", "attention.backend=sdpa", "model.attention_dropout=0.1", "train.length=256",
                     "train.batch=4", "model.norm=rmsnorm")

    def test_methods_that_compute_attention(self):
        small = ("train.length=256", "train.batch=4", "model.layers=2")
        for method, *more in (("path",), ("path", "position.fox=true"), ("dape",), ("dape", "position.width=8"), ("cope",),
                              ("cope", "position.places=16"), ("stick_breaking",)):
            name = "-".join([method, *more])
            self.compare(name, f"position.method={method}", *more, *small)
        self.compare("path-dropout", "position.method=path", "model.attention_dropout=0.1", *small)
        self.compare("cope-dropout", "position.method=cope", "model.attention_dropout=0.1", *small)
        self.compare("cope-fp64", "position.method=cope", "train.dtype=fp64", *small)
        self.compare("stick_breaking-dropout", "position.method=stick_breaking", "model.attention_dropout=0.1", *small)
        self.compare("dape-dropout", "position.method=dape", "model.attention_dropout=0.1", *small)
        self.compare("dape-recompute", "position.method=dape", "train.recompute=layer", "train.length=256",
                     "train.batch=4")

    def test_shapes_of_public_models(self):
        long = ("train.length=256", "train.batch=8")
        self.compare("llama", *long, "model.kv_heads=2", "model.norm=rmsnorm", "model.activation=swiglu",
                     "model.bias=false", "position.method=rotary", "model.tie_output=false")
        self.compare("llama-sdpa", *long, "model.kv_heads=2", "model.norm=rmsnorm", "model.activation=geglu_tanh",
                     "model.bias=false", "position.method=rotary", "attention.backend=sdpa")
        self.compare("qwen", *long, "model.kv_heads=1", "model.head_dim=48", "model.qk_norm=head",
                     "model.norm=rmsnorm_1p", "position.method=rotary")
        self.compare("olmo", *long, "model.block=sublayer_norm", "model.qk_norm=whole", "model.norm=rmsnorm")
        self.compare("neox", *long, "model.block=parallel", "model.activation=gelu", "position.method=rotary")
        self.compare("gptj", *long, "model.block=parallel_one_norm", "model.activation=gelu_tanh", "model.head_bias=true",
                     "model.tie_output=false")
        self.compare("opt", *long, "model.block=post_norm", "model.embedding_dim=96", "model.final_norm=false",
                     "model.embedding_norm=true", "model.qkv_clip=2")
        self.compare("bf16-qk-norm", *long, "model.block=normed_residual", "model.qk_norm=whole", "train.dtype=bf16",
                     "model.kv_heads=3")

    def test_a_long_validation(self):
        self.compare("validation", "model.layers=2", "train.batch=2", "eval.max_batch_tokens=16384",
                     "eval.lengths=[256]", "model.activation=gelu")

    def test_the_plan_says_what_it_counts(self):
        planned = self.longbow("--run-dir", str(self.folder / "plan"), "--dry-run", "--plan-device", "cuda",
                               "--nproc", "8", "train.accumulate=8")
        self.assertRegex(planned, r"memory +cuda, sdpa attention, each of 8 ranks: [\d.]+ MiB at the peak, in .* "
                         r"\([\d,]+ bytes of tensors\)")
        self.assertRegex(planned, r"MiB  weights\n")
        self.assertRegex(planned, r"in all with train.recompute: layer")
        self.assertRegex(planned, r"in all with dist.shard_optimizer: true")
        refused = subprocess.run([LONGBOW, "train", "-c", str(self.folder / "base.yaml"), "--plan-device", "cuda"],
                                 capture_output=True, text=True)
        self.assertEqual(refused.returncode, 2, refused.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
