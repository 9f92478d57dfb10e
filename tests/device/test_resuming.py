"""Interrupts trainings on the pretend device. Resumed, they must end with the same bits."""
import signal
import unittest

from device_case import ADAPTIVE, DeviceCase, longbow


class Resuming(DeviceCase):
    def check(self, name, *settings):
        settings = (*settings, "train.stop=12 updates", "checkpoint.every=4 updates", "train.deterministic=true")
        run = self.folder / name
        killed = longbow("train", "-c", self.folder / "tiny.yaml", "--run-dir", run, "--threads", 1, "--device", "cuda",
                         *settings, LONGBOW_FAILPOINT="train.update:9")
        self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
        done = self.succeed("train", "-c", self.folder / "tiny.yaml", "--run-dir", run, "--threads", 1, "--device",
                            "cuda", *settings)
        self.assertIn("continuing from", done.stderr)
        self.assert_same_weights(run, self.train(f"{name}-straight", *settings))

    def test_fused_with_dropout(self):
        self.check("fused", "attention.backend=fused", "model.dropout=0.1", "model.attention_dropout=0.1")

    def test_fp16(self):
        self.check("fp16", "train.dtype=fp16")

    def test_the_paper_s_adaptive_model(self):
        self.check("adaptive", *ADAPTIVE)


if __name__ == "__main__":
    unittest.main()
