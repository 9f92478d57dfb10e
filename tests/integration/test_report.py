"""Tests `longbow report` on rows that are written here (environment: LONGBOW): every format must hold every name and
number as it is, and figures must show grid, axes, error bars and curves, which are looked for in the pixels that
rsvg-convert makes."""
import csv
import io
import json
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree
import zlib

from terminals import open_terminal

LONGBOW = os.environ["LONGBOW"]
NAMES = ["a|b", "under_score", "back\\slash", "it's \"quoted\"", "comma, and; semicolon", "two\nlines", "=1+1",
         "<b>bold</b> & more", "$x^2$ {y} ~z #1 50%", "[1]*", "escape\x1b[31m", "--dashes", "umlaut ü 漢"]
GRID, AXIS, BLUE, ORANGE = (0xE6, 0xE9, 0xEF), (0x3A, 0x44, 0x54), (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
SVG = "{http://www.w3.org/2000/svg}"


def row(name, position, length, ppl, **more):
    """Returns a row as `longbow eval` writes it, of 12,000 targets in 12 blocks. Passages differ in the same way for
    all models."""
    nll, weights = math.log(ppl), [1024] * 11 + [736]
    swing = [100, -100] + [0] * 10
    return {"name": name, "position": position, "train_length": 64, "length": length, "stride": length,
            "protocol": "paper", "split": "valid", "tokens": 12000, "windows": 12000 // length, "nll": nll,
            "ppl": ppl, "ppl_ci": [ppl * 0.95, ppl * 1.05], "ppl_ci_method": "student-t", "blocks": 12,
            "bits_per_byte": nll / math.log(2) / 4, "words": 6000, "ppl_per_word": ppl * ppl, "seed": 1, "updates": 400,
            "dtype": "fp32", "checkpoint": f"xxh3:{name}", "data": "xxh3:0123456789abcdef", "data_name": "austen/store",
            "tokenizer": "xxh3:aa", "config": f"c-{name}", "config_group": f"g-{name}", "position_begin": [0, 1, 2, 3],
            "nll_by_position": [5.0, 4.5, 4.25, 4.0], "tokens_by_position": [3000, 3000, 3000, 3000],
            "block_nll": [w * nll + s for w, s in zip(weights, swing)], "block_bytes": [4 * w for w in weights], **more}


def png_pixels(data):
    """Reads an 8-bit RGB or RGBA file without interlacing. Returns rows of (r, g, b)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, body = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", data[at + 8:at + 8 + size])
        elif kind == b"IDAT":
            body += data[at + 8:at + 8 + size]
        at += size + 12
    assert (depth, interlace) == (8, 0) and colour in (2, 6)
    step = 3 if colour == 2 else 4
    raw, above, rows = zlib.decompress(body), bytearray(width * step), []
    for y in range(height):
        kind, line = raw[y * (width * step + 1)], bytearray(
            raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for i in range(len(line)):
            left, up, corner = line[i - step] if i >= step else 0, above[i], above[i - step] if i >= step else 0
            if kind == 1:
                line[i] = (line[i] + left) & 255
            elif kind == 2:
                line[i] = (line[i] + up) & 255
            elif kind == 3:
                line[i] = (line[i] + (left + up) // 2) & 255
            elif kind == 4:
                guess = left + up - corner
                nearest = min((left, up, corner), key=lambda value: abs(guess - value))
                line[i] = (line[i] + nearest) & 255
        rows.append([tuple(line[i:i + 3]) for i in range(0, len(line), step)])
        above = line
    return rows


class ReportCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longbow-report-")
        self.home = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def write(self, name, rows):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(one) + "\n" for one in rows))
        return path

    def two_models(self):
        return self.write("two.jsonl", [row("alibi", "alibi", length, ppl)
                                        for length, ppl in ((64, 70), (256, 69), (1024, 68))]
                          + [row("sin", "sinusoidal", length, ppl)
                             for length, ppl in ((64, 79), (256, 98), (1024, 113))])

    def run_any(self, *arguments, text=True, **more):
        return subprocess.run([LONGBOW, "report", *map(str, arguments)], cwd=self.home, capture_output=True,
                              text=text, **more)

    def run_ok(self, *arguments, **more):
        done = self.run_any(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refuse(self, code, mention, *arguments, **more):
        done = self.run_any(*arguments, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(mention, done.stderr)
        self.assertEqual(done.stdout, "")


class Report(ReportCase):
    def test_markdown_as_a_whole(self):
        self.assertEqual(self.run_ok(self.two_models()), """\
### Perplexity: austen/store (xxh3:0123456789abcdef), valid split, protocol paper, non-overlapping (12,000 tokens scored)

| Model | trained at | 64 | 256 | 1024 | ppl(1024) / ppl(64) |
|---|---:|---:|---:|---:|---:|
| ALiBi | 64 | **70.00** | **69.00** | **68.00** | 0.971 [0.971, 0.971] |
| Sinusoidal | 64 | 79.00 | 98.00 | 113.00 | 1.430 [1.430, 1.430] |

Bold: the least of a column, and what is not clearly worse (95 %, Student's t over the paired differences of 12 blocks of 1,024 targets; below 10 blocks nothing is).

Intervals are 95 % (Student's t over 12 blocks of 1,024 targets, the same blocks at both lengths).
""")

    def test_the_figure_of_the_readme_is_one_of_ours(self):
        drawn = xml.etree.ElementTree.parse(pathlib.Path(os.environ["LONGBOW_SOURCE"], "docs/figure.svg")).getroot()
        self.assertEqual(len(list(drawn.iter(SVG + "polyline"))), 4)
        self.assertEqual(list(drawn.iter(SVG + "style")), [])
        self.assertIn("austen/store", drawn.get("aria-label"))

    def test_names_come_through_every_format(self):
        """One method has several runs, so the names are the labels. They begin a row, occur in a header, and name the
        corpus."""
        path = self.write("names.jsonl", [row(name, "alibi", length, 70 + i, data_name="my|corpus_<1>")
                                          for i, name in enumerate(NAMES) for length in (64, 128)])
        shown = [name.replace("\n", " ").replace("\x1b", "\\x1B") for name in NAMES]

        lines = self.run_ok(path).splitlines()
        self.assertIn(r"my\|corpus\_\<1\>", lines[0])
        table = [line for line in lines if line.startswith("|")]
        self.assertEqual({len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table}, {6})
        cells = [re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", re.split(r"(?<!\\)\|", line)[1].strip()) for line in table[2:]]
        self.assertEqual(cells, shown)

        table = list(csv.DictReader(io.StringIO(self.run_ok(path, "--format", "csv"))))
        names = [name.replace("\x1b", "\\x1B") for name in NAMES]
        names = ["'" + name if name[0] in "=+-@" else name for name in names]
        self.assertEqual([line["name"] for line in table if line["length"] == "64"], names)
        self.assertEqual({line["data_name"] for line in table}, {"my|corpus_<1>"})
        self.assertEqual({line["data"] for line in table}, {"xxh3:0123456789abcdef"})
        self.assertEqual([float(line["ppl"]) for line in table if line["length"] == "64"],
                         [70 + i for i in range(len(NAMES))])

        models = json.loads(self.run_ok(path, "--format", "json"))[0]["models"]
        self.assertEqual([model["name"] for model in models], NAMES)

        page = self.run_ok(path, "--format", "html")
        for name in shown:
            escaped = (name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                       .replace('"', "&quot;").replace("'", "&#39;"))
            self.assertIn(f"</span>{escaped}</th>", page)

        drawn = xml.etree.ElementTree.fromstring(self.run_ok(path, "--format", "svg"))
        texts = [text.text for text in drawn.iter(SVG + "text")]
        for name in shown:
            self.assertIn(name, texts)

        latex = self.run_ok(path, "--format", "latex")
        rows = [line.strip() for line in latex.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
                if line.strip()]
        self.assertEqual(len(rows), len(NAMES))
        self.assertEqual({len(re.findall(r"(?<!\\)&", line)) for line in rows}, {4})
        self.assertIn(r"under\_score", latex)
        self.assertIn(r"my\textbar{}corpus\_\textless{}1\textgreater{}", latex)
        for line in rows:
            self.assertNotRegex(line, r"^[\[*]")  # LaTeX would take these for arguments of the previous row's end

    def test_a_folder_name_that_is_not_utf8(self):
        folder = os.fsencode(self.home) + b"/caf\xe9"
        os.mkdir(folder)
        pathlib.Path(os.fsdecode(folder), "results.jsonl").write_text(json.dumps(row("x", "alibi", 64, 70)) + "\n"
                                                                      + json.dumps(row("y", "alibi", 64, 80)) + "\n")
        pathlib.Path(os.fsdecode(folder), "config.yaml").write_text("train: {length: 64}\n")
        for form in ("markdown", "csv", "latex", "json", "html", "svg"):
            done = subprocess.run([LONGBOW.encode(), b"report", folder, b"--format", form.encode()],
                                  capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            done.stdout.decode()  # must be UTF-8

    def test_a_row_over_fewer_tokens_takes_no_place(self):
        rows = [row("alibi", "alibi", 64, 70), row("alibi", "alibi", 1024, 68),
                row("alibi", "alibi", 1024, 90, tokens=6000, max_stream_tokens=6000, blocks=6,
                   ppl_ci=None, block_nll=[1024 * math.log(90)] * 6)]
        path = self.write("fewer.jsonl", rows)
        text = self.run_ok(path)
        self.assertIn("| ALiBi | 64 | 70.00 | 68.00 |", text)
        self.assertIn("first 6,000 tokens (6,000 tokens scored)", text)
        drawn = xml.etree.ElementTree.fromstring(self.run_ok(path, "--format", "svg"))
        lines = [line.get("points").split() for line in drawn.iter(SVG + "polyline")]
        self.assertEqual([len(points) for points in lines], [2])
        first, last = (float(point.split(",")[1]) for point in lines[0])
        self.assertGreater(last, first)  # downwards: ALiBi does not rise

    def test_the_ending_chooses_the_format(self):
        path = self.two_models()
        for ending, start in (("md", "### "), ("csv", "model,"), ("tex", "%"), ("json", "["),
                              ("html", "<!DOCTYPE html>"), ("svg", "<svg "), ("txt", "### ")):
            self.run_ok(path, "--out", f"report.{ending}")
            self.assertTrue((self.home / f"report.{ending}").read_text().startswith(start), ending)
        self.run_ok(path, "--out", "table.md", "--format", "csv")
        self.assertTrue((self.home / "table.md").read_text().startswith("model,"))

    def test_refusals(self):
        path = self.two_models()
        self.refuse(2, "contradicts", path, "--format", "svg", "--out", "figure.pdf")
        self.refuse(2, "--figure", path, "--figure", "positions")
        self.refuse(2, "no effect", path, "--figure", "positions", "--metric", "bpb", "--format", "svg")
        self.refuse(2, "longbow reproduce", "--paper", "table5", "--format", "svg")
        self.refuse(2, "--paper", "--paper", "table5", "--metric", "bpb")
        self.refuse(2, "holds results of this report", path, "--out", path)
        self.refuse(4, "valid split by protocol paper", path, "--split", "test")
        self.refuse(4, "metrics.jsonl", path, "--figure", "training", "--format", "svg")
        self.assertEqual(len(path.read_text().splitlines()), 6)

    def test_a_damaged_line_of_the_metrics_is_named_once(self):
        path = self.write("run/results.jsonl", [row("alibi", "alibi", 512, 20, train_length=512)])
        rows = [json.dumps({"event": "train", "update": update, "loss": 3.5,
                            "timing": {"tokens_per_second": 100 * update, "seconds": 1, "memory_mb": 5}}) + "\n"
                for update in (1, 2, 3)]
        (path.parent / "metrics.jsonl").write_text(rows[0] + "{damaged\n" + "".join(rows[1:]))
        for arguments in (["--format", "html"], ["--paper", "table2", "--format", "json"]):
            done = self.run_any(path, *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr.count("metrics.jsonl:2: not a JSON object"), 1, done.stderr)

    def test_split_and_protocol_choose_rows(self):
        path = self.write("kinds.jsonl", [row("alibi", "alibi", 64, 70), row("alibi", "alibi", 64, 71, split="test"),
                                          row("alibi", "alibi", 64, 72, protocol="lm-eval")])
        self.assertEqual(self.run_ok(path).count("###"), 3)
        self.assertEqual(re.findall(r"\d\d\.\d\d", self.run_ok(path, "--split", "test")), ["71.00"])
        self.assertEqual(re.findall(r"\d\d\.\d\d", self.run_ok(path, "--split", "valid", "--protocol", "lm-eval")),
                         ["72.00"])

    def test_without_rsvg_convert(self):
        """The error must name the package before the results are read; all else must work."""
        environment = {**os.environ, "PATH": str(self.home)}
        self.refuse(1, "librsvg2-bin", "no/such/results.jsonl", "--format", "pdf", env=environment)
        self.refuse(1, "librsvg2-bin", self.two_models(), "--out", "figure.png", env=environment)
        self.assertFalse((self.home / "figure.png").exists())
        self.run_ok(self.two_models(), "--format", "svg", env=environment)

    def test_a_failing_rsvg_convert_is_told(self):
        program = self.home / "rsvg-convert"
        program.write_text("#!/bin/sh\necho 'it does not like it' >&2\nexit 3\n")
        program.chmod(0o755)
        self.refuse(1, "code 3: it does not like it", self.two_models(), "--out", "figure.png",
                    env={**os.environ, "PATH": f"{self.home}:{os.environ['PATH']}"})
        self.assertFalse((self.home / "figure.png").exists())


@unittest.skipUnless(shutil.which("rsvg-convert"), "rsvg-convert is not installed")
class Pictures(ReportCase):
    def test_pixels(self):
        self.two_models()
        self.run_ok("two.jsonl", "--out", "figure.png")
        rows = png_pixels((self.home / "figure.png").read_bytes())
        self.assertGreater(len(rows[0]), 1400)  # two pixels for each unit
        self.assertEqual({rows[0][0], rows[-1][-1]}, {(255, 255, 255)})

        def level(colour, least):
            """Returns the heights of level lines with at least `least` pixels. A line between two rows of pixels shows
            in both, paler."""
            heights = []
            for y, line in enumerate(rows):
                best = run = 0
                for pixel in line:
                    run = run + 1 if max(abs(a - b) for a, b in zip(pixel, colour)) <= 18 else 0
                    best = max(best, run)
                if best >= least and (not heights or y > heights[-1] + 2):
                    heights.append(y)
            return heights

        plot = 2 * 536
        grid, axis = level(GRID, plot / 8), level(AXIS, plot - 8)
        self.assertGreaterEqual(len(grid), 3)
        self.assertEqual(len(axis), 1)
        self.assertGreater(axis[0], max(grid))  # the axis is below the grid
        text = [sum(pixel == (0x1C, 0x23, 0x30) for pixel in line) for line in rows]
        self.assertGreater(sum(text[axis[0] + 4:]), 20)  # the axis's name is drawn
        for colour in (BLUE, ORANGE):
            columns = [x for line in rows for x, pixel in enumerate(line) if pixel == colour]
            self.assertGreater(max(columns) - min(columns), plot - 100)
        # Error bars go straight up from a marker, where no curve is near.
        bars = [pixel for line in rows for pixel in line
                if max(abs(a - (0.6 * b + 0.4 * 255)) for a, b in zip(pixel, BLUE)) <= 14]
        self.assertGreater(len(bars), 60)

    def test_pdf_and_png_on_standard_output(self):
        path = self.two_models()
        os.symlink("/proc/self/fd/1", self.home / "stdout")  # like /dev/stdout, but not the machine's own
        for form, start in (("pdf", b"%PDF-"), ("png", b"\x89PNG")):
            data = self.run_ok(path, "--format", form, text=False)
            self.assertTrue(data.startswith(start))
            done = subprocess.run(f'"{LONGBOW}" report two.jsonl --format {form} --out stdout | cat', shell=True,
                                  cwd=self.home, capture_output=True)
            self.assertTrue(done.stdout.startswith(start), done.stderr)

    def test_not_on_a_terminal(self):
        path = self.two_models()
        os.symlink("/proc/self/fd/1", self.home / "stdout")
        leader, follower = open_terminal(self)
        try:
            for out in ((), ("--out", "stdout")):
                done = subprocess.run([LONGBOW, "report", str(path), "--format", "png", *out], stdout=follower,
                                      stderr=subprocess.PIPE, text=True, cwd=self.home)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("terminal", done.stderr)
        finally:
            os.close(leader)
            os.close(follower)



if __name__ == "__main__":
    unittest.main()
