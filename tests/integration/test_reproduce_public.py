"""Tests `longbow reproduce public`: perplexity of public models at multiples of the length that they were trained at."""

import csv
import json
import math
import shutil
import signal
import unittest
import xml.etree.ElementTree

from hf_case import Model
from import_case import DATA, SOURCE, USAGE
from patience import PATIENCE
from test_public_models import PublicCase

CONFIG = 3
SETTINGS = "multiples: [4, 0.5, 1, 16]\nprotocol: hf\nstride: 0\ntext: [text.txt]\n"


class PublicStudy(PublicCase):
    def setUp(self):
        super().setUp()
        for name in ("bloom_heads4", "gpt2", "falcon_rw"):
            Model(name).write(self.dir / name)
        (self.dir / "configs/public").mkdir(parents=True)
        self.settings = self.dir / "configs/public/public.yaml"
        self.settings.write_text(SETTINGS)
        self.models = ["bloom_heads4@train-length=16", "gpt2@train-length=16", "falcon_rw@train-length=16"]

    def study(self, *arguments, models=None, code=0, **more):
        return self.run_verb("reproduce", "public", "--models", *(models or self.models), "--run-dir", "out", *arguments, code=code, **more)

    def table(self):
        return json.loads((self.dir / "out/tables/public.json").read_text())

    def cells(self):
        return {model["name"]: {cell["multiple"]: cell for cell in model["cells"]} for model in self.table()["models"]}

    def rows_below(self):
        return sorted((row["name"], row["length"]) for path in (self.dir / "out").glob("*/results.jsonl") for row in self.rows(path))

    def test_a_table_and_a_figure(self):
        out, _ = self.study()
        table = self.table()
        self.assertEqual([model["name"] for model in table["models"]],
                         ["bloom_heads4", "gpt2", "falcon_rw", "falcon_rw rounded"])
        cells = self.cells()
        self.assertEqual([cell["length"] for cell in cells["gpt2"].values()], [8, 16, 64, 256])
        self.assertEqual(cells["gpt2"][16]["absent"], "its positions end at 128")
        self.assertNotIn("ppl", cells["gpt2"][16])
        for name in ("bloom_heads4", "falcon_rw"):
            for cell in cells[name].values():
                self.assertIsNone(cell["absent"])
                self.assertAlmostEqual(math.log(cell["ppl"]), cell["nll"], places=9)
        self.assertNotEqual(cells["falcon_rw"][16]["nll"], cells["falcon_rw rounded"][16]["nll"])
        self.assertEqual([model["bos"] for model in table["models"]], ["never"] * 4)
        # What the table says is what eval measures.
        self.eval("bloom_heads4@train-length=16", lengths="8,64", arguments=("--protocol", "hf"))
        self.assertEqual([row["nll"] for row in self.rows()], [cells["bloom_heads4"][0.5]["nll"], cells["bloom_heads4"][4]["nll"]])

        self.assertIn("| L/2 |", out.replace("  ", " ").replace("  ", " "))
        self.assertIn("16L", out)
        self.assertIn("gpt2: its positions end at 128", out)
        self.assertIn("protocol hf, stride", out)
        self.assertIn("falcon_rw rounded", out)
        markdown = (self.dir / "out/tables/public.md").read_text()
        self.assertTrue(out.startswith(markdown))
        text = (self.dir / "out/tables/public.csv").read_text().splitlines()
        lines = list(csv.DictReader(text[1:]))
        self.assertEqual(len(lines), 16)
        self.assertEqual({line["length"]: line["ppl"] for line in lines if line["model"] == "gpt2"}["256"], "")
        self.assertTrue(all(line["protocol"] == "hf" for line in lines))
        self.assertIn("tabular", (self.dir / "out/tables/public.tex").read_text())
        self.assertIn("<table", (self.dir / "out/tables/public.html").read_text())
        figure = xml.etree.ElementTree.parse(self.dir / "out/figures/public.svg").getroot()
        words = "".join(figure.itertext())
        for name in ("bloom_heads4", "gpt2", "falcon_rw rounded"):
            self.assertIn(name, words)

        before = self.rows_below()
        _, log = self.study()
        self.assertEqual(self.rows_below(), before, "nothing is measured twice")
        self.assertNotIn("[1/", log)

    def test_runs_and_families_with_a_bos(self):
        run = self.import_hf(self.model, "--train-length", 16)
        self.settings.write_text(SETTINGS.replace("[4, 0.5, 1, 16]", "[1, 2]"))
        self.study(models=["run", "llama@train-length=16"])
        run_model, folder = self.table()["models"]
        self.assertEqual((run_model["bos"], folder["bos"]), ("first", "first"))
        self.assertEqual([cell["nll"] for cell in run_model["cells"]], [cell["nll"] for cell in folder["cells"]])
        self.assertFalse((run / "results.jsonl").exists(), "results are the study's")

    def test_protocol_and_stride(self):
        self.settings.write_text(SETTINGS.replace("hf", "paper").replace("stride: 0", "stride: 8"))
        out, _ = self.study(models=self.models[:1])
        self.assertIn("protocol paper, stride 8", out)
        self.assertEqual({cell["stride"] for cell in self.cells()["bloom_heads4"].values()}, {8})
        self.settings.write_text(SETTINGS.replace("stride: 0", "stride: 9"))
        _, log = self.study(models=self.models[:1], code=USAGE)
        self.assertIn("stride: 9 is more than 8", log)
        self.settings.write_text(SETTINGS.replace("hf", "lm-eval").replace("stride: 0", "stride: 4"))
        self.assertIn("lm-eval", self.study(models=self.models[:1], code=CONFIG)[1])

    def test_another_text_and_changed_models_are_measured_anew(self):
        self.settings.write_text(SETTINGS.replace("[4, 0.5, 1, 16]", "[1]"))
        self.study(models=self.models[:1])
        first = self.cells()["bloom_heads4"][1]["nll"]
        other = self.dir / "other.txt"
        other.write_text("Another text, of other words. " * 40)
        self.study("--text", other, models=self.models[:1])
        second = self.cells()["bloom_heads4"][1]["nll"]
        self.assertNotEqual(first, second)
        Model("bloom_heads12").write(self.dir / "bloom_heads4")
        self.study("--text", other, models=self.models[:1])
        self.assertNotEqual(self.cells()["bloom_heads4"][1]["nll"], second)
        Model("bloom_heads4").write(self.dir / "bloom_heads4")
        _, log = self.study(models=self.models[:1])
        self.assertNotIn("[1/", log)
        self.assertEqual(self.cells()["bloom_heads4"][1]["nll"], first)

    def test_a_short_text_has_a_dash(self):
        self.text.write_text("A text of a few words that is too short for the longest windows of all. " * 2)
        self.study(models=self.models[:1])
        cells = self.cells()["bloom_heads4"]
        self.assertIn("the text has", cells[16]["absent"])
        self.assertIsNone(cells[1]["absent"])

    def test_a_dry_run_estimates(self):
        out, _ = self.study("--dry-run")
        self.assertIn("missing 8 16 64 256", out)
        self.assertIn("not measured 256", out)
        self.assertIn("on this machine about", out)
        self.assertFalse((self.dir / "out").exists())
        self.assertEqual(self.entries(), [], "nothing is imported")
        self.study()
        out, _ = self.study("--dry-run")
        self.assertIn("4 of 4 lengths done", out)

    def test_an_interruption(self):
        process = self.start("reproduce", "public", "--models", *self.models, "--run-dir", "out", failpoint="eval.row:2=wait")
        until_row = lambda: list((self.dir / "out").glob("bloom*/results.jsonl"))
        self.wait_for(until_row)
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 75, log)
        self.assertIn("run the same command again", log)
        before = self.rows_below()
        self.assertGreater(len(before), 0)
        self.study()
        after = self.rows_below()
        self.assertEqual(len(after), len(set(after)), "no row is measured twice")
        self.assertEqual(len(after), 4 + 3 + 4 + 4)

    def test_one_model_fails(self):
        broken = Model("gpt2")
        dtype, shape, data = broken.tensors["wte.weight"]
        broken.tensors["wte.weight"] = dtype, shape, b"\xff" * 4 + data[4:]  # a NaN, which an import refuses
        broken.write(self.dir / "broken")
        _, log = self.study(models=["broken@train-length=16", self.models[0]], code=5)
        self.assertIn("broken", log)
        cells = self.cells()
        self.assertEqual(cells["broken"][1]["absent"], "not measured yet")
        self.assertIsNone(cells["bloom_heads4"][1]["absent"])

    def test_what_is_refused(self):
        for arguments, code, text in (
                (("reproduce", "public"), USAGE, "--models"),
                (("reproduce", "public", "table5", "--models", "gpt2"), USAGE, "no other name"),
                (("reproduce", "public", "--scale", "demo", "--models", "gpt2"), USAGE, "--scale"),
                (("reproduce", "table5", "--models", "gpt2"), USAGE, "reproduce public"),
                (("reproduce", "public", "--models", "bloom_heads4"), USAGE, "bloom_heads4@train-length=N"),
                (("reproduce", "public", "--models", "gpt2", "gpt2/"), USAGE, "named twice"),
                (("reproduce", "public", "--models", "nowhere"), 5, "nowhere"),
                (("reproduce", "public", "--models", "gpt2", "--text", "nowhere.txt"), DATA, "nowhere.txt"),
                (("reproduce", "public", "--models", "gpt2", "--configs", "nowhere"), USAGE, "--configs")):
            with self.subTest(arguments):
                self.assertIn(text, self.run_verb(*arguments, code=code)[1])
        for settings, text in ((SETTINGS + "strid: 4\n", "did you mean stride?"), (SETTINGS + "stride: 4\n", "twice"),
                               (SETTINGS.replace("hf", "best"), "there is no best"),
                               (SETTINGS.replace("[4, 0.5, 1, 16]", "[]"), "multiples"),
                               (SETTINGS.replace("[4, 0.5, 1, 16]", "[.nan]"), "multiples"),
                               (SETTINGS.replace("stride: 0", "stride: -1"), ":3: stride"),
                               (SETTINGS.replace("protocol: hf\n", ""), "protocol is missing"),
                               ("multiples: [", "not valid YAML")):
            with self.subTest(settings):
                self.settings.write_text(settings)
                _, log = self.study(models=["gpt2"], code=CONFIG)
                self.assertIn(text, log)
                self.assertIn("public.yaml", log)

    def test_the_settings_that_come_with_the_program(self):
        shutil.copytree(SOURCE / "configs", self.dir / "configs", dirs_exist_ok=True)
        _, log = self.study("--text", self.text, models=self.models[:1])
        self.assertEqual(list(self.cells()["bloom_heads4"]), [0.25, 0.5, 1, 2, 4, 8, 16])


if __name__ == "__main__":
    unittest.main()
