"Notebooks and package are in step; notebooks are executed, light, clean and free of machine paths."
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb")
                   if not p.name.startswith("_") and ".ipynb_checkpoints" not in p.parts)
BIN = Path(sys.executable).parent


def text(value):
    return value if isinstance(value, str) else "".join(value)


def generated(folder):
    """Every module that nbdev writes, and its index; only __init__.py files are written by hand
    or empty."""
    return {p.relative_to(folder).as_posix(): p.read_bytes()
            for p in (folder / "msa_lit").rglob("*.py") if p.name != "__init__.py"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A copy of the project in which the package was deleted and exported anew, and the
    notebooks cleaned."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("settings.ini", "setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "nbs", copy / "nbs", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (copy / "msa_lit").mkdir()
    shutil.copy(ROOT / "msa_lit" / "__init__.py", copy / "msa_lit" / "__init__.py")
    # with it nbdev_export does nothing
    environment = {k: v for k, v in os.environ.items() if k != "IN_TEST"}
    for command in ("nbdev_export", "nbdev_clean"):
        done = subprocess.run([BIN / command], cwd=copy, env=environment,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    return copy


def test_there_are_notebooks():
    assert len(NOTEBOOKS) > 20


def test_the_package_is_what_the_notebooks_export(exported):
    ours, fresh = generated(ROOT), generated(exported)
    assert len(fresh) > 20
    assert set(ours) == set(
        fresh), "modules without a notebook, or notebooks not exported: run make export"
    different = [name for name in fresh if ours[name] != fresh[name]]
    assert not different, f"edited by hand or not exported: {different}; run make export"


def test_the_tools_settings_survive_an_export(exported):
    "nbdev can write a pyproject.toml of its own; ours holds settings of tools and no metadata."
    ours = (ROOT / "pyproject.toml").read_text(encoding="utf8")
    assert (exported / "pyproject.toml").read_text(encoding="utf8") == ours
    assert "project" not in tomllib.loads(ours), "metadata stand in settings.ini alone"


def allowed(line):
    "Lines that nobody breaks by hand: a module's promise (its first line) and nbdev's `__all__`."
    return re.match(r'(?:""".*"""$|__all__ = \[|           \')', line)


@pytest.mark.parametrize("path", sorted((ROOT / "msa_lit").rglob("*.py")),
                         ids=lambda p: p.relative_to(ROOT / "msa_lit").as_posix())
def test_exported_lines_end_at_100_characters(path):
    "What ruff checks in the notebooks, checked in what they export."
    if path.name == "_modidx.py": return
    lines = path.read_text(encoding="utf8").splitlines()
    assert not [line for line in lines if len(line) > 100 and not allowed(line)]


def test_notebooks_are_clean(exported):
    dirty = [p.name for p in NOTEBOOKS
             if p.read_bytes() != (exported / "nbs" / p.relative_to(ROOT / "nbs")).read_bytes()]
    assert not dirty, f"run nbdev_clean on {dirty}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_is_executed_light_and_about_the_project_alone(path):
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    assert path.stat().st_size < 300 * 1024
    code = [c for c in cells if c["cell_type"] == "code"]
    outputs = [o for c in code for o in c["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert outputs, "committed without outputs: run make nbs"
    assert not [c for c in code
                if re.search(r"^\s*#\s*\|\s*(eval:\s*false|skip_exec)", text(c["source"]), re.M)]
    assert not [c for c in code if re.search(r"^\s*#\s*\|\s*exp", text(c["source"]), re.M)
                and re.search(r"^\s*from\s+\S+\s+import\s+\*", text(c["source"]), re.M)]
    said = json.dumps([{k: v for k, v in o.get("data", {}).items() if not k.startswith("image/")}
                       for o in outputs] + [o.get("text", "") for o in outputs])
    paths = re.findall(r"(?:/root/|/home/|/work/|/tmp/|/Users/|C:\\\\)[^\"'\s\\]*", said)
    assert not paths, f"outputs name places on one machine: {paths[:3]}"
    first = text(cells[0]["source"])
    assert re.match(r"# .+\n\n> .+", first), "begin with a title and a one-line promise"
    ids = [c["id"] for c in cells]
    assert len(ids) == len(set(ids))


def test_the_proofs_in_the_package_are_those_of_the_notebooks():
    "`msa_lit exercise` examines with these; tests/test_exercises.py also asks which are chosen."
    packed = json.loads((ROOT / "msa_lit" / "book" / "exercises.json").read_text(encoding="utf8"))
    behind = set()
    for name, held in packed["cells"].items():
        cells = json.loads((ROOT / "nbs" / name).read_text(encoding="utf8"))["cells"]
        sources = {c["id"]: text(c["source"]).splitlines() for c in cells}
        behind |= {f"{name}: {k}" for k, lines in held.items() if sources.get(k) != lines}
    assert not behind, f"{sorted(behind)}: run make export"


PUT_BACK = [  # what a cell sets for the whole process, and what puts it back
    (r'^pd\.set_option\("([\w.]+)"', 'pd.reset_option("{}")'),
    (r"^sns\.set_theme()", "sns.reset_defaults()"),
    (r"^plt\.rcParams\[()", "plt.rcdefaults()"),
    (r"^torch\.set_num_threads\(1()", "torch.set_num_threads(threads)"),
    (r"^\w*logging\.disable_progress_bar()", "logging.enable_progress_bar()"),
    (r"^torch\.set_default_dtype\((?!torch\.float32)()", "torch.set_default_dtype(torch.float32)"),
    (r"^\w+ = (?:Path\()?tempfile\.(?:mkdtemp|TemporaryDirectory)()", ".cleanup() or rmtree("),
    (r"^(?:warnings\.(?:filter|simple)\w+\(|os\.chdir\(|os\.environ\[.*\] = |del os\.environ)()",
     "in a block: with warnings.catch_warnings(), contextlib.chdir, patch.dict(os.environ)")]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_what_a_notebook_sets_it_puts_back(path):
    "Notebooks share a process under nbdev_test; `make shuffle` compares the state itself."
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    code = "\n".join(text(c["source"]) for c in cells if c["cell_type"] == "code")
    for setting, back in PUT_BACK:
        for found in re.finditer(setting, code, re.M):
            needed = back.format(found[1])
            done = any(word in code[found.end():] for word in needed.split(" or "))
            assert done, f"{found[0]}… is never put back: {needed}"


def public_names(path):
    "The names in a module's `__all__` that it defines itself; what it passes on belongs elsewhere."
    tree = ast.parse(path.read_text(encoding="utf8"))
    listed, own = set(), set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            names = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)} if target else set()
            own |= names
            if "__all__" in names and path.name != "__init__.py":
                listed = set(ast.literal_eval(node.value))
    return listed & own


def test_one_name_has_one_meaning(tmp_path):
    "No public name stands in two modules; the check itself sees one that does."
    homes = {}
    for path in sorted((ROOT / "msa_lit").rglob("*.py")):
        for name in public_names(path):
            homes.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    assert len(homes) > 900
    assert not {name: places for name, places in homes.items() if len(places) > 1}
    (tmp_path / "m.py").write_text("__all__ = ['A', 'B', 'C', 'f', 'g']\nA, B = 1, 2\n"
                                   "C: int = 3\ndef f(): pass\nfrom x import g\n")
    assert public_names(tmp_path / "m.py") == {"A", "B", "C", "f"}


def bare_dicts(module):
    "Where public signatures and fields of a module say `dict` and not of what."
    def annotations(node, public=True, owner=""):
        for n in ast.iter_child_nodes(node):
            if isinstance(n, (ast.FunctionDef, ast.ClassDef)):
                open_ = public and (not n.name.startswith("_") or n.name == "__init__")
                if open_ and isinstance(n, ast.FunctionDef):
                    given = n.args.posonlyargs + n.args.args + n.args.kwonlyargs
                    yield from ((owner + n.name, a.annotation) for a in given)
                    yield owner + n.name, n.returns
                if isinstance(n, ast.ClassDef):
                    if open_:
                        fields = (x for x in n.body if isinstance(x, ast.AnnAssign))
                        yield from ((n.name, x.annotation) for x in fields)
                    yield from annotations(n, open_, f"{n.name}.")
    for name, annotation in annotations(ast.parse(module)):
        nodes = [] if annotation is None else list(ast.walk(annotation))
        told = {id(n.value) for n in nodes if isinstance(n, ast.Subscript)}
        names = (n for n in nodes if isinstance(n, ast.Name) and id(n) not in told)
        if any(n.id in ("dict", "Dict") for n in names): yield name


def test_public_signatures_say_what_a_dict_holds():
    bare = "def f(x: dict | None, y: dict[str, int]) -> list[dict]: pass"
    assert list(bare_dicts(bare)) == ["f"] * 2
    assert list(bare_dicts("class C:\n    x: dict\n    def f(self, y: Row): pass")) == ["C"]
    found = {str(p.relative_to(ROOT)): names for p in sorted((ROOT / "msa_lit").rglob("*.py"))
             if (names := list(bare_dicts(p.read_text(encoding="utf8"))))}
    assert not found, f"say what is inside, with a name of msa_lit.base.types: {found}"


def arrows(package):
    "Module -> modules of ours that it imports, in functions too; imports for a type checker aside."
    def name(path):
        parts = path.relative_to(package.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    modules = {name(p): p for p in package.rglob("*.py") if p.name != "_modidx.py"}

    def imported(node, inside):
        for n in ast.iter_child_nodes(node):
            if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test): continue
            if isinstance(n, ast.Import): yield from (a.name for a in n.names)
            elif isinstance(n, ast.ImportFrom):
                base = inside[:len(inside) - n.level + 1] if n.level else ()
                whole = ".".join([*base, *filter(None, [n.module])])
                yield from (long if (long := f"{whole}.{a.name}") in modules else whole
                            for a in n.names)
            else: yield from imported(n, inside)

    found = {}
    for module, path in modules.items():
        inside = path.relative_to(package.parent).parts[:-1]
        met = set(imported(ast.parse(path.read_text(encoding="utf8")), inside))
        found[module] = {m for m in met if m in modules and m != module}
    return found


def circles(graph):
    "Modules that are left when those that import nothing left are taken away, again and again."
    left = {m: set(to) for m, to in graph.items()}
    while done := [m for m, to in left.items() if not to & left.keys()]:
        for m in done: del left[m]
    return sorted(left)


def test_no_modules_stand_in_a_circle(tmp_path):
    for name, line in (("a", "from .b import x"), ("b", "def f(): from toy.a import y"), ("c", "")):
        path = tmp_path / "toy" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(line)
    assert circles(arrows(tmp_path / "toy")) == ["toy.a", "toy.b"]
    graph = arrows(ROOT / "msa_lit")
    assert sum(map(len, graph.values())) > 300 and graph["msa_lit.train.runs"]
    assert not circles(graph), circles(graph)


def test_the_package_is_imported_without_its_heavy_libraries():
    asked = "import sys; old = {*sys.modules}; import msa_lit; print(*sorted({*sys.modules} - old))"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=ROOT,
                            env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True).stdout.split()
    heavy = {"torch", "numpy", "pandas", "scipy", "transformers", "matplotlib", "accelerate"}
    assert not heavy & set(loaded) and len(loaded) < 60, loaded
    ours = [m for m in loaded if m.startswith("msa_lit")]
    assert ours == ["msa_lit", "msa_lit.base", "msa_lit.base.moved"], ours
