"""longbow import fairseq, and what can be done with the result, through the real binary (environment variable LONGBOW: its path): the
golden checkpoints of the authors' code give their perplexities and log-probabilities, and hostile files give an error and nothing else."""

import io
import json
import os
import pathlib
import pickle
import random
import shutil
import struct
import subprocess
import tempfile
import unittest
import zipfile

LONGBOW = os.environ.get("LONGBOW", "longbow")
SOURCE = pathlib.Path(os.environ.get("LONGBOW_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
GOLDEN = SOURCE / "tests/golden"
USAGE, DATA, CHECKPOINT = 2, 4, 5
END = 2  # </s>


def safetensors(path):
    """Name -> (dtype, values), of a file of one-dimensional tensors."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        code = {"I64": "q", "F32": "f"}[about["dtype"]]
        body = data[8 + size + begin : 8 + size + end]
        tensors[name] = struct.unpack(f"<{len(body) // struct.calcsize(code)}{code}", body)
    return tensors


def npy(path):
    """The values of a one-dimensional float32 NumPy file."""
    data = path.read_bytes()
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - begin) // 4}f", data[begin:])


class ImportCase(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="longbow-import-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def run_longbow(self, *arguments, code=0):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        result = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, timeout=300, env=environment, cwd=self.dir)
        stderr = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, code, stderr)
        if code:
            lines = [line for line in stderr.splitlines() if line.startswith("longbow: error:")]
            self.assertEqual(len(lines), 1, stderr)
            return lines[0]
        return result.stdout.decode()

    def run_import(self, checkpoint, method="alibi", dictionary=None, code=0, out=None):
        out = out or self.dir / f"{method}-{pathlib.Path(checkpoint).stem}"
        dictionary = dictionary or GOLDEN / "alibi_adaptive/dict.txt"
        answer = self.run_longbow("import", "fairseq", checkpoint, "--dict", dictionary, "--position", method, "--out", out, code=code)
        if code:
            self.assertFalse((out / "checkpoints").exists(), "an error leaves nothing behind")
            return answer
        return out

    def text_of(self, method):
        """The golden stream as text: words by the dictionary, a line's end for each </s>."""
        folder = GOLDEN / f"{method}_adaptive"
        words = ["<s>", "<pad>", "</s>", "<unk>"] + [line.rsplit(" ", 1)[0] for line in (folder / "dict.txt").read_text().splitlines()]
        tokens = safetensors(folder / "expected.safetensors")["tokens"]
        self.assertEqual(tokens[-1], END, "a text ends with its last line's end")
        path = self.dir / f"{method}.txt"
        path.write_text("".join("\n" if token == END else words[token] + " " for token in tokens))
        return path, len(tokens)


class GoldenCheckpoints(ImportCase):
    def check(self, method):
        folder = GOLDEN / f"{method}_adaptive"
        run = self.run_import(folder / "checkpoint.pt", method, folder / "dict.txt")
        text, count = self.text_of(method)
        expected = safetensors(folder / "expected.safetensors")
        for row in json.loads((folder / "results.json").read_text()):
            logprobs = self.dir / "logprobs.npy"
            answer = json.loads(self.run_longbow("eval", run, "--text", text, "--lengths", row["L"], "--stride", row["stride"],
                                                 "--json", "--token-logprobs", logprobs, "--again"))
            self.assertEqual((answer["tokens"], answer["position"], answer["train_length"]), (count, method, 32))
            self.assertLess(abs(answer["ppl"] / row["ppl_f64"] - 1), 1e-6, row)
            found = npy(logprobs)
            theirs = expected[f"logprobs_L{row['L']}_ctx{row['context_window']}"]
            self.assertEqual(len(found), len(theirs))
            self.assertLess(max(abs(a - b) for a, b in zip(found, theirs)), 2e-5, row)

    def test_alibi(self):
        self.check("alibi")

    def test_sinusoidal(self):
        self.check("sinusoidal")

    def test_rotary(self):
        self.check("rotary")

    def test_t5(self):
        self.check("t5")


class WhatAnImportedModelIsGoodFor(ImportCase):
    def test_inspect_generate_and_train_on(self):
        run = self.run_import(GOLDEN / "alibi_adaptive/checkpoint_oldstyle.pt")
        about = json.loads(self.run_longbow("inspect", "checkpoint", run, "--verify", "--json"))
        self.assertEqual((about["manifest"]["position"], about["manifest"]["vocab_size"], about["verified"]), ("alibi", 1000, True))
        self.assertIn("head.classes", [weight["name"] for weight in about["weights"]])
        generated = self.run_longbow("generate", run, "--prompt", "w1 w2", "--max-new-tokens", "5", "--past-boundary")
        self.assertTrue(generated.startswith("w1 w2"), generated)

        text, _ = self.text_of("alibi")
        store = self.dir / "store"
        self.run_longbow("prepare", "--tokenizer", f"word:{run}/checkpoints/last", "--train", text, "--valid", text, "--out", store)
        settings = ["data.store=" + str(store), "train.init_from=" + str(run), "train.length=32", "train.batch=2", "train.stop=1 updates",
                    "optim.lr=1e-9", "eval.lengths=[32]", "log.tensorboard=false"]
        config = self.dir / "model.yaml"
        model = (run / "config.yaml").read_text().split("position:")[0]
        config.write_text("\n".join(line for line in model.splitlines() if "init:" not in line) + "\nposition:\n  method: alibi\n")
        self.run_longbow("train", "-c", config, *settings, "--run-dir", self.dir / "on")

        def perplexity(checkpoint):
            return json.loads(self.run_longbow("eval", checkpoint, "--data", store, "--lengths", "32", "--json"))["ppl"]

        self.assertAlmostEqual(perplexity(self.dir / "on") / perplexity(run), 1, places=4)

    def test_our_own_save_and_load_keep_the_perplexity(self):
        run = self.run_import(GOLDEN / "alibi_adaptive/checkpoint.pt")
        text, _ = self.text_of("alibi")
        copy = self.dir / "copy"
        shutil.copytree(run / "checkpoints/last", copy)  # a checkpoint stands alone
        rows = [json.loads(self.run_longbow("eval", place, "--text", text, "--lengths", "48", "--json", "--out", self.dir / f"{i}.jsonl"))
                for i, place in enumerate((run, copy))]
        self.assertEqual(rows[0]["ppl"], rows[1]["ppl"])
        self.assertEqual(rows[0]["nll"], rows[1]["nll"])


class Mistakes(ImportCase):
    def test_position_and_dictionary(self):
        t5 = GOLDEN / "t5_adaptive"
        self.assertIn("--position t5 is right, not alibi", self.run_import(t5 / "checkpoint.pt", "alibi", t5 / "dict.txt", code=CHECKPOINT))
        self.assertIn("did you mean alibi?", self.run_import(t5 / "checkpoint.pt", "alibbi", t5 / "dict.txt", code=USAGE))
        short = self.dir / "dict.txt"
        short.write_text("".join((t5 / "dict.txt").read_text().splitlines(keepends=True)[:-3]))
        self.assertIn("fills the vocabulary up to a multiple of 8", self.run_import(t5 / "checkpoint.pt", "t5", short, code=DATA))
        self.assertIn("No such file", self.run_import(self.dir / "none.pt", code=CHECKPOINT))
        self.assertIn("no file of torch.save", self.run_import(short, code=CHECKPOINT))

    def test_a_taken_place(self):
        run = self.run_import(GOLDEN / "alibi_adaptive/checkpoint.pt")
        folder = GOLDEN / "alibi_adaptive"
        error = self.run_longbow("import", "fairseq", folder / "checkpoint.pt", "--dict", folder / "dict.txt", "--position", "alibi",
                                 "--out", run, code=USAGE)
        self.assertIn("something is there already", error)


class Command:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


class Hostile(ImportCase):
    def zip_of(self, pickled, **records):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as file:
            file.writestr("archive/data.pkl", pickled)
            for name, record in records.items():
                file.writestr(f"archive/{name}", record)
        path = self.dir / "hostile.pt"
        path.write_bytes(data.getvalue())
        return path

    def test_a_pickle_that_would_run_a_command(self):
        witness = self.dir / "witness"
        for protocol in (2, 4):
            for value in (Command(witness), {"args": Command(witness), "model": {"decoder.version": Command(witness)}}):
                self.run_import(self.zip_of(pickle.dumps(value, protocol)), code=CHECKPOINT)
        self.assertFalse(witness.exists())
        pickle.loads(pickle.dumps(Command(witness), 2))
        self.assertTrue(witness.exists(), "it would have")

    def test_a_zip_bomb(self):
        path = self.dir / "bomb.pt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("archive/data.pkl", b"\x80\x02" + bytes(50_000_000))
        self.assertIn("is compressed", self.run_import(path, code=CHECKPOINT))

    def test_damaged_files(self):
        rng = random.Random(5)
        whole = (GOLDEN / "alibi_adaptive/checkpoint.pt").read_bytes()
        path = self.dir / "damaged.pt"
        for _ in range(8):
            data = bytearray(whole)
            data[rng.randrange(len(data) // 20)] ^= 1 << rng.randrange(8)  # the pickle and the first weights: all under a checksum
            path.write_bytes(data)
            if bytes(data[:4]) != whole[:4]:
                continue
            dictionary = GOLDEN / "alibi_adaptive/dict.txt"
            arguments = ["import", "fairseq", path, "--dict", dictionary, "--position", "alibi", "--out", self.dir / "out"]
            result = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, timeout=300)
            self.assertIn(result.returncode, (0, CHECKPOINT), result.stderr)  # 0: the bit was in a field that nothing uses
            shutil.rmtree(self.dir / "out", ignore_errors=True)
        for size in (0, 3, 40, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            self.run_import(path, code=CHECKPOINT)


if __name__ == "__main__":
    unittest.main()
