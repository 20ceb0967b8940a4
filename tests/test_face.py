"The public face: names, words, flags, and what is said where something was guessed."

import contextlib
import io
import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import msa_lit
from msa_lit.base import catalogue
from msa_lit.cli import program as cli
from msa_lit.data.layouts import mmsa_fields
from msa_lit.measure.metrics import evaluate
from msa_lit.base.notices import collect
from msa_lit.simulate.world import simulate

ROOT = Path(__file__).parents[1]
QUICK = ("--epochs", "1", "--batch_size", "4", "--quiet")


def shell(*words):
    "A call of the command line in this process: status, stdout, stderr."
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main([str(w) for w in words])
        except SystemExit as e:
            status = e.code
    return status, out.getvalue(), err.getvalue()


def fresh(program, *words, **more):
    "A program in a process of its own."
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*more.pop("path", []), str(ROOT)])}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        **more,
    )


@pytest.fixture(scope="module")
def content():
    "A small corpus in the MMSA layout, as plain containers."
    return {name: mmsa_fields(split) for name, split in simulate(n=(8, 4, 4)).splits.items()}


def dump(content, path):
    with open(path, "wb") as file:
        pickle.dump(content, file, protocol=4)
    return path


# Names


def test_every_public_name_resolves_and_shows():
    for name in msa_lit.__all__:
        getattr(msa_lit, name)
    assert set(msa_lit.__all__) <= set(dir(msa_lit))
    wanted = "load_corpus fit compare load_run predict_with evaluate simulate EQUATIONS reported"
    assert {*wanted.split(), "__version__"} <= set(msa_lit.__all__)


def test_importing_the_package_imports_nothing_heavy():
    done = fresh(
        "import sys, msa_lit; dir(msa_lit); print({'torch', 'numpy', 'pandas'} & set(sys.modules))"
    )
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    "first",
    ["from msa_lit import simulate",
     "import msa_lit.train.runs\nimport msa_lit.simulate as simulate"],
)
def test_a_module_called_like_its_function_is_both(first):
    done = fresh(
        f"{first}\nprint(simulate(n=(4, 2, 2)).name, simulate.World.__name__)\n"
        "import msa_lit\nprint(msa_lit.simulate is simulate, msa_lit.passport.passport.__name__)"
    )
    assert done.stdout == "simulated-mosi World\nTrue passport\n", done.stderr


def test_a_misspelt_public_name_is_answered():
    with pytest.raises(AttributeError, match="did you mean 'compare'"):
        _ = msa_lit.comparee
    with pytest.raises(ImportError):
        exec("from msa_lit import comparee")
    assert msa_lit.measure.statistics is import_module("msa_lit.measure.statistics")


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda: msa_lit.fit("late_fusoin", simulate(n=(8, 4, 4))), "did you mean 'late_fusion'"),
        (lambda: msa_lit.fit("self_mm+dgn", simulate(n=(8, 4, 4))), "did you mean 'dgm'"),
        (
            lambda: msa_lit.fit("late_fusion", simulate(n=(8, 4, 4)), epoch=1),
            "did you mean 'epochs'",
        ),
        (lambda: msa_lit.load_corpus("simluated"), "did you mean 'simulated'"),
        (lambda: msa_lit.options_of("mugg"), "did you mean 'mug'"),
        (lambda: evaluate([1.0], [1.0], "mossi"), "did you mean 'mosi'"),
        (
            lambda: import_module("msa_lit.measure.metrics").higher_is_better("f1_non"),
            "did you mean 'f1_non0'",
        ),
        (lambda: catalogue.check_claims(["U44"]), "did you mean 'U4'"),
        (
            lambda: msa_lit.compare(["late_fusion"], simulate(n=(8, 4, 4)), jobs=0),
            "at least one run",
        ),
    ],
    ids=["method", "piece", "option", "corpus", "options_of", "scheme", "metric", "claim", "jobs"],
)
def test_misspelt_names_are_answered_with_near_ones(ask, message):
    with pytest.raises((ValueError, OSError), match=message):
        ask()


# Methods from elsewhere


