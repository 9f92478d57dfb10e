"""Computes the interval of docs/evaluation.md with NumPy and SciPy, written from that page alone. It is the oracle of
`longbow compare`.

    python make.py RUNS    writes demo_blocks.json, from runs RUNS/METHOD/seed-N of the demo's models (150 updates each)
    python make.py         writes expected.json, from demo_blocks.json

Needs numpy and scipy. The tests need neither: they compare the program with expected.json.
"""
import itertools
import json
import pathlib
import sys

import numpy as np
from scipy import optimize, stats

HERE = pathlib.Path(__file__).parent
METHODS = {"alibi": (1, 2, 3), "rotary": (1, 2, 3), "sinusoidal": (1,)}


def parts(x, w):
    """From x [seeds, blocks] sums and w [blocks] weights, returns the mean, (V_S, degrees of freedom) and (max(V_B -
    V_I, 0), degrees of freedom)."""
    seeds, total = len(x), w.sum()
    p = w / total
    q = p**2 / (1 - p)
    nu = 1 / ((p**2).sum() + q.sum() ** 2 - (q**2).sum())
    m_s = x.sum(axis=1) / total
    m = m_s.mean()
    xbar = x.mean(axis=0)
    v_b = ((xbar - m * w) ** 2 / (1 - p)).sum() / total**2
    if seeds == 1:
        return m, (0.0, 1.0), (v_b, nu)
    v_s = ((m_s - m) ** 2).sum() / (seeds * (seeds - 1))
    own = x - np.outer(m_s, w) - xbar + m * w
    v_i = (own**2 / (1 - p)).sum() / (total**2 * seeds * (seeds - 1))
    return m, (v_s, seeds - 1.0), (max(v_b - v_i, 0.0), nu)


def half_width(of_seeds, of_blocks, level):
    t_seeds = stats.t.isf(level / 2, of_seeds[1])
    t_blocks = stats.t.isf(level / 2, of_blocks[1]) * (1 + 2 / (of_blocks[1] + 1))
    return np.sqrt(t_seeds**2 * of_seeds[0] + t_blocks**2 * of_blocks[0])


def interval(x, w):
    m, of_seeds, of_blocks = parts(np.asarray(x, float), np.asarray(w, float))
    half = half_width(of_seeds, of_blocks, 0.05)
    p = optimize.brentq(lambda log: half_width(of_seeds, of_blocks, np.exp(log)) - abs(m), np.log(1e-99),
                        -1e-12, xtol=1e-14)
    return {"difference": m, "ci": [m - half, m + half], "p_value": float(np.exp(p)), "seeds": len(x), "blocks": len(w)}


def read_runs(runs):
    """Reads block sums, rounded to four decimals: all that the tests need of a row, and a sixth of its size."""
    found = {"tokens": 0, "block_bytes": [], "block_nll": {}}
    for method, seeds in METHODS.items():
        for seed in seeds:
            name = f"{method}/seed-{seed}"
            for line in (runs / name / "results.jsonl").read_text().splitlines():
                row = json.loads(line)
                if row["length"] in (64, 1024):
                    found["tokens"], found["block_bytes"] = row["tokens"], row["block_bytes"]
                    found["block_nll"].setdefault(name, {})[str(row["length"])] = [
                        round(value, 4) for value in row["block_nll"]]
    return found


def dump(path, value):
    """Writes JSON with one line per series."""
    if isinstance(value, dict) and path.name == "demo_blocks.json":
        series = ",\n".join(f'"{name}": {{'
                            + ",\n".join(f'"{length}": {json.dumps(sums)}' for length, sums in lengths.items()) + "}"
                            for name, lengths in value["block_nll"].items())
        text = (f'{{"tokens": {value["tokens"]},\n"block_bytes": {json.dumps(value["block_bytes"])},\n'
                f'"block_nll": {{\n{series}}}}}\n')
    else:
        text = json.dumps(value, indent=1) + "\n"
    json.loads(text)
    path.write_text(text)


def expected(blocks):
    tokens = blocks["tokens"]
    w = np.minimum(1024, tokens - 1024 * np.arange(-(-tokens // 1024)))
    sums = {name: {length: np.array(values) for length, values in lengths.items()}
            for name, lengths in blocks["block_nll"].items()}
    cases = {}
    for length, seeds in itertools.product(("64", "1024"), ((1,), (1, 2), (1, 2, 3))):
        x = [sums[f"rotary/seed-{seed}"][length] - sums[f"alibi/seed-{seed}"][length] for seed in seeds]
        cases[f"alibi rotary {length} seeds {','.join(map(str, seeds))}"] = interval(x, w)
    # The first ten blocks alone, the last of them with 300 targets: the fewest that an interval accepts.
    few = np.append(np.full(9, 1024), 300)
    x = [sums[f"rotary/seed-{seed}"]["64"][:10] - sums[f"alibi/seed-{seed}"]["64"][:10] for seed in (1, 2, 3)]
    cases["alibi rotary 64 first 9516"] = interval(x, few)
    # Growth of the loss with the length.
    cases["rotary/seed-1 growth"] = interval([sums["rotary/seed-1"]["1024"] - sums["rotary/seed-1"]["64"]], w)
    return cases


if __name__ == "__main__":
    if len(sys.argv) > 1:
        dump(HERE / "demo_blocks.json", read_runs(pathlib.Path(sys.argv[1])))
    dump(HERE / "expected.json", expected(json.loads((HERE / "demo_blocks.json").read_text())))
