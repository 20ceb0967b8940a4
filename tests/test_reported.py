"The printed numbers in the package, cell by cell against the reading of the papers; the marks under changes of the data."
import json
import math
from pathlib import Path

import pytest

from msa_lit import reported

MATERIAL = Path(__file__).parents[2] / "shared" / "papers"
needs_material = pytest.mark.skipif(not MATERIAL.exists(), reason="the working material (shared/papers) is not beside this repository")


def row_of(record):
    "A record of tables.json in the fields of the package, written without a look at the notebook's version."
    switches = [f"{name}={'on' if on else 'off'}" for name, on in (record.get("variant") or {}).items()]
    example = ["example " + str(record["example"])] if "example" in record else []
    setting = [record["data_setting"].lower()] if "data_setting" in record else []
    return {"paper": record["paper"], "table": record["table"], "dataset": record["dataset"], "model": record["model"], "variant": ", ".join(switches + example + setting),
                "metric": record["metric"], "printed": record.get("printed") or "", "value": record["value"], "status": record["status"],
                "source": "own" if record["source"] == "own" else "quoted", "provenance": record["provenance"], "note": record["note"]}


@needs_material
def test_every_record_of_the_tables_is_there_in_every_field():
    expected = [row_of(r) for r in json.loads((MATERIAL / "tables.json").read_text(encoding="utf8"))]
    ours = reported.load().drop(columns="mark").to_dict("records")
    assert len(ours) == len(expected) == 1354
    for mine, theirs in zip(ours, expected):
        mine["value"] = None if math.isnan(mine["value"]) else mine["value"]
        assert mine == theirs


@needs_material
def test_the_settings_are_the_settings_of_the_papers():
    assert reported.settings() == json.loads((MATERIAL / "hyperparameters.json").read_text(encoding="utf8"))


def test_what_is_handed_out_can_be_changed_without_harm():
    first = reported.load()
    first["value"] = 0.0
    assert reported.load().value.abs().sum() > 0


@pytest.mark.parametrize(("model", "metric", "printed", "mark"), [
    ("T-V", "f1_non0", "86.02", "f1-impossible"),    # two points above an Acc-2 of 83.99
    ("T-V", "acc2_has0", "83.65", "rounded-first"),  # SPIL-E11
    ("T-V", "acc2_has0", "82.49", "no-count"),       # 2829.4 of 3430 clips
])
def test_a_changed_cell_is_noticed(model, metric, printed, mark):
    cells = reported.records()
    here = (cells.paper == "SPIL") & (cells.table == "II") & (cells.dataset == "MOSI") & (cells.model == model) & (cells.metric == metric)
    assert here.sum() == 1
    key = ("SPIL", "II", "MOSI", model, "")
    find = reported.f1_marks if mark.startswith("f1") else reported.count_marks
    assert (key, metric, mark) not in set(find(cells))
    cells.loc[here, ["printed", "value"]] = [printed, float(printed)]
    assert (key, metric, mark) in set(find(cells))


def test_marks_do_not_depend_on_the_order_of_rows():
    cells = reported.records()
    shuffled = cells.sample(frac=1, random_state=0)
    for find in (reported.f1_marks, reported.count_marks, reported.copy_marks, reported.conflict_marks, reported.line_marks):
        assert set(find(cells)) == set(find(shuffled)), find.__name__