def test_a_method_of_another_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    (tmp_path / "warm.py").write_text(
        "from dataclasses import dataclass\nfrom msa_lit.model.common import LateFusion\nfrom "
        "msa_lit.model.contract import method\n"
        "@dataclass(frozen=True)\nclass WarmOptions:\n    loss: str = 'mae'\n    warmth: float = "
        "2.0  # how warm it is\n"
        "@method('warm')\nclass Warm(LateFusion):\n    'A control from elsewhere.'\n    Options = "
        "WarmOptions\n"
    )
    about = tmp_path / "warm-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: warm\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[msa_lit.methods]\nwarm = warm\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        status, listed, err = shell("methods", "warm")
        assert status == 0 and "--warmth" in listed and "how warm it is [2.0]" in listed, err
        assert "did you mean 'warm'" in shell("fit", "wram")[2]
        status, said, err = shell("fit", "warm", "--warmth", "3", "--n", "8,4,4", *QUICK)
        assert status == 0 and said.startswith("warm, seed 1111"), err
    finally:
        catalogue.registry("method").pop("warm", None)


# Reading options


def test_what_a_refusal_advises_works_in_the_command_that_refused(content, tmp_path):
    content = {
        k: {f: v.copy() if hasattr(v, "copy") else v for f, v in fold.items()}
        for k, fold in content.items()
    }
    content["train"]["audio"][0] = 0
    content["train"]["audio_lengths"][0] = 0
    path = dump(content, tmp_path / "zero.pkl")
    asked = ("fit", "late_fusion", "--corpus", path, "--modalities", "audio", *QUICK)
    refused = shell(*asked)
    assert refused[0] == 2 and "zero_length='frame'" in refused[2] and "row 0" in refused[2]
    for flag in (
        ["--zero-length", "frame"],
        ["--zero_length=frame"],
        ["--reading.zero-length", "frame"],
    ):
        assert shell(*asked, *flag)[0] == 0
    assert shell("data", "check", path, "--modalities", "audio")[0] == 1
    assert shell("data", "check", path, "--modalities", "audio", "--zero-length", "frame")[0] == 0


def test_a_modality_that_is_not_asked_for_is_not_read(content, tmp_path):
    content = {k: dict(fold) for k, fold in content.items()}
    content["valid"]["vision"] = np.full((4, 3, 2), np.nan)[:, :0]  # nobody could use this
    path = dump(content, tmp_path / "half.pkl")
    assert shell("fit", "late_fusion", "--corpus", path, *QUICK)[0] == 2
    assert (
        shell("fit", "late_fusion", "--corpus", path, "--modalities", "text,audio", *QUICK)[0] == 0
    )


