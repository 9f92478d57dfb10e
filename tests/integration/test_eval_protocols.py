"""Compares the per-token log-probabilities of `longbow eval` with small scripts that follow each protocol's rule, on a
NumPy model in fp64.

The model is read from the checkpoint's safetensors here, and nothing of Longbow is used but the binary under test
(environment: LONGBOW). Needs NumPy as the oracle; skipped (exit status 77) without it.
"""
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: {error}")
        sys.exit(77)
    raise unittest.SkipTest(str(error))

LONGBOW = os.environ["LONGBOW"]
CONFIG = """\
model: {layers: 2, dim: 24, heads: 3, ffn_dim: 48, dropout: 0.0}
position: {method: alibi}
tokenizer: {kind: bpe, vocab_size: 300}
data: {store: store, train: [train.txt], valid: [valid.txt], documents: blank_line, blank_lines: 1}
train: {length: 16, batch: 4, stop: 20 updates, deterministic: true}
"""
TOKENS = 1000


def some_text(seed, words):
    rng = random.Random(seed)
    stems = ["river", "stone", "light", "the", "a", "of", "morning", "walked", "under", "quiet", "bridge", "and",
             "never", "spoke"]
    out = []
    for i in range(words):
        out.append(rng.choice(stems))
        out.append("\n\n" if i % 97 == 96 else ".\n" if i % 13 == 12 else " ")
    return "".join(out)


def read_safetensors(path):
    blob = path.read_bytes()
    (size,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8:8 + size])
    header.pop("__metadata__", None)
    data = blob[8 + size:]
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], dtype={"F32": "<f4", "F64": "<f8"}[entry["dtype"]])
            .reshape(entry["shape"]).astype(np.float64)
            for name, entry in header.items() if entry["dtype"] != "U8"}  # U8 fills gaps between aligned tensors


class Model:
    """The decoder of CONFIG: pre-LN, ReLU, ALiBi for three heads by the authors' interleaving, tied softmax."""

    def __init__(self, weights):
        self.w = weights
        self.slopes = [2.0 ** -4, 2.0 ** -8, 2.0 ** -2]

    def norm(self, x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-5)
        return scaled * self.w[name + ".weight"] + self.w[name + ".bias"]

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w.get(name + ".bias", 0.0)

    def logprobs(self, inputs):
        """Returns log p(. | inputs[:i+1]) for every i, [len(inputs), vocabulary]."""
        w = self.w
        x = w["embed.tokens.weight"][list(inputs)] * math.sqrt(24)
        n = len(inputs)
        distance = np.arange(n)[:, None] - np.arange(n)[None, :]
        for layer in range(2):
            p = f"layers.{layer}."
            h = self.norm(x, p + "norm1")
            q, k, v = (self.linear(h, p + "attention." + part).reshape(n, 3, 8) for part in "qkv")
            heads = []
            for head in range(3):
                scores = q[:, head] @ k[:, head].T / math.sqrt(8) - self.slopes[head] * distance
                scores = np.where(distance < 0, -np.inf, scores)
                e = np.exp(scores - scores.max(-1, keepdims=True))
                heads.append(e / e.sum(-1, keepdims=True) @ v[:, head])
            x = x + self.linear(np.concatenate(heads, -1), p + "attention.out")
            x = x + self.linear(np.maximum(self.linear(self.norm(x, p + "norm2"), p + "ffn.in"), 0), p + "ffn.out")
        logits = self.norm(x, "final_norm") @ w["embed.tokens.weight"].T
        logits -= logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def paper(model, s, boundary, length, stride):
    src, out = [boundary] + s[:-1], []
    for b in range(0, len(s), stride):
        a, e = max(0, b - (length - stride)), min(b + stride, len(s))
        logp = model.logprobs(src[a:e])
        out += [logp[t - a, s[t]] for t in range(b, e)]
    return out


