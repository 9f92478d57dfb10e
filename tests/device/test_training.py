"""Trains on the pretend device and compares with the CPU."""
import unittest

from device_case import DeviceCase, losses


class Training(DeviceCase):
    def compare(self, name, *settings):
        """Returns the losses of 20 updates on the CPU and on the device, as (text, numbers)."""
        both = [losses(self.train(f"{name}-{device}", *settings, device=device)) for device in ("cpu", "cuda")]
        self.assertEqual([len(numbers) for _, numbers in both], [20, 20])
        return both

    def test_alibi(self):
        cpu, device = self.compare("alibi", "attention.backend=sdpa")
        self.assertEqual(device[0], cpu[0])


if __name__ == "__main__":
    unittest.main()
