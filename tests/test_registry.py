"Notebooks and processes share names of methods: each finds its own class, none a stale one."
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REDEFINED = """
from msa_lit.model.common import LateFusion as installed
from msa_lit.model.contract import METHODS, import_all, method, parse

@method("late_fusion")
class LateFusion(installed): changed = True

@method("only_in_a")
class OnlyInA(installed): pass

import_all()
assert parse("late_fusion+dgm")[0] is LateFusion and parse("only_in_a")[0] is OnlyInA
"""
TWO_PROCESSES = """
from msa_lit.train.comparison import compare
from msa_lit.simulate.world import simulate

def scores(jobs):
    corpus = simulate((40, 10, 10))
    return compare(["late_fusion"], corpus, [1, 2], jobs=jobs, progress=False, epochs=1)

def loss_of_the_notebook(self, batch, out):
    return {"task": (out.predictions["multimodal"] + batch.labels["multimodal"]).abs().mean()}

LateFusion.losses = loss_of_the_notebook
here, there = scores(1), scores(2)
assert here.equals(there), "the installed class was trained in place of this notebook's"
METHODS.written.clear()
assert not scores(1).equals(here), "the loss of the notebook changed nothing"
METHODS["late_fusion"] = LateFusion
"""
NEXT = """
from msa_lit.model.common import LateFusion
from msa_lit.model.contract import METHODS, parse
assert parse("late_fusion")[0] is LateFusion and not hasattr(LateFusion, "changed")
assert "only_in_a" not in METHODS
try: parse("only_in_a")
except ValueError as e: assert "unknown method" in str(e)
else: raise AssertionError("found a class of another notebook")
"""
CLAIMED = """
from msa_lit.papers.equations import equation

@equation("MUG-27")
def a_notebooks_copy(): pass
"""
ASKED = """
from msa_lit.papers.equations import find
assert find("MUG-27").function.__module__ == "msa_lit.mug.method"
"""
RUN_THEM = """
import sys
from pathlib import Path
from nbdev.test import test_nb
sys.exit(not all(test_nb(Path(p))[0] for p in sys.argv[1:]))
"""
SCRIPT = """
from msa_lit.model.common import LateFusion
from msa_lit.model.contract import homes, method

def variant(k):
    @method(f"variant_{k}")
    class Variant(LateFusion): number = k

for k in range(2): variant(k)

if __name__ == "__main__":
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    names = ["variant_0", "variant_1"]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert list(pool.map(homes, names)) == [homes(n) for n in names]
"""


def written(path, code):
    cell = {"cell_type": "code", "id": "a", "source": code,
            "execution_count": None, "metadata": {}, "outputs": []}
    content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))
    return str(path)


def run(*command):
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_class_of_a_notebook_is_found_while_it_runs_and_not_by_the_next(tmp_path):
    codes = CLAIMED, ASKED, REDEFINED + TWO_PROCESSES, NEXT
    paths = [written(tmp_path / f"{k}.ipynb", code) for k, code in enumerate(codes)]
    run("-c", RUN_THEM, *paths)


def test_processes_started_by_a_script_find_the_classes_of_the_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    run(str(path))
