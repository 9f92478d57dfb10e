"""Tests `longbow inspect data`: counts, spans, what an update sees, and damage, which it names."""

import json
import unittest

from prepare_case import DATA, USAGE, PrepareCase


class Inspect(PrepareCase):
    def setUp(self):
        super().setUp()
        self.prepare()

    def inspect(self, *arguments, code=0):
        return self.run_longbow("inspect", "data", self.store, *arguments, code=code)

    def test_summary_and_json(self):
        out = self.inspect()
        manifest = self.manifest()
        self.assertIn(f"{manifest['splits']['valid']['tokens']:,} tokens", out)
        self.assertEqual(json.loads(self.inspect("--json"))["manifest"], manifest)

    def test_spans(self):
        text = self.valid.read_text()
        self.assertTrue(text.startswith(self.inspect("--split", "valid", "--tokens", "0:30").rstrip("\n")))
        self.assertIn("BEGIN:END", self.inspect("--tokens", "5", code=USAGE))
        self.assertIn("tokens", self.inspect("--tokens", "5:999999999", code=USAGE))
        self.assertIn("it has train, valid", self.inspect("--split", "test", code=DATA))

    def test_update(self):
        config = self.write("c.yaml", "train: {length: 16, batch: 4, accumulate: 2, seed: 9}\n")
        first = json.loads(self.inspect("--update", 1, "-c", config, "--json"))["update"]
        second = json.loads(self.inspect("--update", 2, "-c", config, "--json"))["update"]
        self.assertEqual([s["sample"] for s in first["samples"] + second["samples"]], list(range(16)))
        self.assertEqual([s["micro_batch"] for s in first["samples"]], [0] * 4 + [1] * 4)
        for sample in first["samples"]:
            self.assertEqual(sample["end"] - sample["begin"], 16)
            span = json.loads(self.inspect("--tokens", f"{sample['begin']}:{sample['end']}", "--json"))["span"]
            self.assertEqual(span["text"], sample["text"])
        other = json.loads(self.inspect("--update", 1, "-c", config, "train.seed=10", "--json"))["update"]
        self.assertNotEqual([s["begin"] for s in other["samples"]], [s["begin"] for s in first["samples"]])
        # An epoch sees each block once.
        blocks = self.manifest()["splits"]["train"]["tokens"] // 16
        begins = set()
        big = json.loads(self.inspect("--update", 1, "-c", config, f"train.batch={blocks}", "train.accumulate=1",
                                      "--json"))["update"]
        begins.update(s["begin"] for s in big["samples"])
        self.assertEqual(len(begins), blocks)

    def test_damage_is_found_by_name(self):
        self.assertIn("every checksum fits", self.inspect("--verify"))
        shard = self.store / "train-00000.bin"
        data = bytearray(shard.read_bytes())
        data[1000] ^= 1
        shard.write_bytes(data)
        self.assertIn("train-00000.bin", self.inspect("--verify", code=DATA))
        shard.write_bytes(data[:-2])
        self.assertIn("train-00000.bin", self.inspect(code=DATA))
        shard.unlink()
        self.assertIn("train-00000.bin", self.inspect(code=DATA))

    def test_edited_manifest_and_vocabulary_are_refused(self):
        manifest = self.store / "manifest.json"
        text = manifest.read_text()
        manifest.write_text(text.replace('"documents": 1', '"documents": 2', 1))
        self.assertIn("manifest.json", self.inspect(code=DATA))
        manifest.write_text(text)
        merges = self.store / "merges.txt"
        merges.write_text("\n".join(merges.read_text().splitlines()[:-1]) + "\n")
        self.inspect("--tokens", "0:5", code=DATA)

if __name__ == "__main__":
    unittest.main()
