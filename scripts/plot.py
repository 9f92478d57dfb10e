#!/usr/bin/env python3
"""Figures from results.jsonl: perplexity against evaluation length, and loss against the place in the window.

    scripts/plot.py runs/demo --out figure.png
    scripts/plot.py runs/*/results.jsonl --figure positions --out positions.pdf

The ending of --out chooses the format (.png, .svg, .pdf). Needs matplotlib (pip install matplotlib).
"""
import argparse
import json
import pathlib
import sys

STYLES = {"alibi": ("ALiBi", "#0072b2", "o"), "sinusoidal": ("Sinusoidal", "#d55e00", "s"), "rotary": ("Rotary", "#117a4f", "^"),
          "t5": ("T5 bias", "#9b3fa0", "D")}
FREE_COLOURS = ["#5a4a00", "#c0396b", "#2f2f8f", "#666666"]


def read_rows(inputs):
    rows = []
    for name in inputs:
        path = pathlib.Path(name)
        files = sorted(path.rglob("results.jsonl")) if path.is_dir() else [path]
        if not files or not files[0].is_file():
            sys.exit(f"plot.py: {name}: no results.jsonl; longbow eval writes one")
        for file in files:
            for number, line in enumerate(file.read_text().splitlines(), 1):
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    sys.exit(f"plot.py: {file}:{number}: not JSON")
    return rows


def choose(rows, protocol, split):
    rows = [row for row in rows if protocol in (None, row["protocol"]) and split in (None, row["split"])]
    kinds = sorted({(row["split"], row["protocol"]) for row in rows})
    if not rows:
        sys.exit("plot.py: no rows left to draw: check --protocol and --split")
    if len(kinds) > 1:
        sys.exit("plot.py: rows of different kinds do not share a figure; choose with --split and --protocol among: "
                 + "; ".join(f"{split}, {protocol}" for split, protocol in kinds))
    # A length may have been measured at its default stride and at others: one line each.
    return rows


def models(rows):
    """{label key: {length: [ppl of each seed]}, first row}, in order of appearance."""
    found = {}
    for row in rows:
        overlap = row["stride"] if row["protocol"] == "paper" and row["stride"] != row["length"] else None
        key = (row["position"], row["train_length"], row.get("config_group") or row["config"], overlap)
        found.setdefault(key, {}).setdefault(row["length"], {})[row.get("seed", 0)] = row
    return found


def label_and_style(key, found, used):
    position, train_length, group, overlap = key
    label, colour, marker = STYLES.get(position, (position, None, "v"))
    alone = sum(other[0] == position for other in found) == 1
    if not alone or colour is None:
        colour = FREE_COLOURS[used[0] % len(FREE_COLOURS)] if colour is None or used[1].get(position) else colour
        used[0] += 1
    used[1][position] = True
    if not alone:
        label += f", trained at {train_length}"
    if overlap:
        label += f", stride {overlap}"
    return label, dict(color=colour, marker=marker)


def draw_lengths(axes, found):
    used = [0, {}]
    ticks = set()
    for key, lengths in found.items():
        label, style = label_and_style(key, found, used)
        xs = sorted(lengths)
        values = [[row["ppl"] for row in lengths[x].values()] for x in xs]
        means = [sum(v) / len(v) for v in values]
        errors = [(sum((p - m) ** 2 for p in v) / (len(v) - 1)) ** 0.5 if len(v) > 1 else 0 for v, m in zip(values, means)]
        if any(errors):
            axes.errorbar(xs, means, yerr=errors, label=label, capsize=3, linewidth=2, **style)
        else:
            axes.plot(xs, means, label=label, linewidth=2, **style)
        ticks.update(xs)
    axes.set_xticks(sorted(ticks), [str(t) for t in sorted(ticks)])
    axes.set_xlabel("evaluation length (tokens)")
    axes.set_ylabel("perplexity")


def draw_positions(axes, found):
    used = [0, {}]
    for key, lengths in found.items():
        label, style = label_and_style(key, found, used)
        row = next(iter(lengths[max(lengths)].values()))
        style.pop("marker")
        axes.plot([p + 1 for p in row["position_begin"]], row["nll_by_position"], label=f"{label} at {row['length']}", linewidth=1.5, **style)
    axes.set_xlabel("tokens in view (place in the window)")
    axes.set_ylabel("loss (nats a token)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", help="results.jsonl files, run directories, or folders of runs")
    parser.add_argument("--figure", choices=["lengths", "positions"], default="lengths")
    parser.add_argument("--split", help="only rows of this split")
    parser.add_argument("--protocol", help="only rows of this protocol")
    parser.add_argument("--title")
    parser.add_argument("--out", required=True, help="file to write: .png, .svg or .pdf")
    arguments = parser.parse_args()
    try:
        import matplotlib
        matplotlib.use("Agg")
        import matplotlib.pyplot as pyplot
    except ImportError:
        sys.exit("plot.py: matplotlib is missing: pip install matplotlib (longbow report --format html draws its figures without it)")
    found = models(choose(read_rows(arguments.results), arguments.protocol, arguments.split))
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    axes.set_xscale("log", base=2)
    (draw_lengths if arguments.figure == "lengths" else draw_positions)(axes, found)
    train_lengths = {key[1] for key in found}
    if len(train_lengths) == 1:
        axes.axvline(train_lengths.pop(), color="#8a93a2", linestyle="--", linewidth=1, label="training length")
    axes.minorticks_off()
    axes.grid(axis="y", color="#e6e9ef")
    axes.spines[["top", "right"]].set_visible(False)
    if arguments.title:
        axes.set_title(arguments.title)
    axes.legend(frameon=False)
    try:
        figure.savefig(arguments.out, dpi=200)
    except (OSError, ValueError) as error:
        sys.exit(f"plot.py: {arguments.out}: {error}")


if __name__ == "__main__":
    main()
