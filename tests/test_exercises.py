"Every exercise is listed, is in step with its chapter, and its examiner sees what is wrong."
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from msa_lit.book.exercises import PACKED_PROOFS, blank_answer, check_answer, exercises
from msa_lit.book.exercises import find_exercise, our_answer, pack_exercises
from msa_lit.cli.program import main
from msa_lit.papers.equations import EQUATIONS

ROOT = Path(__file__).parents[1]

# What is broken and cannot be seen, because it is not wrong: (function, what was done) -> why.
NOT_WRONG = {
    ("running_mean", "turned: value / t"): "t is 1 there",
    ("corrupt", "turned: pred + torch.empty_like(pred).normal_(generator=generator) * std"):
        "noise is symmetric",
    ("shifted_label", "turned: delta_m + 1e-08"): "it only keeps a zero out of the denominator",
    ("shifted_label", "dropped: delta_m + 1e-08"): "it only keeps a zero out of the denominator"}


@pytest.fixture(scope="module")
def fates(tmp_path_factory):
    "All exercises examined, in a process of its own and far from the notebooks."
    folder = tmp_path_factory.mktemp("all")
    done = subprocess.run([sys.executable, ROOT / "tests" / "examine_all.py", folder / "out.json"],
                          cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "out.json").read_text())


def test_every_executable_equation_can_be_practised():
    "None is left out; whoever adds one whose chapter has no check is told here."
    executable = {id for id, e in EQUATIONS.items() if e.kind == "executable"}
    assert {k.partition("/")[0] for k in exercises()} == executable
    assert not [k for k, e in exercises().items() if not e.cells]


def test_the_packed_proofs_are_those_of_the_notebooks():
    fresh, held = pack_exercises(ROOT / "nbs"), json.loads(PACKED_PROOFS.read_text(encoding="utf8"))
    assert fresh["exercises"] == held["exercises"], "run make export"
    behind = [k for k, cells in fresh["cells"].items() if held["cells"].get(k) != cells]
    assert not behind, f"the checks of {behind} have changed: run make export"


def test_our_own_function_passes_everywhere(fates):
    assert fates.keys() == exercises().keys()
    assert not {k: f["ours"] for k, f in fates.items() if f["ours"]}
    assert not [k for k, f in fates.items() if f["checks"] < 2]


def test_a_blank_fails_everywhere(fates):
    assert not [k for k, f in fates.items() if not f["blank"]]


def test_every_broken_function_fails(fates):
    "One operation turned round, one term dropped, one statement left out, one sign changed."
    tried = sum(len(f["wrong"]) for f in fates.values())
    alive = {(exercises()[k].name, done) for k, f in fates.items()
             for done, caught in f["wrong"].items() if not caught}
    assert tried > 300 and not [k for k, f in fates.items() if not f["wrong"]]
    assert alive == set(NOT_WRONG)


@pytest.mark.parametrize("text, words", [
    ("def confidence(pred, target, alpha, dtype=None)\n    return 1\n", "line 1: expected ':'"),
    ("import nothing_such\n", "stopped with ModuleNotFoundError"),
    ("def other(): pass\n", "defines no confidence; it defines other"),
    ("def confidence(y): pass\n", "takes (pred, target, alpha, dtype); yours takes (y)"),
    ("import os\nos._exit(7)\n", "ended its process with status 7"),
    ("while True: pass\n", "was stopped after 3 s")], ids=lambda t: t[:20])
def test_what_cannot_be_examined_is_said_in_one_line(text, words, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(text)
    call = ["exercise", "UGF-4", "--check", str(tmp_path / "mine.py"),
            "--limit", "3" if "while" in text else "60"]
    assert main(call) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and "Traceback" not in said


def test_the_command_writes_examines_and_lists(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["exercise"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {k} " in listed for k in exercises()) and "MFON: Modal Feature" in listed
    assert main(["exercise", "spil-9/momentum"]) == 0
    file = tmp_path / "exercises" / "SPIL-9-momentum.py"
    assert file.read_text() == blank_answer(find_exercise("SPIL-9/momentum"))
    assert main(["exercise", "SPIL-9/momentum"]) == 1
    assert "not written yet" in capsys.readouterr().out
    file.write_text(our_answer(find_exercise("SPIL-9/momentum")))
    assert main(["exercise", "SPIL-9/momentum"]) == 0
    assert "right!" in capsys.readouterr().out
    assert main(["exercise", "--solution", "UGF-6"]) == 0
    assert "total = sum(scores.values())" in capsys.readouterr().out
    assert main(["exercise", "SPIL-28"]) == 2 and "is a proof" in capsys.readouterr().err
    assert main(["exercise", "UGF-4", "--check", "none.py"]) == 2
    assert "none.py: no such file" in capsys.readouterr().err


def test_a_wrong_answer_is_shown_beside_the_right_one(tmp_path):
    (tmp_path / "mine.py").write_text(our_answer(find_exercise("UGF-4")).replace(".abs()", ""))
    report = check_answer("UGF-4", tmp_path / "mine.py")
    assert not report.passed
    assert any("1.75" in c.expected and c.computed for c in report.wrong)  # 7/4 by hand
    assert "expected  tensor(1.7500)" in str(report) and "not yet right" in str(report)
