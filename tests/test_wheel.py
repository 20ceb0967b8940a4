"The wheel holds the whole package and works where neither jupyter nor nbdev can be imported."
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"nbdev", "fastcore", "execnb", "IPython", "ipykernel", "jupyter_core", "jupyterlab", "nbformat", "nbclient", "ipywidgets"}:
            raise ModuleNotFoundError(f"{name} is not part of the installed package's needs")
sys.meta_path.insert(0, Blocked())
import msa_lit
from pathlib import Path
assert Path(msa_lit.__file__).is_relative_to(sys.argv[1]), msa_lit.__file__
from msa_lit.methods import import_all
import_all()
from msa_lit.cli import main
status = main(["compare", "--methods", "late_fusion,self_mm", "--seeds", "1", "--n", "60,30,30", "--epochs", "1", "--quiet", "--out", sys.argv[2]])
sys.exit(status or main(["equations", "UGF-4"]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out, copy = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")  # a copy: an older build/ would slip into the wheel
    for name in ("setup.py", "settings.ini", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "msa_lit", copy / "msa_lit", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, copy], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return next(out.glob("msa_lit-*.whl"))


def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    inside = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    ours = {p.relative_to(ROOT).as_posix() for p in (ROOT / "msa_lit").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert inside == ours


def test_the_wheel_works_without_jupyter_and_nbdev(wheel, tmp_path):
    place = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(place)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(place)}
    done = subprocess.run([sys.executable, "-c", BLOCKED, str(place), str(tmp_path / "out")], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "out" / "report.html").exists() and "confidence" in done.stdout.lower()
