"""Runs what compares position methods with numbers of independent programs: golden_positions.py PROGRAM .., the test
programs that hold such tests. LONGBOW_GOLDEN_POSITIONS names another folder of the form of tests/golden/positions."""

import subprocess
import sys

if __name__ == "__main__":
    codes = [subprocess.run([program, "--gtest_filter=*Golden*", "--gtest_brief=1"]).returncode for program in sys.argv[1:]]
    sys.exit(max(map(abs, codes), default=2))
