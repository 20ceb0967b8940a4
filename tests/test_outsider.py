"""Three methods in a package of somebody else, installed beside this one: trained, compared in two
processes, run from the command line, rebuilt in a new process, examined, with every piece on."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HERE = ROOT / "tests" / "outsider"
METHODS = ("out_tfn", "out_misa", "out_mult")


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    "Install the package into a folder of its own, as pip does; the environment that finds it."
    place = tmp_path_factory.mktemp("outsider")
    source = shutil.copytree(HERE, place / "source")  # pip builds in the source folder
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", str(place / "site"), str(source)], place)
    assert (place / "site" / "outsider").is_dir()
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(place / "site")])}


def run(command, cwd, env=None):
    "What a command says; its words are in the failure if it fails."
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def python(source, cwd, env):
    "The last line that a program prints, read as JSON."
    return json.loads(run([sys.executable, "-c", source], cwd, env).splitlines()[-1])


@pytest.mark.parametrize("name", METHODS)
def test_it_is_short_and_touches_no_foundation(name):
    path = HERE / "src" / "outsider" / f"{name.removeprefix('out_')}.py"
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) < 60, len(lines)
    ours = [line for line in lines if "msa_lit" in line and "import" in line]
    public = {"model.common", "model.contract", "model.encoders"}
    assert {line.split()[1].removeprefix("msa_lit.") for line in ours} <= public


TRAIN = """
import json, sys
from msa_lit import compare, fit, simulate

name, corpus = NAME, simulate(n=(48, 16, 16), seed=3)
options = dict(epochs=2, batch_size=16, progress=False)
run = fit(name, corpus, seed=1, folder="alone", **options)
both = [compare([name, "late_fusion"], corpus, [1, 2], folder=f"jobs{j}", jobs=j, **options)
        for j in (1, 2)]
assert both[0].equals(both[1]), "two processes and one differ"
mae = run.metrics["mae"]
ours = both[0].query("method == @name and seed == 1 and split == 'test' and metric == 'mae'")
assert abs(ours[ours["head"] == "multimodal"].value.item() - mae) < 1e-6
print(json.dumps([mae, run.predictions["multimodal"].round(6).tolist()]))
"""
REBUILT = """
import json, sys
from msa_lit import load_run, predict_with, simulate

assert "outsider" not in sys.modules
run = load_run("alone")
assert type(run.model).__module__.startswith("outsider.")
again = predict_with(run, simulate(n=(48, 16, 16), seed=3), "valid")["multimodal"]
print(json.dumps(again.round(6).tolist()))
"""


@pytest.mark.parametrize("name", METHODS)
def test_fit_compare_command_line_and_a_new_process(name, beside, tmp_path):
    mae, said = python(TRAIN.replace("NAME", repr(name)), tmp_path, beside)
    again = python(REBUILT, tmp_path, beside)
    assert again == pytest.approx(said[:len(again)], abs=1e-5)
    words = [sys.executable, "-m", "msa_lit", "fit", name, "--n", "48,16,16", "--corpus-seed", "3",
             "--seed", "1", "--epochs", "2", "--batch-size", "16", "--quiet"]
    assert run(words, tmp_path, beside).startswith(f"{name}, seed 1")
    page = run([sys.executable, "-m", "msa_lit", "methods", name], tmp_path, beside)
    assert name in page and ("--part" in page) == (name == "out_misa")
    assert name in run([sys.executable, "-m", "msa_lit", "methods"], tmp_path, beside)


EXAMINED = """
import json
from msa_lit.train.examination import announced, examine_method, piece_matrix

questions = examine_method(NAME)[NAME].to_dict()
matrix = piece_matrix([NAME], announced("piece"), **{"align.shared_weight": 1e4})
print(json.dumps([questions, matrix[NAME].to_dict()]))
"""


@pytest.mark.parametrize("name", METHODS)
def test_it_sits_the_examination_with_every_piece(name, beside, tmp_path):
    questions, effects = python(EXAMINED.replace("NAME", repr(name)), tmp_path, beside)
    assert questions["subsets"].startswith("7 of 7 work")
    assert {"align", "dgm", "ufm"} <= set(effects)
    assert all(isinstance(moved, float) and moved > 1e-6 for moved in effects.values()), effects