def hf(model, s, length, stride):
    """Transformers' guide. Returns (log-probabilities of the tokens that its loss counts, the perplexity by its own
    averaging)."""
    out, nll_sum, n_tokens, previous_end = [], 0.0, 0, 0
    for begin in range(0, len(s), stride):
        end = min(begin + length, len(s))
        target_length = end - previous_end
        window = s[begin:end]
        labels = [-100] * (len(window) - target_length) + window[len(window) - target_length:]
        logp = model.logprobs(window)
        losses = [logp[i, labels[i + 1]] for i in range(len(window) - 1) if labels[i + 1] != -100]
        out += losses
        counted = sum(label != -100 for label in labels) - 1
        if losses:
            nll_sum -= sum(losses) / len(losses) * counted
        n_tokens += counted
        previous_end = end
        if end == len(s):
            break
    return out, math.exp(nll_sum / n_tokens)


def yarn(model, documents, bos, length, sliding_window=256, truncate=False):
    """YaRN's compute_perplexity; without a BOS as if add_start_token were false. Returns as hf()."""
    room = length if bos is None else length - 1
    if truncate:
        documents = [document[:room] for document in documents]
        sliding_window = room
    out, window_nlls = [], []
    for document in documents:
        previous_end = 0
        for begin in range(0, len(document), sliding_window):
            end = min(begin + room, len(document))
            target_length = end - previous_end
            inputs = ([] if bos is None else [bos]) + document[begin:end]
            labels = [-100] * max(0, len(inputs) - target_length) + inputs[max(0, len(inputs) - target_length):]
            logp = model.logprobs(inputs)
            losses = [logp[i, labels[i + 1]] for i in range(len(inputs) - 1) if labels[i + 1] != -100]
            out += losses
            if losses:  # of a single token without a BOS the mean is not a number
                window_nlls.append(-sum(losses) / len(losses))
            previous_end = end
            if end == len(document):
                break
    return out, math.exp(sum(window_nlls) / len(window_nlls))


def hf_each_window(model, s, bos, length, stride):
    """The windows of Transformers' guide, with a BOS in the first place of each, which pushes the last token out."""
    out, scored = [], 0
    for begin in range(0, len(s), stride):
        end = min(begin + length - 1, len(s))
        logp = model.logprobs([bos] + s[begin:end])
        out += [logp[t - begin, s[t]] for t in range(max(scored, begin), end)]
        scored = end
        if end == len(s):
            break
    return out


def lm_eval(model, s, prefix, length):
    """loglikelihood_rolling with one token of context and with windows made disjoint."""
    windows, predicted = [([prefix] + s[:min(length, len(s)) - 1], s[:length])], min(length, len(s))
    while predicted < len(s):
        count = min(len(s) - predicted, length)
        end = predicted + count
        windows.append((s[end - length - 1:end - 1], s[end - count:end]))
        predicted += count
    out = []
    for inputs, targets in windows:
        logp = model.logprobs(inputs)[-len(targets):]
        out += [logp[i, t] for i, t in enumerate(targets)]
    return out


