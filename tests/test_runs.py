"Nothing that runs is lost: claims, digests, identities, tables that add up, ids that stay text."
import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msa_lit.train import runs
from msa_lit.train.comparison import compare, read_results
from msa_lit.data.corpus import Ragged
from msa_lit.train.folders import difference, read_record, read_run_table, write_table
from msa_lit.train.report import write_report
from msa_lit.train.runs import choose, fit, load_run, predict_with, without_retired
from msa_lit.train.series import run_missing
from msa_lit.simulate.world import simulate

ROOT = Path(__file__).parents[1]
QUICK = dict(epochs=1, batch_size=8, progress=False)
QUIET = pytest.mark.filterwarnings("ignore::msa_lit.base.notices.MsaWarning")
pytestmark = QUIET


@pytest.fixture(scope="module")
def corpus():
    return simulate(n=(24, 6, 6), seed=3).only("audio", "vision")


def changed(corpus):
    "The same corpus with one frame of one training clip changed."
    train = corpus.splits["train"]
    audio = train.sequences["audio"]
    values = audio.values.copy()
    values[-1] += 1
    sequences = {**train.sequences, "audio": Ragged(values, audio.offsets)}
    return replace(corpus, splits={**corpus.splits, "train": replace(train, sequences=sequences)})


def stopped(corpus, folder, at, error, method="late_fusion"):
    "A run that stops when a function of `runs` is reached."
    def stop(*_):
        raise error
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, at, stop)
        with pytest.raises(type(error)):
            fit(method, corpus, 1, folder, save_seconds=0, **QUICK)


def test_a_run_stopped_before_its_result_is_finished(corpus, tmp_path):
    stopped(corpus, tmp_path / "run", "finish", SystemExit())
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    whole, again = (fit("late_fusion", corpus, 1, **QUICK),
                    fit("late_fusion", corpus, 1, tmp_path / "run", **QUICK))
    assert all(torch.equal(v, again.state[k]) for k, v in whole.state.items())
    assert whole.scores == again.scores and whole.notices == again.notices
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


@pytest.mark.parametrize("at", [0.02, 0.5, 0.97])
def test_a_damaged_checkpoint_is_refused(at, corpus, tmp_path):
    stopped(corpus, tmp_path / "run", "finish", SystemExit())
    path = tmp_path / "run" / "checkpoint.pt"
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 4
    path.write_bytes(content)
    with pytest.raises(OSError, match="delete it to start this run anew"):
        fit("late_fusion", corpus, 1, tmp_path / "run", **QUICK)
    path.unlink()
    assert fit("late_fusion", corpus, 1, tmp_path / "run", **QUICK).metrics


def test_a_run_that_diverged_leaves_its_folder_for_the_advised_change(corpus, tmp_path):
    stopped(corpus, tmp_path / "run", "finish", ValueError("lower the learning rate"))
    assert read_record(tmp_path / "run")["stopped"] == "lower the learning rate"
    assert fit("late_fusion", corpus, 1, tmp_path / "run", lr=1e-4,
               **QUICK).options["train"]["lr"] == 1e-4


@pytest.mark.parametrize("name", ["history.csv", "predictions.csv", "weights.safetensors",
                                  "run.json", "checkpoint.pt"])
def test_files_of_others_are_not_written_over(name, corpus, tmp_path):
    (tmp_path / name).write_text("my own")
    with pytest.raises((OSError, ValueError), match=name):
        fit("late_fusion", corpus, 1, tmp_path, **QUICK)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {name: "my own"}


@pytest.mark.parametrize("name", ["results.csv", "report.html"])
def test_tables_and_reports_of_others_are_not_written_over(name, corpus, tmp_path):
    (tmp_path / name).write_text("name,mark\nAnna,1.3\n")
    with pytest.raises((OSError, ValueError), match=name):
        compare(["late_fusion"], corpus, [1], tmp_path, **QUICK)
        write_report(tmp_path)
    assert (tmp_path / name).read_text() == "name,mark\nAnna,1.3\n"


def test_one_changed_frame_is_another_corpus(corpus, tmp_path):
    other = changed(corpus)
    value = "method == 'late_fusion' and split == 'test' and metric == 'mae' and head == 'audio'"
    def get(c, folder):
        return compare(["late_fusion"], c, [1], folder, **QUICK).query(value).value.item()
    first, again, truth = get(corpus, tmp_path), get(other, tmp_path), get(other, None)
    assert again == truth != first
    assert read_results(tmp_path).query(value).value.item() == pytest.approx(first, rel=1e-5)


def test_tables_add_up_and_the_report_shows_one_corpus(corpus, tmp_path):
    other = changed(corpus)
    compare(["late_fusion"], corpus, [1], tmp_path, **QUICK)
    compare(["self_mm"], corpus, [1], tmp_path, **QUICK)
    compare(["self_mm"], other, [1], tmp_path, **QUICK)
    assert set(read_results(tmp_path).method) == {"constant", "late_fusion", "self_mm"}
    (tmp_path / "results.csv").write_text((tmp_path / "results.csv").read_text()[:-9])  # cut
    with pytest.raises(ValueError, match="results.csv"):
        compare(["late_fusion"], corpus, [1], tmp_path, **QUICK)
    (tmp_path / "results.csv").unlink()  # as advised
    compare(["late_fusion"], corpus, [1], tmp_path, **QUICK)
    assert set(read_results(tmp_path).method) == {"constant", "late_fusion", "self_mm"}
    page, apart = write_report(tmp_path).read_text().split("Other corpora are kept apart")
    assert corpus.fingerprint in page
    assert other.fingerprint not in page
    assert other.fingerprint in apart


