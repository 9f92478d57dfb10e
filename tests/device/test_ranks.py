"""Trains with two ranks on two pretend devices, through the program's own NCCL module: plain and with a sharded
optimizer. The CPU's ranks must give the same losses."""
import unittest

from device_case import ADAPTIVE, DeviceCase, losses


class Ranks(DeviceCase):
    def compare(self, name, *settings):
        cpu, device = (losses(self.train(f"{name}-{device}", *settings, "train.accumulate=2", "--nproc", 2,
                                         device=device)) for device in ("cpu", "cuda"))
        self.assertEqual(len(device[0]), 20)
        self.assertEqual(device[0], cpu[0])

    def test_plain(self):
        self.compare("plain")

    def test_with_the_optimizer_sharded(self):
        self.compare("sharded", *ADAPTIVE, "model.output_dropout=0", "model.tail_dropout=0",
                     "dist.shard_optimizer=true")

    def test_gradients_in_bf16(self):
        self.compare("bf16", "dist.reduce_dtype=bf16")


if __name__ == "__main__":
    unittest.main()
