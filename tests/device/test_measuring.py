"""Evaluates, generates and imports on the pretend device. The CPU must give the same numbers and text."""
import json
import unittest

from device_case import ADAPTIVE, DeviceCase, SOURCE


class Measuring(DeviceCase):
    def perplexities(self, device, run, *flags):
        done = self.succeed("eval", run, "--device", device, "--threads", 1, "--json", "--again", "--out",
                            self.folder / f"{device}.jsonl", *flags, device=device)
        self.assertNotIn("not a measurement", done.stderr)
        return [json.loads(line)["ppl"] for line in done.stdout.splitlines()]

    def compare(self, run, *flags, limit=1e-6):
        cpu, device = (self.perplexities(device, run, *flags) for device in ("cpu", "cuda"))
        self.assertEqual(len(device), len(cpu))
        for found, expected in zip(device, cpu):
            self.assertLess(abs(found / expected - 1), limit)

    def test_from_the_training_length_to_16_times_it(self):
        run = self.train("alibi", "train.stop=8 updates", device="cpu")
        for backend, limit in (("sdpa", 1e-6), ("fused", 1e-5)):
            with self.subTest(backend=backend):
                self.compare(run, "--data", self.folder / "store", "--lengths", "16,64,256", "--max-stream-tokens", 300,
                             "--attention", backend, limit=limit)

    def test_adaptive_model_and_its_text(self):
        run = self.train("adaptive", *ADAPTIVE, "train.stop=8 updates")
        self.compare(run, "--data", self.folder / "store", "--lengths", "16,64")
        texts = [self.succeed("generate", run, "--prompt", "bak", "--max-new-tokens", 12, "--temperature", 0,
                              "--device", device, "--threads", 1, "--past-boundary", device=device).stdout
                 for device in ("cpu", "cuda")]
        self.assertEqual(texts[1], texts[0])

    def test_an_imported_checkpoint(self):
        golden = SOURCE / "tests/golden/alibi_adaptive"
        run = self.folder / "imported"
        self.succeed("import", "fairseq", golden / "checkpoint.pt", "--dict", golden / "dict.txt",
                     "--position", "alibi", "--out", run, device="cpu")
        self.compare(run, "--text", self.folder / "valid.txt", "--lengths", 32)


if __name__ == "__main__":
    unittest.main()