def test_a_file_whose_name_begins_like_the_simulator_is_a_file(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("simulated_clips.pkl", "simulated:mosi.pkl"):
        dump(content, name)
        status, out, err = shell(
            "fit", "late_fusion", "--corpus", name, "--modalities", "audio", *QUICK
        )
        assert status == 0 and f"{Path(name).stem} test" in out, err
    assert msa_lit.load_corpus("simulated:sims", n=(4, 2, 2)).scheme == "sims"


@pytest.mark.parametrize("command", ["fit", "compare"])
def test_a_guessed_scheme_is_said_beside_the_numbers(content, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {k: dict(fold) for k, fold in content.items()}
    for fold in content.values():
        fold["regression_labels"] = np.round(fold["regression_labels"]) / np.float32(3)
    path = dump(content, "mine.pkl")
    words = (
        [command, "late_fusion"]
        if command == "fit"
        else [command, "--methods", "late_fusion", "--seeds", "1"]
    )
    status, out, err = shell(*words, "--corpus", path, *QUICK)
    assert status == 0 and "scheme 'mosi' guessed" in out, (out, err)
    status, out, err = shell(*words, "--corpus", path, *QUICK, "--scheme", "sims")
    assert status == 0 and "guessed" not in out + err, (out, err)


def test_a_guessed_scheme_reaches_the_record_of_a_run(content, tmp_path):
    corpus = msa_lit.load_corpus(dump(content, tmp_path / "mine.pkl"), modalities=("audio",))
    with collect() as said:
        run = msa_lit.fit("late_fusion", corpus, epochs=1, batch_size=4, progress=False)
    assert any("guessed" in s for s in run.notices) and any("guessed" in s for s in said)


def test_the_way_to_read_is_not_written_twice():
    from msa_lit.data.readers import read_corpus

    Reading = import_module(catalogue.home("Reading")).Reading
    import dataclasses
    import inspect

    named = {
        n
        for n, p in inspect.signature(read_corpus).parameters.items()
        if p.kind is not p.VAR_KEYWORD and n != "path"
    }
    flags = set(catalogue.reading_options())
    assert flags == named | {f.name for f in dataclasses.fields(Reading)}
    assert all(o.meaning for o in catalogue.reading_options().values())
    page = shell("data", "check", "--help")[1]
    assert all(cli.as_flag(f) in page for f in flags)


# Results that are kept


def test_compare_without_a_folder_makes_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        status, out, err = shell(
            "compare", "--methods", "late_fusion", "--seeds", "1", "--n", "8,4,4", *QUICK
        )
        assert status == 0, err
    kept = sorted((tmp_path / "results").iterdir())
    assert (
        len(kept) == 2 and all((k / "results.csv").exists() for k in kept) and kept[-1].name in err
    )


def test_clips_without_labels_are_predicted_and_scored_only_with_labels(content, tmp_path):
    path, own = dump(content, tmp_path / "mine.pkl"), {"test": dict(content["test"])}
    own["test"].pop("regression_labels")
    asked = ("--modalities", "audio", *QUICK)
    status = shell("fit", "late_fusion", "--corpus", path, "--out", tmp_path / "kept", *asked)[0]
    assert status == 0
    own = dump(own, tmp_path / "own.pkl")
    for corpus, says in ((path, "scheme mosi"), (own, "no column 'label'")):
        out = tmp_path / f"{corpus.stem}.csv"
        status, said, err = shell(
            "predict", tmp_path / "kept", corpus, "--split", "test", "--out", out
        )
        assert status == 0 and "4 clips" in said, err
        status, said, err = shell("score", out)
        assert says in said + err


def test_a_flag_with_two_owners_asks_which(content, tmp_path):
    path = dump(content, tmp_path / "mine.pkl")
    status, out, err = shell("fit", "mug", "--corpus", path, "--labels", "copy")
    assert status == 2 and "--reading.labels or --method.labels" in err


# Numbers


def grad(*values):
    return [torch.tensor(v, requires_grad=True) for v in values]


def test_evaluate_takes_numbers_as_people_have_them():
    import pandas as pd

    wanted = evaluate([1.0, -2.0], [1.0, -1.0])
    for pred in (
        grad(1.0, -2.0),
        tuple(grad(1.0, -2.0)),
        torch.tensor([1.0, -2.0], requires_grad=True),
        np.float32([1, -2]),
        pd.Series([1.0, -2.0], index=["a", "b"]),
        [np.float64(1), -2],
    ):
        assert evaluate(pred, [1.0, -1.0]) == wanted
        np.testing.assert_equal(evaluate([1.0, -1.0], pred), evaluate([1.0, -1.0], [1.0, -2.0]))


@pytest.mark.parametrize(
    "odd",
    [
        [[1.0], [2.0]],
        grad([1.0], [2.0]),
        ["a", "b"],
        [1, 10**400],
        {1: 2, 2: 3},
        [1j, 2],
        [None, 1.0],
        [torch.ones(2, requires_grad=True), torch.ones(3)],
    ],
    ids=str,
)
def test_evaluate_refuses_what_is_no_vector(odd):
    with pytest.raises(ValueError, match="pred: "):
        evaluate(odd, [1.0, -1.0])


# What a corpus says of itself


def test_a_corpus_shows_itself_in_a_line_and_its_names_as_text():
    from dataclasses import replace

    corpus = replace(simulate(n=(200, 20, 20)), name="<script>alert(1)</script>" * 100)
    for shown in (corpus, corpus.splits["train"], corpus.splits["train"].sequences["audio"]):
        assert len(repr(shown)) < 300 and "\n" not in repr(shown)
        assert "<script" not in shown._repr_html_()


# The net


def test_nothing_escapes_as_a_traceback(monkeypatch):
    def failing(args):
        raise IndexError("list index out of range")

    monkeypatch.setitem(
        cli.COMMANDS,
        "methods",
        (*cli.COMMANDS["methods"][:2], failing, *cli.COMMANDS["methods"][3:]),
    )
    status, out, err = shell("methods")
    assert (
        status == 3
        and err.startswith("msa_lit: msa_lit methods: IndexError")
        and err.count("\n") == 1
    )
    kept = Path(err.partition("the full traceback is in ")[2].partition(";")[0])
    assert "list index out of range" in kept.read_text()
    kept.unlink()


GARBAGE = """
import gc, weakref, {first}
import msa_lit
class Knot: pass
before = gc.get_freeze_count()
msa_lit.load_corpus
frozen = gc.get_freeze_count() - before
knot = Knot()
knot.itself, gone = knot, weakref.ref(knot)
del knot
gc.collect()
print(gc.isenabled(), frozen > 100_000, gone() is None)
"""


@pytest.mark.parametrize(("first", "frozen"), [("sys", True), ("torch", False)])
def test_what_torch_made_is_searched_once_and_what_users_make_always(first, frozen):
    done = fresh(GARBAGE.format(first=first))
    assert done.stdout.split() == ["True", str(frozen), "True"], done.stderr
