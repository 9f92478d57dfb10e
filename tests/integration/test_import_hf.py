"""Tests `longbow import hf`: what an import keeps, and what it refuses. test_golden_hf.py compares what imported models
compute."""

import io
import json
import os
import pickle
import struct
import unittest
import zipfile

from hf_case import FOLDERS, MODELS, HfCase, Model, checkpoint_of, count, read_tensors
from import_case import DATA, USAGE


def matrix_of(model):
    """Returns the name of a weight of the first layer that is no square."""
    return next(name for name, (_, shape, _) in model.tensors.items()
                if ".0." in name and len(shape) == 2 and shape[0] != shape[1])


class WhatAnImportKeeps(HfCase):
    def test_every_golden_folder(self):
        for folder in sorted(path for path in FOLDERS.iterdir() if path.is_dir()):
            with self.subTest(folder.name):
                run = self.import_hf(folder)
                source = json.loads((checkpoint_of(run) / "source.json").read_text())
                theirs = Model(folder.name).tensors
                ours = read_tensors(checkpoint_of(run) / "model.safetensors")
                self.assertEqual({name: about["type"] for name, about in source["tensors"].items()},
                                 {name: dtype for name, (dtype, _, _) in theirs.items() if name not in source["buffers"]})
                # Each of their tensors can be put together again from its parts.
                for name, about in source["tensors"].items():
                    dtype, shape, data = theirs[name]
                    size = len(data) // count(shape)
                    again = bytearray(len(data))
                    for part in about["parts"]:
                        dtype_of_ours, _, values = ours[part["name"]]
                        self.assertEqual(dtype_of_ours, dtype, "a type is kept")
                        for i in range(count(part["sizes"])):
                            at, rest = part["offset"], i
                            for length, stride in zip(reversed(part["sizes"]), reversed(part["strides"])):
                                at += rest % length * stride
                                rest //= length
                            again[at * size : (at + 1) * size] = values[i * size : (i + 1) * size]
                    self.assertEqual(bytes(again), data, name)
                self.assertEqual((checkpoint_of(run) / "source.config.json").read_bytes(),
                                 (folder / "config.json").read_bytes())
                about = json.loads(self.run_longbow("inspect", "checkpoint", run, "--verify", "--json"))
                self.assertTrue(about["verified"])

    def test_types_on_disk(self):
        for dtype, name in (("bf16", "BF16"), ("fp16", "F16"), ("fp32", "F32"), ("fp64", "F64")):
            run = self.import_hf(FOLDERS / "llama", "--dtype", dtype)
            types = {dtype for dtype, _, _ in read_tensors(checkpoint_of(run) / "model.safetensors").values()}
            self.assertEqual(types - {"U8"}, {name})  # U8: fillers

    def test_a_length_that_the_files_do_not_say(self):
        run = self.import_hf(FOLDERS / "bloom_heads4")
        self.assertIn("length: 0", (run / "config.yaml").read_text())
        run = self.import_hf(FOLDERS / "bloom_heads4", "--train-length", 96)
        self.assertIn("length: 96", (run / "config.yaml").read_text())

    def test_torch_files_hold_the_same(self):
        safe = read_tensors(checkpoint_of(self.import_hf(FOLDERS / "bloom_heads4")) / "model.safetensors")
        folder = self.dir / "torch"
        Model("bloom_heads4").write(folder)
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes((FOLDERS / "bloom_heads4/pytorch_model.bin").read_bytes())
        run = self.import_hf(folder)
        self.assertEqual(read_tensors(checkpoint_of(run) / "model.safetensors"), safe)
        index = {"weight_map": dict.fromkeys(Model("bloom_heads4").tensors, "pytorch_model-00001-of-00001.bin")}
        (folder / "pytorch_model.bin").rename(folder / "pytorch_model-00001-of-00001.bin")
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        run = self.import_hf(folder)
        self.assertEqual(read_tensors(checkpoint_of(run) / "model.safetensors"), safe)

    def test_a_repeated_output_projection(self):
        model = Model("qwen2")
        model.tensors["lm_head.weight"] = model.tensors["model.embed_tokens.weight"]
        run = self.import_hf(model.write(self.dir / "model"))
        source = json.loads((checkpoint_of(run) / "source.json").read_text())
        self.assertEqual(source["repeated"], {"lm_head.weight": "model.embed_tokens.weight"})

    def test_families_without_a_golden(self):
        for name in ("olmo2", "gemma"):
            run = self.import_hf(MODELS[name]().write(self.dir / "model"))
            self.assertIn("block: " + {"olmo2": "sublayer_norm", "gemma": "pre_norm"}[name],
                          (run / "config.yaml").read_text())

    def test_a_taken_place(self):
        run = self.import_hf(FOLDERS / "llama")
        error = self.run_longbow("import", "hf", FOLDERS / "llama", "--out", run, code=USAGE)
        self.assertIn("already exists", error)


