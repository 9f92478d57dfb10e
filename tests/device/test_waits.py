"""Counts how often the host waits for the device: once an update, once a batch of an evaluation."""
import collections
import math
import unittest

from device_case import ADAPTIVE, DeviceCase

# Waits in which ranks exchange what they agree on come on top of these.
UPDATE = {"copy to the host, pageable": 1}  # loss and norm
BATCH = ("train.batch=16", "train.accumulate=2")  # an epoch has 4 such updates and a short block


class Waits(DeviceCase):
    def waits_of(self, *command):
        self.succeed(*command)
        return collections.Counter(self.waits)

    def training(self, name, updates, *settings):
        run = self.folder / f"{name}-{updates}"
        return self.waits_of("train", "-c", self.folder / "tiny.yaml", "--run-dir", run, "--threads", 1,
                             "--device", "cuda", "log.every=1000 updates", "data.valid=null", "eval.lengths=null",
                             "eval.every=null", *settings, f"train.stop={updates} updates")

    def expect_an_update(self, name, *settings, ranks=1):
        """Compares runs that differ in nothing but their number of updates. The second one passes the end of an epoch,
        with a short block."""
        few, many = 2, 12
        difference = self.training(name, many, *settings)
        difference.subtract(self.training(name, few, *settings))
        expected = {reason: count * (many - few) * ranks for reason, count in UPDATE.items()}
        self.assertEqual({reason: count for reason, count in difference.items() if count != 0}, expected)

    def test_an_update_waits_once(self):
        for name, settings in (("plain", []), ("rotary", ["position.method=rotary"]), ("fp16", ["train.dtype=fp16"]),
                               ("t5", ["position.method=t5", "train.recompute=layer"])):
            with self.subTest(name=name):
                self.expect_an_update(name, *BATCH, *settings)

    def test_the_kernels_wait_for_nothing(self):
        self.expect_an_update("fused", *BATCH, "train.batch=8", "attention.backend=fused",
                              "model.attention_dropout=0.1")

    def test_an_update_of_the_paper_s_adaptive_model_waits_once(self):
        self.expect_an_update("adaptive", *BATCH, *ADAPTIVE)

    def test_an_update_of_two_ranks_waits_once_on_each(self):
        for name, settings in (("ranks", []), ("sharded", [*ADAPTIVE, "dist.shard_optimizer=true"])):
            with self.subTest(name=name):
                self.expect_an_update(name, *BATCH, *settings, "--nproc", 2, ranks=2)

    def test_the_weights_of_a_checkpoint_are_checked_in_one_wait(self):
        seldom = self.training("seldom", 6, "checkpoint.every=6 updates")
        often = self.training("often", 6, "checkpoint.every=2 updates")
        self.assertEqual(often["item()"] - seldom["item()"], 2)

    def test_an_evaluation_waits_once_a_batch(self):
        run = self.train("evaluated", *ADAPTIVE, "train.stop=2 updates")
        counts = {}
        for tokens in (96, 192):
            counts[tokens] = self.waits_of("eval", run, "--data", self.folder / "store", "--lengths", 16,
                                           "--stride", 16, "--max-tokens", 32, "--max-stream-tokens", tokens,
                                           "--device", "cuda", "--threads", 1, "--again")
        difference = counts[192]
        difference.subtract(counts[96])
        self.assertEqual({reason: count for reason, count in difference.items() if count != 0},
                         {"copy to the host": math.ceil((192 - 96) / 32)})


if __name__ == "__main__":
    unittest.main()
