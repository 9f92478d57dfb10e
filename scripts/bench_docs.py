"""Writes docs/benchmarks.md: a section for each machine, day and commit, newest first, with a table of training steps,
the other measurements, and the JSON."""
import json
import re

FIRST = re.compile(r"^## ", re.M)
HEAD = "## {date}: {cpu}, {cores} cores, commit {commit}\n"
COLUMNS = (("longbow", "Longbow"), ("pytorch_eager", "eager PyTorch"), ("pytorch_compiled", "torch.compile"))


def rounded(value):
    """Rounds numbers to six digits, which are more than a clock can tell, and drops the single rounds."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items() if key != "rounds"}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def identity(row):
    return row["benchmark"], row.get("dtype"), row.get("threads")


def training_table(rows):
    lines = ["| tokens/s | " + " | ".join(name for _, name in COLUMNS) + " | Longbow beside the faster peer |",
             "|---" + "|---:" * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        cells = [f"{row[key + '_tokens_per_second']:,.0f}" if row.get(key + "_tokens_per_second") else "not measured"
                 for key, _ in COLUMNS]
        lines.append(f"| `{row['benchmark']}`, {row['dtype']}, {row['threads']} threads | " + " | ".join(cells)
                     + f" | {row['ratio']:.2f}x |")
    for row in rows:
        for peer, reason in row.get("not_measured", {}).items():
            lines += ["", f"{dict(COLUMNS)[peer]} could not compile for `{row['benchmark']}` in {row['dtype']}: "
                      f"{reason}."]
    return "\n".join(lines) + "\n\n"


def section(report):
    rows = [rounded(row) for row in report["results"]]
    training = [row for row in rows if "longbow_tokens_per_second" in row]
    text = HEAD.format(**report) + "\n" + (training_table(training) if training else "")
    return text + "```json\n" + "\n".join(json.dumps(row) for row in rows) + "\n```\n"


def rows_of(text):
    block = re.search(r"```json\n(.*?)```", text, re.S)
    return [json.loads(line) for line in block[1].splitlines()] if block else []


def added(page, report):
    """Returns the page with the report's rows in the section of its machine, day and commit. A new measurement replaces
    an older one of the same thing."""
    start = FIRST.search(page)
    intro, rest = (page[:start.start()], page[start.start():]) if start else (page.rstrip("\n") + "\n\n", "")
    sections = ["## " + part for part in FIRST.split(rest) if part]
    same = next((part for part in sections if part.startswith(HEAD.format(**report))), None)
    new = {identity(row) for row in report["results"]}
    kept = [row for row in rows_of(same or "") if identity(row) not in new]
    others = [part.rstrip("\n") + "\n" for part in sections if part is not same]
    return intro + "\n".join([section({**report, "results": kept + report["results"]}), *others])