class WithoutTokenizer(HfCase):
    def test_given_ids_are_scored(self):
        model = Model("llama")
        folder = model.write(self.dir / "model")
        self.run_longbow("import", "hf", folder, "--out", self.dir / "whole")
        ids = self.dir / "ids.npy"
        values = [number * 37 % 290 for number in range(200)]
        header = str({"descr": "<i8", "fortran_order": False, "shape": (len(values),)}).encode()
        header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
        ids.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}q", *values))

        settings = json.loads((folder / "tokenizer.json").read_text())
        settings["model"] = {"type": "Unigram", "unk_id": 0, "vocab": [["a", -1.0]]}
        (folder / "tokenizer.json").write_text(json.dumps(settings))
        error = self.run_longbow("import", "hf", folder, "--out", self.dir / "bare", code=DATA)
        self.assertIn("--no-tokenizer ID", error)
        self.run_longbow("import", "hf", folder, "--out", self.dir / "bare", "--no-tokenizer", 1)
        losses = []
        for run in ("whole", "bare"):
            self.run_longbow("eval", run, "--ids", ids, "--lengths", "32", "--out", self.dir / f"{run}.jsonl")
            losses.append(json.loads((self.dir / f"{run}.jsonl").read_text())["nll"])
        self.assertEqual(*losses)

        text = self.dir / "text.txt"
        text.write_text("a text")
        for arguments in (("eval", "bare", "--text", text, "--lengths", "4"), ("generate", "bare", "--prompt", "a"),
                          ("prepare", "--tokenizer", "given_ids:bare", "--valid", text, "--out", "store")):
            self.assertIn("--ids", self.run_longbow(*arguments, code=DATA))
        self.run_longbow("export", "hf", "bare", "--out", self.dir / "back")
        self.assertEqual(read_tensors(self.dir / "back/model.safetensors"), read_tensors(folder / "model.safetensors"))

    def test_what_is_refused(self):
        folder = Model("llama").write(self.dir / "model")
        error = self.import_hf(folder, "--no-tokenizer", 100000, code=USAGE)
        self.assertIn("has the ids 0 to", error)
        self.import_hf(folder, "--no-tokenizer", 1, "--tokenizer", folder / "tokenizer.json", code=USAGE)
        self.import_hf(folder, "--no-tokenizer", -1, code=USAGE)


