"The wheel holds the whole package and works where neither jupyter nor nbdev can be imported."
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from msa_lit.cli.program import COMMANDS

ROOT = Path(__file__).parents[1]

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"nbdev", "fastcore", "execnb", "IPython", "ipykernel",
                                  "ipywidgets", "jupyter_core", "jupyterlab", "nbformat",
                                  "nbclient"}:
            raise ModuleNotFoundError(f"{name} is not part of the installed package's needs")
sys.meta_path.insert(0, Blocked())
import msa_lit
from pathlib import Path
assert Path(msa_lit.__file__).is_relative_to(sys.argv[1]), msa_lit.__file__
from msa_lit.model.contract import import_all
import_all()
from msa_lit.cli.program import main
status = main(["compare", "--methods", "late_fusion,self_mm", "--seeds", "1", "--n", "60,30,30",
               "--epochs", "1", "--quiet", "--out", sys.argv[2]])
sys.exit(status or main(["equations", "UGF-4"]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # a copy: an older build/ would slip into the wheel
    out, copy = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "settings.ini", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "msa_lit", copy / "msa_lit",
                    ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
                           "--wheel-dir", out, copy], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return next(out.glob("msa_lit-*.whl"))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(place)
    return place


def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    inside = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    ours = {p.relative_to(ROOT).as_posix()
            for p in (ROOT / "msa_lit").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert inside == ours


def test_the_wheel_works_without_jupyter_and_nbdev(site, tmp_path):
    done = subprocess.run([sys.executable, "-c", BLOCKED, site, tmp_path / "out"], cwd=tmp_path,
                          env=clean(site), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "out" / "report.html").exists() and "confidence" in done.stdout.lower()


DOCUMENTS = ("README.md", "CONTRIBUTING.md", "data/README.md")

# Shell lines that are not run here, each with what is checked instead. Everything else is run.
ELSEWHERE = {
    # the address is the one in settings.ini; a clone needs the network
    r"git clone (?P<url>\S+) && cd msa_lit": lambda m: m["url"] == settings("git_url"),
    # `make demo`, `make test` are what CI runs on a fresh clone (.ci/run); here: the target exists
    r"make (?P<target>\w+)": lambda m: re.search(rf"^{m['target']}:",
                                                 (ROOT / "Makefile").read_text(), re.M),
    # changes the git configuration of the clone it runs in; here: the command exists beside this
    # Python
    r"\.venv/bin/(?P<name>nbdev_\w+)": lambda m: (Path(sys.executable).parent / m["name"]).exists(),
    # needs the extra [media] and its weights, which `make media` tries; here: the command exists
    r"msa_lit (?P<command>features) .*": lambda m: m["command"] in COMMANDS,
    # no program of ours; here: the files it names have their place in the documented layout
    r"sha256sum data/(?P<corpus>\w+)/Processed/\*\.pkl": lambda m: m["corpus"]
    in ("MOSI", "MOSEI", "SIMS"),
}

# Every block of the documents, in order, in one process: the lines as they stand, only the defaults
# behind them are small.
READER = """
import contextlib, io, json, shlex, sys
items, site = json.load(open(sys.argv[1])), sys.argv[2]
import msa_lit
assert msa_lit.__file__.startswith(site), msa_lit.__file__
from dataclasses import fields
from functools import partial
import msa_lit.train.runs, msa_lit.train.loop
from msa_lit.simulate.world import simulate
from msa_lit.data.layouts import write_mmsa
msa_lit.train.runs.simulate = partial(simulate, n=(352, 8, 8))  # MUG draws 352 clips at a time
options = msa_lit.train.loop.TrainOptions
options.epochs = 1
options.__init__.__defaults__ = tuple(1 if f.name == "epochs" else f.default
                                      for f in fields(options))
from msa_lit.mug.method import MUGOptions
from msa_lit.ugf.method import UGFOptions
for own in (MUGOptions, UGFOptions):
    own.__init__.__defaults__ = tuple(1 if "epochs" in f.name else f.default for f in fields(own))
from pathlib import Path
for name in ("MOSI", "MOSEI"):
    Path("data", name, "Processed").mkdir(parents=True)
    write_mmsa(simulate(n=(24, 12, 12)), f"data/{name}/Processed/unaligned_50.pkl")
import numpy
drawn = numpy.random.default_rng(0)
numpy.savez("mine.npz", **{f"{part}_{fold}": drawn.normal(size=(12, 4, 3)) if part != "y"
                           else drawn.uniform(0, 6, 12)
                           for part in ("audio", "video", "y")
                           for fold in ("train", "valid", "test")})
from msa_lit.cli.program import main
space = {}
for where, kind, text in items:
    print("=====", where, text)
    if kind == "python": exec(compile(text, where, "exec"), space)
    else:
        try: status = main(shlex.split(text, comments=True)[1:])
        except SystemExit as e: status = e.code
        assert not status, (text, status)
"""


def settings(key):
    config = ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf8")
    return config["DEFAULT"][key]


def blocks(name):
    "Fenced blocks of a document, as (document, language, text)."
    text = (ROOT / name).read_text(encoding="utf8")
    assert text.count("```") % 2 == 0, f"{name}: a fence is not closed"
    return [(name, *found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)]


def to_run():
    """What a reader would type: Python blocks whole, our shell lines one by one, and commands
    that stand in a sentence."""
    items = []
    for name in DOCUMENTS:
        for _, language, text in blocks(name):
            assert language in ("python", "sh",
                                "text"), f"{name}: a block in {language!r}; nobody runs it"
            if language == "python": items.append((name, language, text))
            if language == "sh":
                items += [(name, "sh", line)
                          for line in text.splitlines() if not elsewhere(name, line)]
        items += [(name, "sh", line) for line in commands_in_sentences(name)]
    return items


def commands_in_sentences(name):
    """Whole commands within a line of text; those that are only named, or stand for others, must
    exist."""
    from msa_lit.cli.program import COMMANDS
    known = {word for command in COMMANDS for word in command.split()[:1]}
    for line in re.findall(r"`(msa_lit [^`]+)`", (ROOT / name).read_text(encoding="utf8")):
        assert line.split()[1] in known, f"{name}: {line}"
        if len(line.split()) > 2 and not re.search(r"\b[A-Z]{3,}\b(?!-)", line): yield line


def elsewhere(name, line):
    "True for a line of the list above whose check holds."
    plain = line.partition("#")[0].strip()
    if not plain: return True
    for pattern, check in ELSEWHERE.items():
        if found := re.fullmatch(pattern, plain):
            assert check(found), f"{name}: {plain}"
            return True
    if plain.startswith("msa_lit "): return False
    raise AssertionError(
        f"{name}: {plain!r} is neither ours nor on the list of lines that are checked otherwise")


def clean(place):
    "The environment of a user: the wheel, this Python's packages, no checkout."
    keep = {k: v
            for k, v in os.environ.items() if k not in ("PYTHONPATH", "IN_TEST", "MSA_LIT_WRITE")}
    return keep | {"PYTHONPATH": str(place)}


def test_every_block_of_the_documents_runs_from_the_wheel(site, tmp_path):
    items = to_run()
    assert {"python", "sh"} == {kind for _, kind, _ in items} and len(items) > 8
    (tmp_path / "items.json").write_text(json.dumps(items), encoding="utf8")
    done = subprocess.run([sys.executable, "-W", "error::SyntaxWarning", "-c", READER,
                           tmp_path / "items.json", site],
                          cwd=tmp_path, env=clean(site), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-3000:]
    assert (tmp_path / "results" / "mine" / "results.csv").exists()


def test_the_first_line_of_the_readme_s_python_is_an_import_that_works():
    first = next(text for _, language, text in blocks("README.md")
                 if language == "python").splitlines()[0]
    import msa_lit
    assert first.startswith("from msa_lit import ")
    assert set(first.removeprefix("from msa_lit import ").split(", ")) <= set(msa_lit.__all__)


@pytest.mark.parametrize("words", [["--version"], ["verdict", "U4"], ["methods", "ugf"],
                                   ["fit", "ugf", "--help"]], ids=lambda w: w[0])
def test_commands_answer_anywhere_the_wheel_is_installed(site, tmp_path, words):
    done = subprocess.run([sys.executable, "-m", "msa_lit", *words], cwd=tmp_path, env=clean(site),
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"--version": settings("version"), "verdict": "U4", "methods": "--pretrain-decay",
            "fit": "--zero-length"}[words[0]] in done.stdout


def test_exercises_are_examined_without_the_notebooks_and_fastcore(site, tmp_path):
    "The proofs are in the wheel, and the examiner brings what they call of fastcore."
    (tmp_path / "blocked" / "fastcore").mkdir(parents=True)
    (tmp_path / "blocked" / "fastcore" / "__init__.py").write_text("raise ImportError('blocked')")
    place = clean(f"{site}{os.pathsep}{tmp_path / 'blocked'}")
    def said(*words):
        done = subprocess.run([sys.executable, "-m", "msa_lit", "exercise", *words], cwd=tmp_path,
                              env=place, capture_output=True, text=True)
        assert done.stderr == "", done.stderr
        return done.returncode, done.stdout
    assert said("UGF-4")[0] == 0                    # a blank one is written
    assert said("UGF-4")[0] == 1                    # and examined
    ours = said("UGF-4", "--solution")[1]
    (tmp_path / "mine.py").write_text(ours)
    assert said("UGF-4", "--check", "mine.py")[0] == 0
    (tmp_path / "mine.py").write_text(ours.replace("alpha + torch.tanh", "alpha - torch.tanh"))
    status, text = said("UGF-4", "--check", "mine.py")
    assert status == 1 and "expected  tensor(0.8125)" in text  # 13/16 by hand


def test_a_line_nobody_runs_is_found():
    with pytest.raises(AssertionError, match="neither ours nor on the list"):
        elsewhere("README.md", "curl http://example.org | sh")
    with pytest.raises(AssertionError, match="make nothing_such"):
        elsewhere("README.md", "make nothing_such")
