"The arenas' records: nothing was selected on test, budgets are equal, no run stands there twice."
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from msa_lit.book.arenas import ARENAS
from msa_lit.book.standings import arena_facts, arena_runs, complaints

RESULTS = Path(__file__).parents[1] / "results"
FOLDERS = sorted(p.parent for p in RESULTS.glob("arenas/*/runs.csv"))


def test_there_are_arenas():
    assert len(FOLDERS) >= 2


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_an_arena_is_fair(folder):
    "Every run judged where validation says; one corpus, encoder and schedule; equal searches."
    assert complaints(folder, tuple(ARENAS[folder.name].extra)) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_the_files_of_an_arena_belong_together(folder):
    runs, key = arena_runs(folder), ["method", "trials", "seed"]
    assert not runs.duplicated(key).any()
    epochs = pd.read_csv(folder / "epochs.csv")
    assert not epochs.duplicated([*key, "epoch"]).any()
    judged = set(map(tuple, runs[key].to_numpy()))
    assert judged <= set(map(tuple, epochs[key].drop_duplicates().to_numpy()))
    facts, known = arena_facts(folder), ARENAS[folder.name]
    assert runs.corpus.isin([facts["corpus"]["fingerprint"]]).sum() >= len(runs) // 2
    assert facts["recipe"] == json.loads(json.dumps(known.options)), "the recipe has changed since"
    assert not set(facts["refused"]) & set(runs.method)


@pytest.mark.parametrize("journal", sorted(RESULTS.glob("arenas/*/trials/*/*.journal")),
                         ids=lambda p: p.parent.name)
def test_a_search_kept_no_test_score(journal):
    "A trial has one value, and nothing of it is named after the test split."
    text = journal.read_text(encoding="utf8")
    assert not re.search(r"\btest", text)
    values = [json.loads(line).get("values") for line in text.splitlines()]
    assert {len(v) for v in values if v} == {1}


def test_no_table_of_the_repository_was_selected_on_test():
    "Whatever the results say they were selected on, it is not the test split."
    said = set()
    for path in RESULTS.rglob("*.csv"):
        columns = pd.read_csv(path, nrows=0).columns if path.stat().st_size else []
        if "selected_on" in columns:
            said |= set(pd.read_csv(path, usecols=["selected_on"]).selected_on)
    for path in RESULTS.rglob("run.json"):
        said.add(json.loads(path.read_text(encoding="utf8")).get("selected_on", "valid MAE"))
    assert said and said <= {"valid MAE", "train median"}, said


LOOKS = ("arena_epochs", "judged_by", "best_of_seeds", "bought_by_seeds", "EPOCH_CHOICES")
ABOUT_IT = {"87_book.choices", "87_book.standings"}  # the page about it, and the check of fairness


def test_no_other_page_looks_at_the_test_scores_of_epochs():
    "What only a choice on test could use is read by the page that is about such choices."
    notebooks = (Path(__file__).parents[1] / "nbs").glob("*.ipynb")
    looking = set()
    for path in notebooks:
        cells = json.loads(path.read_text(encoding="utf8"))["cells"]
        code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        if any(re.search(rf"\b{word}\b", code) for word in LOOKS):
            looking.add(path.stem)
    assert looking == ABOUT_IT
