#!/usr/bin/env python3
"""Evaluates a folder of transformers on ids, window by window, as its guide to perplexity does without overlap: the
peer of `longbow bench eval --serve`, whose protocol it speaks. It prints "ready", and each line on stdin asks for one
evaluation of the first windows and is answered by its milliseconds; "nll" asks for the mean loss of the last one."""

import argparse
import os
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Evaluation:
    def __init__(self, folder, ids, length, windows, dtype):
        transformers.logging.disable_progress_bar()
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype]).eval()
        stream = torch.from_numpy(numpy.load(ids)[: length * windows].astype("int64"))
        assert len(stream) == length * windows, f"{ids} has {len(stream)} ids of {length * windows}"
        self.windows = stream.view(windows, 1, length)
        self.nll = 0.0

    def step(self):
        start = time.perf_counter()
        with torch.inference_mode():
            losses = [self.model(window, labels=window, use_cache=False).loss.item() for window in self.windows]
        self.nll = sum(losses) / len(losses)
        return 1e3 * (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--ids", required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--windows", type=int, required=True)
    parser.add_argument("--dtype", choices=DTYPES, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    evaluation = Evaluation(options.folder, options.ids, options.length, options.windows, options.dtype)
    evaluation.step()  # the first pass makes what later ones use again
    print("ready", flush=True)
    try:
        while question := input():
            print(evaluation.nll if question == "nll" else evaluation.step(), flush=True)
    except EOFError:
        return


if __name__ == "__main__":
    main()
