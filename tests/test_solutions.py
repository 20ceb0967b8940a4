"Every exercise of the book has a solution, folded; the Python in a solution runs and asserts."
import contextlib
import io
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NBS = ROOT / "nbs"
HEADING = re.compile(r"^## Exercises?$", re.M)
FOLDED = re.compile(r"<details><summary>Solution(?: \d+)?</summary>\n\n(.*?)\n\n</details>", re.S)
CODE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def exercises_of(path):
    "The Markdown of a notebook's exercises with what is folded below them; '' where it has none."
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    texts = ("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return next((t[found.end():] for t in texts if (found := HEADING.search(t))), "")


def asked(text):
    "How many exercises there are: numbered ones, or a single one without a number."
    before = text.partition("<details>")[0]
    return len(re.findall(r"^\d+\. ", before, re.M)) or int(bool(before.strip()))


WITH = [p for p in sorted(NBS.glob("*.ipynb")) if exercises_of(p)]


@pytest.mark.parametrize("path", WITH, ids=lambda p: p.stem)
def test_every_exercise_has_a_solution(path):
    text = exercises_of(path)
    solutions = FOLDED.findall(text)
    assert len(solutions) == asked(text) == text.count("<details>") == text.count("</details>")
    assert all(len(s.split()) > 8 for s in solutions)
    code = [line for s in solutions for block in CODE.findall(s) for line in block.splitlines()]
    assert not [line for line in code if len(line) > 100]
    assert all(s.count("```") % 2 == 0 for s in solutions)


def test_there_are_many():
    texts = [exercises_of(p) for p in WITH]
    assert len(WITH) > 120 and sum(map(asked, texts)) > 300
    assert sum(len(CODE.findall(t)) for t in texts) > 130


def run_all():
    "Every Python block of every solution, each by itself; what failed."
    failed = []
    for path in WITH:
        for k, block in enumerate(CODE.findall(exercises_of(path)), 1):
            try:
                with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                    warnings.simplefilter("ignore")
                    name = f"{path.stem}, block {k}"
                    exec(compile(block, name, "exec"), {"__name__": "solution"})
            except Exception as error:
                failed.append(f"{path.stem}, block {k}: {type(error).__name__}: {error}")
    return failed


def test_the_python_of_solutions_runs(tmp_path):
    "In a process of its own, because solutions draw random numbers and register things."
    done = subprocess.run([sys.executable, __file__], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    import torch
    torch.set_num_threads(1)
    found = run_all()
    print("\n".join(found))
    sys.exit(bool(found))