def test_a_refused_comparison_trains_nothing_and_blocks_nothing(corpus, tmp_path):
    ask = dict(seeds=[1], folder=tmp_path, pretrain_epochs=1, meta_epochs=1, **QUICK)
    with pytest.raises(ValueError, match="lower b="):
        compare(["late_fusion", "mug"], corpus, b=9, **ask)
    assert not list(tmp_path.rglob("*.csv"))
    assert set(compare(["late_fusion", "mug"], corpus, b=2, **ask).method) == {
        "constant", "late_fusion", "mug"}


def test_the_committed_results_are_still_known():
    found = sorted((ROOT / "results").glob("*/*/*/run.json"))
    for path in found:
        record = read_record(path.parent)
        record["options"] = without_retired(record["options"], record["method"])
        shared = ("model", "train", "method")
        flat = {(k if o in shared else f"{o}.{k}"): v for o, of in record["options"].items()
                for k, v in of.items()}
        chosen = choose(record["method"], flat)
        wanted = {k: record[k] for k in ("method", "seed", "corpus")}
        wanted["options"] = {k: asdict(o) for k, o in chosen.items()}
        defaults = {k: asdict(type(o)()) for k, o in chosen.items()}
        assert difference(record, wanted, defaults,
                          lambda record=record: record["corpus"]["fingerprint"]) == "", path
    assert len(found) >= 37 and load_run(found[0].parent).metrics["mae"] > 0


def test_a_run_with_retired_options_is_the_same_run(corpus, tmp_path, monkeypatch):
    fit("late_fusion", corpus, 1, folder=tmp_path, **QUICK)
    record = json.loads((tmp_path / "run.json").read_text())
    this = {k: record[k] for k in ("method", "seed", "corpus", "options")}
    old = record | {"options": record["options"] | {"method": {"ghost": 1}}}
    own = {k: v for k, v in QUICK.items() if k != "progress"}
    tell = runs.telling(this, choose("late_fusion", own), corpus)
    assert "ghost" in tell(old) and tell(record) == ""
    monkeypatch.setattr(runs.parse("late_fusion")[0], "retired", ("ghost",))
    assert tell(old) == ""


def test_what_is_asked_of_predict_with_is_named(corpus):
    run = fit("late_fusion", corpus, 1, **QUICK)
    with pytest.raises(ValueError, match="it has 'train'"):
        predict_with(run, corpus.without("valid", "test"))
    with pytest.raises(ValueError, match="lacks vision"):
        predict_with(run, corpus.only("audio"))
    own = {k: replace(s, labels={}) for k, s in corpus.splits.items()}
    assert len(predict_with(run, replace(corpus, splits=own))) == 6


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(deadline=None, max_examples=60,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=6))
def test_ids_come_back_as_they_went(tmp_path, ids):
    table = pd.DataFrame({"split": "test", "id": ids, "label": np.arange(float(len(ids)))})
    write_table(table, tmp_path / "predictions.csv", "%.6f")
    back = read_run_table(tmp_path / "predictions.csv", ("split", "id", "label"))
    assert back.id.tolist() == ids and back.label.tolist() == table.label.tolist()


keys = st.one_of(texts, st.floats(allow_nan=False), st.integers(), st.booleans(), st.none())


@settings(deadline=None, max_examples=60,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(keys, keys), min_size=1, max_size=4, unique_by=repr), st.integers(1, 30))
def test_a_series_runs_every_job_once(tmp_path, pairs, cut):
    path = tmp_path / "rows.csv"
    path.unlink(missing_ok=True)
    jobs = [{"a": a, "b": b} for a, b in pairs]
    first = run_missing(path, jobs, lambda a, b: {"value": 1 / 3}, progress=False)
    assert run_missing(path, jobs, lambda a, b: {"value": 0}, progress=False) == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:max(len("a,b,value\n"), len(whole) - cut)])  # a copy that was cut
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run_missing(path, jobs, lambda a, b: {"value": 1 / 3}, progress=False)
        except ValueError as error:  # a character was cut in two
            assert "is no table" in str(error)
        else:
            assert sorted(path.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert first >= 1


def test_jobs_below_one_are_refused(corpus):
    for jobs in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match="jobs="):
            compare(["late_fusion"], corpus, [1], jobs=jobs, **QUICK)


def test_a_record_says_who_made_it(corpus, tmp_path):
    fit("late_fusion", corpus, 1, tmp_path / "run", weights=False, **QUICK)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["format"] == 2
    assert record["environment"]["msa_lit"]
    assert len(record["digest"]) == 64
    assert set(record["files"]) == {"history.csv", "predictions.csv"}
