"The runner counts what nbdev_test says, and nothing counts as passed that it does not vouch for."
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run import failures

ROOT = Path(__file__).parents[1]
BEGAN = "Starting /x/a.ipynb\nStarting /x/b.ipynb\n- Completed /x/a.ipynb"
LISTED = "nbdev Tests Failed On The Following Notebooks:\n====\n\tb.ipynb\n"


@pytest.mark.parametrize("status, said, failed", [
    (0, f"{BEGAN}- Completed /x/b.ipynb\n\nSuccess.\n", set()),      # two workers, one line
    (1, f"{BEGAN}\n- Completed /x/b.ipynb\n{LISTED}", {"b.ipynb"}),
    (0, f"{BEGAN}\nSuccess.\n", {"b.ipynb"}),                        # b began and never ended
    (0, "No files were eligible for testing\n", {"a.ipynb", "b.ipynb"}),
    (1, f"{BEGAN}\nBrokenProcessPool: a child died\n", {"a.ipynb", "b.ipynb"}),
    (-9, f"{BEGAN}\n- Completed /x/b.ipynb\n", {"a.ipynb", "b.ipynb"})])
def test_only_what_nbdev_test_vouches_for_has_passed(status, said, failed):
    assert failures(["a.ipynb", "b.ipynb"], status, said) == failed


@pytest.fixture
def project(tmp_path):
    "A project of two small notebooks, the second of which fails; the runner with it."
    shutil.copy(ROOT / "settings.ini", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "nbs").mkdir()
    shutil.copy(ROOT / "tests" / "run.py", tmp_path / "tests")
    for name, code in (("fine", "1 + 1"), ("wrong", "assert 1 + 1 == 3")):
        cell = {"cell_type": "code", "id": "a", "source": code,
                "execution_count": None, "metadata": {}, "outputs": []}
        content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / "nbs" / f"{name}.ipynb").write_text(json.dumps(content))
    return tmp_path


def test_the_command_itself_is_called_and_counted(project):
    def run(*options):
        command = [sys.executable, project / "tests" / "run.py", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()[-1]
    assert run("--only", "f") == (0, "1 passed, 0 failed, 0 skipped")
    assert run("--only", "w") == (1, "0 passed, 1 failed, 0 skipped")
    assert run("--only", "z")[0] == 1  # no notebook is no success
