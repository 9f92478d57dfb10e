"""Longbow's ids must equal those of the libraries that people compare with: `tokenizers` (byte-level BPE, BERT
WordPiece) and `sentencepiece`.

Runs the build's tokenizer_tool (environment: LONGBOW_TOKENIZER_TOOL). Skipped where the two packages are not installed.
LONGBOW_AUSTEN names a folder with train.txt, valid.txt and test.txt; the default is data/corpora/austen, which is left
out if absent.
"""

import collections
import io
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

os.environ["TOKENIZERS_PARALLELISM"] = "false"
try:
    import sentencepiece
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: an oracle is not installed: {error}")
        sys.exit(77)
    raise unittest.SkipTest(f"an oracle is not installed: {error}")

TOOL = os.environ["LONGBOW_TOKENIZER_TOOL"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
AUSTEN = pathlib.Path(os.environ.get("LONGBOW_AUSTEN", ROOT / "data/corpora/austen"))
SEED = 20220425

BY_HAND = [
    "", " ", "\n", "\n\n\n", "  \n ", "a", " a", "a ", "Hello, world!",
    "don't I'll we've they're 'tis 'S 're'd x'sy 'll've l'", "''s '''t '", "\x00", "a\x00b", "\x01\x02\x1f\x7f",
    "\x80\x85\x9f", "\ufeffbom", "\ufffd", "a\u200db\u200c\u200e", "\t\ttab\tbed", "a\r\nb\rc\n\rd",
    "\u00a0nbsp\u00a0\u00a0x", "ideographic\u3000space", "line\u2028sep\u2029par", "a\u0085b", "\x1ca\x1db\x1ec\x1fd",
    "\u2009thin\u200azero\u200b", "1234567890 3.14 1,000 \u00bd \u2167 \u0661\u0662\u0663 \u4e09",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f44d\U0001f3fd \U0001f1eb\U0001f1ee",
    "e\u0301 \u00e9 a\u0323\u0302 \u1ead Z\u0351\u036b\u0343 \u0301alone",
    "\u0130stanbul I\u0307 \u0131 stra\u00dfe \u1e9e \u03a3\u03c3\u03c2 \ufb01",
    "\u4e2d\u6587\u5b57\u7b26 mixed\u4e2dEnglish \u3042\u3044\u3046 \u30ab\u30bf \ud55c\uad6d\uc5b4 \uf900",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea \u202eabc\u202c",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8",
    "<|endoftext|> [SEP] [UNK] </s> <unk> <s>", "\u2581under \u2581\u2581", "##ing ## #",
    "\u00a1\u00bf\u00ab\u00bb\u2014\u2026 $\u20ac\u00a3 a_b-c+d=e", "\U0010ffff \ue000 \U000e0001",
    "\U00020000\U0002b820\U0002b920\U0002ebf0",
]
LONG_RUNS = [unit * (100_000 // len(unit)) for unit in (
    "a", " ", "\n", "7", "-", "ab", "\u00e9", "\u4e2d", "\U0001f600", "a ", "\r\n")]

POOLS = [
    (0x20, 0x7E), (0x00, 0x20), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x10FF), (0x1AB0, 0x20FF),
    (0x2000, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xA640, 0xA7FF), (0xAC00, 0xAD00), (0xE000, 0xE010),
    (0xF900, 0xFFFF), (0x10000, 0x11FFF), (0x16D00, 0x16FFF), (0x1D100, 0x1D800),
    (0x1E000, 0x1E9FF), (0x1F300, 0x1FAFF), (0x20000, 0x20100), (0x0, 0x10FFFF),
]


def random_texts(count, seed=SEED):
    """Yields strings over a few alphabets each, so that both runs and changes of character class occur; no
    surrogates."""
    rng = random.Random(seed)
    for _ in range(count):
        pools = [rng.choice(POOLS) for _ in range(rng.randint(1, 4))] + [(0x20, 0x20)] * rng.randint(0, 2)
        text = []
        for _ in range(rng.randint(0, 60)):
            c = rng.randint(*rng.choice(pools))
            text.append("\ufffd" if 0xD800 <= c <= 0xDFFF else chr(c))
            if rng.random() < 0.2:
                text.append(rng.choice([text[-1], " ", "'", "'s", "\n"]))
        yield "".join(text)


def every_code_point():
    """Yields each code point between letters, digits and marks, so that its class shows; only a few of the planes
    without assigned characters."""
    points = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF
              and (c < 0x33480 or 0xDFF00 <= c < 0xE0200 or c % 257 == 0)]
    for first in range(0, len(points), 2048):
        yield "".join(f"a{chr(c)}1{chr(c)} {chr(c)}!{chr(c)}{chr(c)}" for c in points[first:first + 2048])


