"""Runs the benchmarks of public models (scripts/bench public) in a small form, without network: every number that they report is
there and is about the same work on both sides. How large the ratios are is no test's business. Skipped where a peer is not
installed. Environment: LONGBOW (the binary), LONGBOW_TOKENIZER_TOOL, LONGBOW_SOURCE (the repository)."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import numpy
    import tokenizers  # noqa: F401
    import transformers  # noqa: F401
except ImportError as error:
    if __name__ == "__main__":
        print(f"skipped: a peer is not installed: {error}")
        sys.exit(77)
    raise unittest.SkipTest(f"a peer is not installed: {error}")

LONGBOW = os.environ["LONGBOW"]
TOOL = os.environ.get("LONGBOW_TOKENIZER_TOOL", "tokenizer_tool")
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])
GOLDEN = SOURCE / "tests/golden/hf"
sys.path.insert(0, str(SOURCE / "scripts"))
sys.dont_write_bytecode = True

import bench_import as memory  # noqa: E402
import bench_llamacpp as llamacpp  # noqa: E402
import bench_pipelines as pipelines  # noqa: E402
import bench_public as public  # noqa: E402
import bench_turns as turns  # noqa: E402

from patience import PATIENCE  # noqa: E402

LENGTH, WINDOWS, IDS = 64, 2, 150
# As llama-perplexity prints it.
OUTPUT = """\
perplexity: calculating perplexity over 2 chunks, n_ctx=2048, batch_size=2048, n_seq=1
perplexity: 3.21 seconds per pass - ETA 0.10 minutes
[1]20.5011,[2]21.2544,
Final estimate: PPL = 21.2544 +/- 0.83911