class Refused(HfCase):
    def every(self):
        for name, make in MODELS.items():
            with self.subTest(name):
                yield make()

    def test_a_transposed_tensor(self):
        for model in self.every():
            name = matrix_of(model)
            dtype, shape, data = model.tensors[name]
            model.tensors[name] = (dtype, shape[::-1], data)
            self.refused(model.write(self.dir / "model"), name, "transposed")

    def test_a_missing_tensor(self):
        for model in self.every():
            name = matrix_of(model)
            del model.tensors[name]
            self.refused(model.write(self.dir / "model"), name)

    def test_an_extra_tensor(self):
        for model in self.every():
            model.tensors["score.weight"] = ("F32", [2], struct.pack("<2f", 1, 2))
            self.refused(model.write(self.dir / "model"), "score.weight", "has no place")

    def test_a_tensor_of_another_shape(self):
        for model in self.every():
            name = next(name for name, (_, shape, _) in model.tensors.items() if ".1." in name and len(shape) == 1)
            dtype, shape, data = model.tensors[name]
            model.tensors[name] = (dtype, [shape[0] + 1], data + data[: len(data) // shape[0]])
            self.refused(model.write(self.dir / "model"), name, f"[{shape[0] + 1}]", f"[{shape[0]}]")

    def test_a_tensor_of_whole_numbers(self):
        for model in self.every():
            name = matrix_of(model)
            _, shape, _ = model.tensors[name]
            model.tensors[name] = ("U8", shape, bytes(count(shape)))
            self.refused(model.write(self.dir / "model"), name, "U8")

    def test_a_value_that_is_not_finite(self):
        for model in self.every():
            name = matrix_of(model)
            dtype, shape, data = model.tensors[name]
            value = {"F32": struct.pack("<f", float("nan")), "F16": b"\x00\x7c", "BF16": b"\xc0\x7f"}[dtype]
            model.tensors[name] = (dtype, shape, data[: -len(value)] + value)
            self.refused(model.write(self.dir / "model"), name, "not finite")

    def test_an_unknown_key(self):
        for model in self.every():
            model.settings["alpha_of_a_newer_release"] = 0.5
            self.refused(model.write(self.dir / "model"), "config.json", "alpha_of_a_newer_release")

    def test_a_quantized_model(self):
        for model in self.every():
            model.settings["quantization_config"] = {"quant_method": "gptq", "bits": 4}
            self.refused(model.write(self.dir / "model"), "quantization_config")

    def test_a_truncated_shard(self):
        for model in self.every():
            model.write_shards(self.dir / "model")
            shard = self.dir / "model/model-00002-of-00002.safetensors"
            shard.write_bytes(shard.read_bytes()[:-5])
            self.refused(self.dir / "model", shard)

    def test_an_absent_shard(self):
        for model in self.every():
            model.write_shards(self.dir / "model")
            shard = self.dir / "model/model-00002-of-00002.safetensors"
            shard.unlink()
            self.refused(self.dir / "model", shard, "missing")

    def test_a_shard_outside_the_folder(self):
        outside = self.dir / "model-00002-of-00002.safetensors"
        for model in self.every():
            index = model.write_shards(self.dir / "model")
            (self.dir / "model" / outside.name).rename(outside)
            for name in (f"../{outside.name}", str(outside), "..", ""):
                changed = {tensor: name if file == outside.name else file for tensor, file in index["weight_map"].items()}
                (self.dir / "model/model.safetensors.index.json").write_text(json.dumps({"weight_map": changed}))
                self.refused(self.dir / "model", "model.safetensors.index.json", "is not a file of this folder")
                if model.settings["model_type"] != "llama":
                    break  # one kind of path is enough for the others

    def test_a_tensor_in_two_shards(self):
        index = Model("llama").write_shards(self.dir / "model")
        names = list(index["weight_map"])
        (self.dir / "model/model.safetensors.index.json").write_text(json.dumps(
            {"weight_map": {**index["weight_map"], names[0]: "model-00002-of-00002.safetensors"}}))
        self.refused(self.dir / "model", names[0])

    def test_a_tied_pair_that_differs(self):
        for model in self.every():
            if model.settings.get("tie_word_embeddings") is False:
                continue
            name = next(name for name in model.tensors if "embed_tokens" in name or "wte" in name or "word_embeddings.w" in name)
            dtype, shape, data = model.tensors[name]
            model.tensors["lm_head.weight"] = (dtype, shape, data[:-1] + bytes([data[-1] ^ 1]))
            self.refused(model.write(self.dir / "model"), "lm_head.weight", "tie_word_embeddings")

    def test_no_output_projection(self):
        model = Model("llama")
        del model.tensors["lm_head.weight"]
        self.refused(model.write(self.dir / "model"), "lm_head.weight", "tie_word_embeddings: true")

    def test_a_hostile_pickle(self):
        witness = self.dir / "witness"

        class Command:
            def __reduce__(self):
                return os.system, (f"touch {witness}",)

        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as file:
            file.writestr("archive/data.pkl", pickle.dumps({"transformer.wte.weight": Command()}, 2))
        for model in self.every():
            folder = model.write(self.dir / "model")
            (folder / "model.safetensors").unlink()
            (folder / "pytorch_model.bin").write_bytes(data.getvalue())
            self.refused(folder, "pytorch_model.bin")
        self.assertFalse(witness.exists())

    def test_settings_that_are_no_settings(self):
        folder = Model("llama").write(self.dir / "model")
        for text in ("", "[]", "{", "{\"a\": 1, \"a\": 2}", "{" * 100_000, "[" * 1_000_000, "{\"model_type\": 7}", "\x00"):
            (folder / "config.json").write_text(text)
            self.refused(folder, "config.json")
        (folder / "config.json").unlink()
        self.refused(folder, "config.json is missing")

    def test_no_tokenizer(self):
        folder = Model("llama").write(self.dir / "model")
        (folder / "tokenizer.json").unlink()
        error = self.import_hf(folder, code=4)
        self.assertIn("--tokenizer", error)
        self.import_hf(folder, "--tokenizer", FOLDERS / "llama/tokenizer.json")
        error = self.import_hf(Model("qwen2").write(folder), "--tokenizer", FOLDERS / "llama/tokenizer.json", code=5)
        self.assertIn("tokenizer is another model's", error)


if __name__ == "__main__":
    unittest.main()
