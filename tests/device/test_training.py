"""Trains on the pretend device with every position method, number format and option that changes what runs there, and
compares with the CPU: the losses of 20 updates are equal in all digits of the log line where both compute alike."""
import unittest

from device_case import ADAPTIVE, DeviceCase, last, losses

UPDATES = 20


class Training(DeviceCase):
    def both(self, name, *settings):
        """Returns the losses on the CPU and on the device, each as (text, numbers)."""
        found = [losses(self.train(f"{name}-{device}", *settings, device=device)) for device in ("cpu", "cuda")]
        self.assertEqual([len(numbers) for _, numbers in found], [UPDATES, UPDATES])
        self.assertLess(found[0][1][-1], found[0][1][0])
        return found

    def expect_same_digits(self, name, *settings):
        cpu, device = self.both(name, *settings)
        self.assertEqual(device[0], cpu[0])

    def expect_near(self, name, *settings, first, last):
        """Compares the first and the last loss, with relative limits."""
        (_, cpu), (_, device) = self.both(name, *settings)
        self.assertLess(abs(device[0] / cpu[0] - 1), first)
        self.assertLess(abs(device[-1] / cpu[-1] - 1), last)

    def test_every_position_method(self):
        for method in ("none", "learned", "sinusoidal", "rotary", "alibi", "t5", "kerple", "fox", "fire", "pope"):
            with self.subTest(method=method):
                self.expect_same_digits(method, f"position.method={method}", "attention.backend=sdpa")

    def test_the_formula_step_by_step(self):
        self.expect_same_digits("reference", "attention.backend=reference")

    def test_fp64(self):
        for backend in ("reference", "sdpa"):
            with self.subTest(backend=backend):
                self.expect_same_digits(f"fp64-{backend}", "train.dtype=fp64", f"attention.backend={backend}")

    def test_the_paper_s_adaptive_model(self):
        self.expect_same_digits("adaptive", *ADAPTIVE, "model.output_dropout=0", "model.tail_dropout=0",
                                "train.batch=16", "train.accumulate=2")

    def test_swiglu_and_rmsnorm(self):
        self.expect_same_digits("swiglu", "model.activation=swiglu", "model.norm=rmsnorm", "attention.backend=sdpa")

    def test_fused(self):
        """The kernels run on the emulator, whose sums are those of tensor cores."""
        for method, *settings in (
                ("alibi",), ("t5",), ("fox",), ("kerple",),
                ("grape",), ("alibi", "position.window=6", "position.sinks=2"), ("t5", "position.sink_logit=true"),
                ("t5", "position.draw=integers", "position.draw_max=64")):
            name = "-".join((method, *(setting.partition("=")[0].removeprefix("position.") for setting in settings)))
            with self.subTest(name=name):
                self.expect_near(f"fused-{name}", f"position.method={method}", *settings, "attention.backend=fused",
                                 first=1e-5, last=1e-3)
                kernels = [name for name in self.operators if "Kernel" in name]
                self.assertTrue(any("ForwardKernel" in name for name in kernels), kernels)

    def test_reduced_precision(self):
        for dtype in ("bf16", "fp16"):
            for backend in ("sdpa", "fused"):
                with self.subTest(dtype=dtype, backend=backend):
                    self.expect_near(f"{dtype}-{backend}", f"train.dtype={dtype}", f"attention.backend={backend}",
                                     first=1e-3, last=1e-2)

    def test_dropout(self):
        """CPU and device draw other numbers, so the losses are only near. On the device, the same seed gives the same
        weights."""
        dropped = ("model.dropout=0.1", "model.attention_dropout=0.1", "train.deterministic=true")
        for backend in ("sdpa", "fused"):
            with self.subTest(backend=backend):
                chosen = (*dropped, f"attention.backend={backend}")
                self.expect_near(f"dropout-{backend}", *chosen, first=0.02, last=0.05)
                self.assert_same_weights(self.train(f"dropout-{backend}-again", *chosen),
                                         self.folder / f"dropout-{backend}-cuda")

    def test_recomputed_activations_change_no_bit(self):
        for name, settings in (("sdpa", ["attention.backend=sdpa"]),
                               ("t5", ["position.method=t5", "attention.backend=fused"])):
            with self.subTest(name=name):
                dropped = (*settings, "model.dropout=0.1", "model.attention_dropout=0.1", "train.stop=8 updates")
                self.assert_same_weights(self.train(f"kept-{name}", *dropped),
                                         self.train(f"recomputed-{name}", *dropped, "train.recompute=layer"))


if __name__ == "__main__":
    unittest.main()