llama_perf_context_print:        load time =     120.33 ms
llama_perf_context_print: prompt eval time =    6012.50 ms /  4096 tokens (    1.47 ms per token,   681.25 tokens per second)
llama_perf_context_print:        eval time =       0.00 ms /     1 runs   (    0.00 ms per token,      inf tokens per second)
"""


class BenchPublic(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-bench-public-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        public.PROGRAM = LONGBOW

    def longbow(self, *arguments, code=0):
        done = subprocess.run([LONGBOW, *map(str, arguments)], cwd=self.dir, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr if code else done.stdout

    def model(self):
        self.longbow("import", "hf", GOLDEN / "llama", "--out", "run")
        self.longbow("export", "hf", "run", "--out", "hf")
        numpy.save(self.dir / "ids.npy", numpy.random.default_rng(2).integers(0, 300, IDS).astype("int32"))

    def test_both_sides_evaluate_the_same(self):
        self.model()
        for dtype, largest in (("fp32", 1e-4), ("bf16", 0.1)):
            row = public.beside_transformers(self.dir, dtype, threads=1, rounds=2, length=LENGTH, windows=WINDOWS)
            self.assertLess(row["nll_difference"], largest)
            self.assertGreater(row["nll"], 1)
            self.assertEqual([len(kept) for kept in row["rounds"].values()], [2, 2])
            self.assertAlmostEqual(row["ratio"], min(row["rounds"]["transformers_ms"]) / min(row["rounds"]["longbow_ms"]))
            self.assertIn(f"{row['ratio']:5.2f}x transformers", public.eval_line(row))

    def test_an_evaluation_is_timed(self):
        self.model()
        arguments = ("bench", "eval", "run", "--ids", "ids.npy", "--length", LENGTH, "--threads", 1, "--steps", 2, "--warmup-steps", 0)
        row = json.loads(self.longbow(*arguments, "--json", "--max-stream-tokens", 100))
        self.assertEqual((row["input_tokens"], row["scored_tokens"], row["evaluations"]), (100, 100, 2))
        self.assertLessEqual(row["seconds_min"], row["seconds_median"])
        measured, = self.longbow("eval", "run", "--ids", "ids.npy", "--lengths", LENGTH, "--max-stream-tokens", 100, "--json", "--out",
                                 "rows.jsonl", "--threads", 1).splitlines()
        self.assertEqual(row["nll"], json.loads(measured)["nll"])
        self.assertIn(f"{IDS} input tokens", self.longbow(*arguments))
        self.assertIn("operators of one evaluation", self.longbow(*arguments, "--profile"))
        self.assertEqual([path.name for path in (self.dir / "run").glob("*.jsonl")], [], "nothing is kept")
        self.assertIn("needs one of --data", self.longbow("bench", "eval", "run", "--length", 8, code=2))
        self.longbow("import", "hf", GOLDEN / "llama", "--out", "other")
        self.assertIn("times one checkpoint, and 2 are named", self.longbow("bench", "eval", "run", "other", *arguments[3:], code=2))

    def test_what_llamacpp_prints(self):
        self.assertEqual(llamacpp.parsed(OUTPUT), (6012.5, 4096, 21.2544))
        with self.assertRaisesRegex(SystemExit, "printed no result"):
            llamacpp.parsed("error: failed to load model")

    def test_llamacpp_takes_its_turns(self):
        """A tool that prints what llama.cpp's does stands for it."""
        tool = self.dir / "tool"
        tool.write_text(f"#!/bin/sh\necho \"$@\" > {self.dir}/arguments\ncat <<'END'\n{OUTPUT}END\n")
        tool.chmod(0o755)
        milliseconds, perplexity = llamacpp.run(tool, "model.gguf", "text", 2048, 2, threads=3)
        self.assertEqual((milliseconds, perplexity), (6012.5, 21.2544))
        self.assertEqual((self.dir / "arguments").read_text().split(),
                         "-m model.gguf -f text -c 2048 -b 2048 --chunks 2 -t 3 -tb 3 -lv 4".split())
        with self.assertRaisesRegex(SystemExit, "4096 tokens of 6144"):
            llamacpp.run(tool, "model.gguf", "text", 2048, 3, threads=1)

    def test_tokenizers(self):
        texts = {"code": pipelines.code(30_000), "words": "It was the best of rooms, it was the worst of rooms 1234.\n" * 200}
        files = {family: (GOLDEN / family / "tokenizer.json", True) for family in ("falcon_7b_like", "llama")}
        files["as it is"] = (GOLDEN / "llama3/tokenizer.json", False)
        said = []
        rows = pipelines.measure(TOOL, files, texts, rounds=1, vocabulary=1200, report=lambda row: said.append(pipelines.line(row)))
        self.assertEqual([(row["pipeline"], row["text"]) for row in rows], [(family, text) for family in files for text in texts])
        self.assertEqual([row["target"] for row in rows], [20, 20, 8, 8, 20, 20])
        for row in rows:
            self.assertTrue(row["ids_equal"], row)
            self.assertGreater(row["ratio"], 0)
        self.assertEqual([row["vocab_size"] for row in rows], [1200] * 4 + [320] * 2)
        self.assertEqual(len(said), 6)

    def test_memory_of_an_import(self):
        sizes = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 3, "num_attention_heads": 8,
                 "num_key_value_heads": 2, "vocab_size": 2000}
        row = memory.measure(LONGBOW, self.dir / "bench", sizes)
        self.assertEqual(row["parameters"], 2 * 2000 * 512 + 3 * (512 * (2 * 512 + 2 * 128) + 3 * 512 * 1408 + 2 * 512) + 512)
        self.assertEqual(row["largest_tensor_mb"], 2 * 2000 * 512 / 1e6)
        self.assertAlmostEqual(row["ratio"], row["peak_mb"] / (row["model_mb"] + row["largest_tensor_mb"]))
        self.assertGreater(row["peak_mb"], row["largest_tensor_mb"])
        self.assertEqual(list((self.dir / "bench").iterdir()), [], "the model and the run are removed")

    def test_a_peer_that_does_not_start(self):
        with self.assertRaisesRegex(SystemExit, "did not start"):
            turns.start([sys.executable, "-c", ""])


if __name__ == "__main__":
    unittest.main()