def llamacpp(model, s, bos, n_ctx):
    """llama-perplexity without a stride, for a model that adds a BOS token."""
    tokens, out, first = [bos] + s, [], n_ctx // 2
    for chunk in range(len(tokens) // n_ctx):
        start = chunk * n_ctx
        logp = model.logprobs([bos] + tokens[start + 1:start + n_ctx])
        out += [logp[j, tokens[start + j + 1]] for j in range(first, n_ctx - 1)]
    return out


class EvalProtocols(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longbow-eval-")
        cls.home = pathlib.Path(cls.folder.name)
        (cls.home / "train.txt").write_text(some_text(1, 3000))
        (cls.home / "valid.txt").write_text(some_text(2, 1500))
        (cls.home / "config.yaml").write_text(CONFIG)
        cls.longbow("train", "-c", "config.yaml", "--run-dir", "run", "--threads", "1")
        manifest = json.loads((cls.home / "store/manifest.json").read_text())
        cls.boundary = manifest["tokenizer"]["boundary"]
        ids = np.fromfile(cls.home / "store/valid-00000.bin", dtype="<u2").astype(int).tolist()
        assert len(ids) > TOKENS, len(ids)
        cls.ids = ids[:TOKENS]
        ends = np.fromfile(cls.home / "store/valid.documents.bin", dtype="<u8").astype(int).tolist()
        cls.documents = [e for e in ends if e < TOKENS] + [TOKENS]
        # Without the boundary that ends each, but for the last one, which is cut off.
        cls.texts = [ids[begin:min(end - 1, TOKENS)] for begin, end in zip([0] + ends, ends) if begin < TOKENS]
        np.save(cls.home / "ids.npy", np.array(cls.ids))
        cls.model = Model(read_safetensors((cls.home / "run/checkpoints/last").resolve() / "model.safetensors"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def longbow(cls, *arguments):
        done = subprocess.run([LONGBOW, *map(str, arguments)], cwd=cls.home, capture_output=True, text=True)
        assert done.returncode == 0, (done.returncode, done.stderr)
        return done.stdout

    def measure(self, length, *arguments):
        """Runs a new evaluation. Returns (log-probabilities, row)."""
        out = self.home / f"{self.id()}-{length}-{'-'.join(map(str, arguments))}".replace("--", "")
        row = json.loads(self.longbow("eval", "run@last", "--data", "store", "--max-stream-tokens", TOKENS,
                                      "--lengths", length, "--max-tokens", 256, "--json", "--threads", 1,
                                      "--out", f"{out}.jsonl", "--token-logprobs", f"{out}.npy", *arguments))
        return np.load(f"{out}.npy"), row

    def equal(self, measured, reference):
        logprobs, row = measured
        self.assertEqual(len(logprobs), len(reference))
        wide = row["dtype"] == "fp64"
        self.assertEqual(logprobs.dtype, np.float64 if wide else np.float32)
        self.assertLess(np.abs(logprobs - np.array(reference)).max(), 1e-12 if wide else 1e-5)
        self.assertEqual(row["tokens"], len(reference))
        self.assertAlmostEqual(row["nll"], -float(np.mean(reference)), delta=1e-6)
        self.assertAlmostEqual(row["ppl"], math.exp(-float(np.mean(reference))), delta=1e-4)

    def test_paper(self):
        for length, stride in ((64, 64), (64, 16), (64, 7), (32, 1)):
            with self.subTest(length=length, stride=stride):
                arguments = () if stride == length else ("--stride", stride)
                self.equal(self.measure(length, *arguments), paper(self.model, self.ids, self.boundary, length, stride))

    def test_paper_in_fp64(self):
        measured = self.measure(64, "--dtype", "fp64")
        reference = paper(self.model, self.ids, self.boundary, 64, 64)
        self.equal(measured, reference)
        logprobs, row = measured
        self.assertEqual(row["dtype"], "fp64")
        self.assertAlmostEqual(row["nll"], -float(np.mean(reference)), delta=1e-13)
        self.assertAlmostEqual(row["block_nll"][0], -float(np.sum(reference)), delta=1e-10)

    def test_paper_within_documents(self):
        reference, begin = [], 0
        for end in self.documents:
            reference += paper(self.model, self.ids[begin:end], self.boundary, 32, 8)
            begin = end
        self.assertGreater(len(self.documents), 2)
        self.equal(self.measure(32, "--stride", 8, "--within-documents"), reference)

    def test_hf(self):
        for length, stride in ((64, 32), (64, 64), (64, 20), (64, 63)):
            with self.subTest(length=length, stride=stride):
                reference, tool_ppl = hf(self.model, self.ids, length, stride)
                measured = self.measure(length, "--protocol", "hf",
                                        *(() if 2 * stride == length else ("--stride", stride)))
                self.equal(measured, reference)
                self.assertAlmostEqual(measured[1]["tool_ppl"], tool_ppl, delta=1e-4)

    def test_hf_behind_a_bos(self):
        for length, stride in ((64, 32), (64, 64), (64, 63), (50, 7)):
            with self.subTest(length=length, stride=stride):
                arguments = ("--protocol", "hf", "--stride", stride, "--dtype", "fp64")
                reference, tool_ppl = hf(self.model, [self.boundary] + self.ids, length, stride)
                measured = self.measure(length, *arguments, "--bos", "first")
                self.equal(measured, reference)
                self.assertAlmostEqual(measured[1]["tool_ppl"], tool_ppl, delta=1e-9)
                self.assertEqual(measured[1]["bos"], "first")
                measured = self.measure(length, *arguments, "--bos", "each-window")
                self.equal(measured, hf_each_window(self.model, self.ids, self.boundary, length, stride))
                self.assertAlmostEqual(measured[1]["tool_ppl"], measured[1]["ppl"], delta=1e-9)

    def test_yarn(self):
        lengths = sorted(map(len, self.texts))
        middle = lengths[len(lengths) // 2]
        self.assertLess(lengths[0], middle)
        for length, flags, settings in (
                (64, ("--stride", 16), {"sliding_window": 16}),
                (300, (), {}),
                (300, ("--bos", "never"), {}),
                (64, ("--truncate",), {"truncate": True}),
                (50, ("--truncate", "--bos", "never"), {"truncate": True}),
                (1000, ("--min-document-tokens", middle), {})):
            with self.subTest(length=length, flags=flags):
                least = flags[1] if "--min-document-tokens" in flags else 0
                documents = [text for text in self.texts if len(text) >= least]
                bos = None if "never" in flags else self.boundary
                reference, tool_ppl = yarn(self.model, documents, bos, length, **settings)
                measured = self.measure(length, "--protocol", "yarn", "--dtype", "fp64", *flags)
                self.equal(measured, reference)
                row = measured[1]
                self.assertAlmostEqual(row["tool_ppl"], tool_ppl, delta=1e-9)
                self.assertEqual(row["bos"], "never" if bos is None else "each-window")
                self.assertEqual(row.get("truncate", False), "truncate" in settings)
                self.assertEqual(row.get("min_document_tokens", 0), least)
                self.assertEqual(row.get("documents_left_out", 0), len(self.texts) - len(documents))
                self.assertIs(row["within_documents"], True)

    def test_given_ids(self):
        """Ids have no boundary but what is among them: here one text of several documents."""
        def measure(*arguments):
            out = self.home / f"ids-{'-'.join(map(str, arguments))}".replace("--", "")
            rows = self.longbow("eval", "run@last", "--ids", "ids.npy", "--max-tokens", 256, "--json", "--threads", 1,
                                "--out", f"{out}.jsonl", "--token-logprobs", f"{out}-{{length}}.npy", *arguments)
            return [(np.load(f"{out}-{row['length']}.npy"), row) for row in map(json.loads, rows.splitlines())]

        sliding, apart = measure("--protocol", "hf", "--lengths", "64,32", "--stride", 32, "--dtype", "fp64")
        self.equal(sliding, hf(self.model, self.ids, 64, 32)[0])
        self.equal(apart, hf(self.model, self.ids, 32, 32)[0])
        for _, row in (sliding, apart):
            self.assertEqual((row["bos"], row["split"], row["data_name"]), ("never", "ids", "ids.npy"))
            self.assertEqual((row["bits_per_byte"], row["ppl_per_word"], row["words"]), (None, None, 0))
            self.assertEqual(row["block_bytes"], [0])
        measured, = measure("--lengths", 64)
        self.equal(measured, paper(self.model, self.ids, self.boundary, 64, 64))
        self.assertNotIn("bos", measured[1])
        measured, = measure("--lengths", 300, "--protocol", "yarn")
        reference, tool_ppl = yarn(self.model, [self.ids], self.boundary, 300)
        self.equal(measured, reference)
        self.assertAlmostEqual(measured[1]["tool_ppl"], tool_ppl, delta=1e-4)
        measured, = measure("--lengths", 77, "--protocol", "llamacpp")
        self.equal(measured, llamacpp(self.model, self.ids, self.boundary, 77))
        measured, = measure("--lengths", 50, "--protocol", "lm-eval", "--max-stream-tokens", 333)
        self.equal(measured, lm_eval(self.model, self.ids[:333], self.boundary, 50))

    def test_lm_eval(self):
        for length in (64, 50, 2000):
            with self.subTest(length=length):
                self.equal(self.measure(length, "--protocol", "lm-eval"),
                           lm_eval(self.model, self.ids, self.boundary, length))

    def test_llamacpp(self):
        for length in (64, 77):
            with self.subTest(length=length):
                self.equal(self.measure(length, "--protocol", "llamacpp"),
                           llamacpp(self.model, self.ids, self.boundary, length))


if __name__ == "__main__":
    unittest.main()