def training_text():
    """Returns a corpus of many scripts for vocabularies that are learned in the test."""
    rng = random.Random(SEED)
    words = ["the", "of", "and", "extrapolation", "position", "Position", "don't", "na\u00efve", "caf\u00e9",
             "cafe\u0301", "\u0431\u0438\u0431\u043b\u0438\u043e\u0442\u0435\u043a\u0430", "\u6559\u80b2", "\U0001f600",
             "1999", "42", "stra\u00dfe", "\u0130stanbul", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "foo_bar",
             "(see", "p.", "7)", "\u2014", "na"]
    stems = ["".join(rng.choice("aeioubcdfghlmnprst") for _ in range(rng.randint(2, 7))) for _ in range(400)]
    lines = []
    for _ in range(4000):
        line = [rng.choice(words) if rng.random() < 0.3
                else rng.choice(stems) + rng.choice(["", "ing", "ed", "s", ",", "."])
                for _ in range(rng.randint(1, 12))]
        lines.append(" ".join(line))
    return "\n".join(lines) + "\n\n" + "\n\n\n".join(lines[:200])


def austen(split):
    path = AUSTEN / f"{split}.txt"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def ours(arguments, texts):
    stdin = b"".join(str(len(data)).encode() + b"\n" + data for data in (text.encode("utf-8") for text in texts))
    done = subprocess.run([TOOL, *map(str, arguments)], input=stdin, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return [[int(x) for x in line.split()] for line in done.stdout.decode().split("\n")[:-1]]


class Oracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.text_file = cls.folder / "train.txt"
        cls.text = training_text()
        cls.text_file.write_bytes(cls.text.encode("utf-8"))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def train(self, kind, size, name, *more, text=None, threads=2):
        out = self.folder / name
        subprocess.run([TOOL, "train", kind, str(size), out, str(threads), str(text or self.text_file), *more],
                       check=True)
        return out

    def check_equal(self, arguments, texts, encode):
        texts = list(texts)
        found = ours(arguments, texts)
        self.assertEqual(len(found), len(texts))
        for text, ids in zip(texts, found):
            expected = encode(text)
            if ids != expected:
                at = next((i for i, (a, b) in enumerate(zip(ids, expected)) if a != b), min(len(ids), len(expected)))
                self.fail(f"seed {SEED}: ids differ at {at}: {ids[at:at + 5]} against {expected[at:at + 5]} in "
                          f"{ascii(text)[:2000]}")


class ByteLevelBpe(Oracle):
    def reference(self, folder):
        tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return tokenizer

    def test_ids(self):
        folder = self.train("bpe", 1200, "bpe")
        encode = self.reference(folder).encode
        for texts in (BY_HAND, LONG_RUNS, random_texts(6000), every_code_point(), [self.text]):
            self.check_equal(["load", folder], texts, lambda text: encode(text).ids)
        # As users do it: GPT-2's two files by themselves.
        self.check_equal(["open", "bpe", folder / "vocab.json"], BY_HAND, lambda text: encode(text).ids)

    def merges_of(self, text, size):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.train_from_iterator([text], trainers.BpeTrainer(
            vocab_size=size, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False))
        tokenizer.model.save(str(self.folder))
        return (self.folder / "merges.txt").read_text(encoding="utf-8").split("\n")[1:]

    def test_training(self):
        folder = self.train("bpe", 1200, "trained")
        self.assertEqual((folder / "merges.txt").read_text(encoding="utf-8").split("\n")[1:],
                         self.merges_of(self.text, 1200))
        one, four = (self.train("bpe", 1200, f"threads{n}", threads=n) for n in (1, 4))
        for name in ("vocab.json", "merges.txt", "tokenizer.meta.json"):
            self.assertEqual((one / name).read_bytes(), (four / name).read_bytes())

    def test_austen(self):
        if not austen("train"):
            self.skipTest(f"no corpus in {AUSTEN}")
        folder = self.train("bpe", 2048, "austen", text=AUSTEN / "train.txt")
        encode = self.reference(folder).encode
        self.check_equal(["load", folder],
                         [austen(split) for split in ("train", "valid", "test")], lambda text: encode(text).ids)
        self.assertEqual((folder / "merges.txt").read_text(encoding="utf-8").split("\n")[1:],
                         self.merges_of(austen("train"), 2048))


class WordPiece(Oracle):
    def check_vocabulary(self, uncased):
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True,
                                                          strip_accents=uncased, lowercase=uncased)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        # Every code point is in the alphabet once, so that classes and case foldings show in the ids.
        alphabet = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)
        corpus = [self.text] + [" ".join(alphabet[i:i + 64]) + " " + " a".join(alphabet[i:i + 64])
                                for i in range(0, 0x20000, 64)]
        tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(
            vocab_size=1_000_000, min_frequency=1, limit_alphabet=1_000_000,
            special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
        by_id = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        vocabulary = self.folder / f"vocab-{uncased}.txt"
        vocabulary.write_bytes("".join(token + "\n" for token, _ in by_id).encode("utf-8"))
        plain = Tokenizer(models.WordPiece.from_file(str(vocabulary), unk_token="[UNK]"))
        plain.normalizer, plain.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
        arguments = ["open", "wordpiece", vocabulary] + (["lowercase"] if uncased else [])
        texts = [BY_HAND, LONG_RUNS, random_texts(6000), every_code_point(),
                 ["b" * 99, "b" * 100, "b" * 101, "\u00e9" * 100, "\u00e9" * 101]]
        for group in texts + ([[austen(split) for split in ("train", "valid", "test")]] if austen("train") else []):
            self.check_equal(arguments, group, lambda text: plain.encode(text).ids)

    def test_cased(self):
        self.check_vocabulary(uncased=False)

    def test_uncased(self):
        self.check_vocabulary(uncased=True)


class SentencePiece(Oracle):
    def expected(self, processor):
        """Encodes line by line with newlines kept, as Longbow feeds the library (which gets a line of more than 1 MiB
        in parts)."""
        def encode(text):
            lines = text.split("\n")
            lines = [line + "\n" for line in lines[:-1]] + lines[-1:]
            return [i for line in lines if line for i in processor.encode(line)]
        return encode

    def check_model(self, arguments, model):
        encode = self.expected(sentencepiece.SentencePieceProcessor(model_file=str(model)))
        for texts in (BY_HAND, LONG_RUNS, random_texts(3000), [self.text]):
            self.check_equal(arguments, texts, encode)
        if austen("train"):
            self.check_equal(arguments, [austen(split) for split in ("train", "valid", "test")], encode)

    def test_models_of_the_library(self):
        for model_type in ("unigram", "bpe"):
            prefix = self.folder / f"spm-{model_type}"
            sentencepiece.SentencePieceTrainer.train(input=str(self.text_file), model_prefix=str(prefix),
                                                     vocab_size=900, model_type=model_type, minloglevel=3)
            model = prefix.with_suffix(".model")
            self.check_model(["open", "sentencepiece", model], model)

    def test_models_trained_here(self):
        for model_type in ("unigram", "bpe"):
            folder = self.train("sentencepiece", 900, f"ours-{model_type}", f"model={model_type}")
            self.check_model(["load", folder], folder / "tokenizer.model")
            again = self.train("sentencepiece", 900, f"again-{model_type}", f"model={model_type}", threads=1)
            self.assertEqual((folder / "tokenizer.model").read_bytes(), (again / "tokenizer.model").read_bytes())

    def test_silence(self):
        out = self.folder / "silent"
        done = subprocess.run([TOOL, "train", "sentencepiece", "900", out, "1", str(self.text_file)],
                              capture_output=True, check=True)
        self.assertEqual(done.stderr, b"")


class FairseqDictionary(Oracle):
    """fairseq's rules, followed by Python's own string functions, which fairseq uses: universal newlines, \\s+, strip,
    split, Counter."""

    @staticmethod
    def lines(text):
        for line in io.TextIOWrapper(io.BytesIO(text.encode("utf-8")), encoding="utf-8"):
            yield re.sub(r"\s+", " ", line).strip().split()

    def dictionary(self, text):
        counts = collections.Counter(word for line in self.lines(text) for word in line)
        words = ["<s>", "<pad>", "</s>", "<unk>"]
        ordered = [word for word in sorted(counts) if word not in words]
        ordered.sort(key=lambda word: -counts[word])
        entries = [(word, counts[word]) for word in ordered]
        filler = 0
        while (len(entries) + 4) % 8:
            name = f"madeupword{filler:04d}"
            entries += [] if name in counts else [(name, 0)]
            filler += 1
        return entries

    def test_dictionary_and_ids(self):
        texts = ([text for text in BY_HAND + LONG_RUNS + list(random_texts(2000)) if text]
                 + [self.text, "<unk> <s> </s> <pad> madeupword0000"])
        corpus = "\n".join(texts)
        path = self.folder / "words.txt"
        path.write_bytes(corpus.encode("utf-8"))
        corpus = corpus.removeprefix("\ufeff")
        folder = self.train("word", 0, "word", text=path)
        entries = self.dictionary(corpus)
        self.assertEqual((folder / "dict.txt").read_bytes().decode("utf-8"),
                         "".join(f"{word} {count}\n" for word, count in entries))
        ids = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>"] + [word for word, _ in entries])}
        encode = lambda text: [i for line in self.lines(text) for i in [ids.get(word, 3) for word in line] + [2]]
        self.check_equal(["load", folder], texts + ["", "unseen-word\n\n", "a\r\nb"]
                         + list(random_texts(2000, seed=SEED + 1)), encode)
        self.check_equal(["open", "word", folder / "dict.txt"], BY_HAND, encode)


if __name__ == "__main__":
    unittest.main()
