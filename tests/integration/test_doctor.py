"""`longbow doctor` must look for the cache where the scripts put it (cache_dir in scripts/common.sh), and compares the
attention operator with the formula when asked to."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from patience import PATIENCE

LONGBOW = os.environ["LONGBOW"]
SOURCE = pathlib.Path(os.environ["LONGBOW_SOURCE"])


class Doctor(unittest.TestCase):
    def test_the_cache_is_the_scripts_cache(self):
        with tempfile.TemporaryDirectory() as folder:
            home = pathlib.Path(folder).resolve()
            (home / "home").mkdir()
            for name, places in {
                "named": {"LONGBOW_CACHE": str(home / "named"), "XDG_CACHE_HOME": str(home / "xdg")},
                "of the desktop": {"XDG_CACHE_HOME": str(home / "xdg")},
                "of the user": {},
            }.items():
                with self.subTest(name):
                    env = {key: value for key, value in os.environ.items()
                           if key not in ("LONGBOW_CACHE", "XDG_CACHE_HOME")}
                    env |= {"HOME": str(home / "home")} | places
                    script = f". '{SOURCE}/scripts/common.sh'; cache_dir"
                    scripts = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True,
                                             timeout=PATIENCE, check=True)
                    doctor = subprocess.run([LONGBOW, "doctor"], env=env, cwd=home, capture_output=True, text=True,
                                            timeout=PATIENCE)
                    line = next(line for line in doctor.stdout.splitlines() if " cache " in line)
                    self.assertIn(f" {scripts.stdout.strip()}", line)

    def test_the_operator_is_compared_when_asked(self):
        done = subprocess.run([LONGBOW, "doctor", "--attention", "--device", "cpu"], capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = [line for line in done.stdout.splitlines() if "beside fp64" in line]
        self.assertEqual([line.split()[:3] for line in lines],
                         [["ok", "attention", dtype] for dtype in ("fp32", "bf16", "fp16")])
        self.assertTrue(all(" dbias " in line for line in lines), lines)


if __name__ == "__main__":
    unittest.main()
