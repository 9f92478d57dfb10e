"""Tests `longbow import fairseq` on malicious and damaged files: each is an error and has no other effect."""

import io
import os
import pickle
import random
import shutil
import subprocess
import unittest
import zipfile

from import_case import CHECKPOINT, GOLDEN, LONGBOW, ImportCase
from patience import PATIENCE


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
            # The pickle and the first weights, which are all under a checksum.
            data[rng.randrange(len(data) // 20)] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
            if bytes(data[:4]) != whole[:4]:
                continue
            dictionary = GOLDEN / "alibi_adaptive/dict.txt"
            arguments = ["import", "fairseq", path, "--dict", dictionary, "--position", "alibi",
                         "--out", self.dir / "out"]
            result = subprocess.run([LONGBOW, *map(str, arguments)], capture_output=True, timeout=PATIENCE)
            self.assertIn(result.returncode, (0, CHECKPOINT), result.stderr)  # 0: the bit was in an unused field
            shutil.rmtree(self.dir / "out", ignore_errors=True)
        for size in (0, 3, 40, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            self.run_import(path, code=CHECKPOINT)


if __name__ == "__main__":
    unittest.main()
