"""Loads a shared library with every symbol bound, its own and those of the libraries that it needs."""
import ctypes
import os
import sys

ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW | os.RTLD_GLOBAL)
