"""No logic stands twice: windows of statements in exported modules, compared after renaming.

pylint's `symilar` compares lines between files, word for word; whoever copies renames, and stays in
the file. Here every name of a variable counts as the same one; annotations, docstrings, imports and
what a nested function does for itself do not count.
"""
import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
STATEMENTS = 4  # so many in a row, in two functions, are one function too few


class Plain(ast.NodeTransformer):
    "A statement without its names."
    def visit_Name(self, node): return ast.Name("_", node.ctx)

    def visit_arg(self, node): return ast.arg("_", None)

    def visit_AnnAssign(self, node):
        value = node.value or ast.Constant(None)
        return self.generic_visit(ast.Assign([node.target], value))


def plain(node): return ast.dump(Plain().visit(node))


def steps(body):
    "(line, statement without names) in the order of the text; what has a body, by its head."
    for node in body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if text or isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)):
            continue
        bodies = [getattr(node, field, None) for field in ("body", "orelse", "finalbody")]
        if not any(isinstance(b, list) for b in bodies):
            yield node.lineno, plain(node)
            continue
        heads = [getattr(node, field, []) for field in ("test", "iter", "items")]
        heads = sum((h if isinstance(h, list) else [h] for h in heads), [])
        yield node.lineno, type(node).__name__ + "".join(plain(h) for h in heads)
        for inner in (b for b in bodies if isinstance(b, list)): yield from steps(inner)


def twice(paths, length=STATEMENTS):
    "Places of every window that stands in more than one function."
    found = defaultdict(dict)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if not isinstance(node, ast.FunctionDef): continue
            told = list(steps(node.body))
            for i in range(len(told) - length + 1):
                window = told[i:i + length]
                key = "\n".join(text for _, text in window)
                found[key].setdefault((path, node.name, node.lineno), window[0][0])
    return [[f"{path.name}:{line} {name}" for (path, name, _), line in places.items()]
            for places in found.values() if len(places) > 1]


def exported():
    return [p for p in sorted((ROOT / "msa_lit").rglob("*.py"))
            if p.name not in ("__init__.py", "_modidx.py")]


def test_no_logic_stands_twice():
    assert len(exported()) > 80
    assert not twice(exported())


def test_a_copy_is_found_whatever_its_names(tmp_path):
    one = "def f(a: int):\n    b = a + 1\n    c = g(b)\n    if c: d = c\n    return d\n"
    other = ("class K:\n    def h(self, x):\n        'Says something else.'\n"
             "        y: int = x + 1\n        z = g(y)\n        if z: u = z\n        return u\n")
    (tmp_path / "one.py").write_text(one)
    (tmp_path / "other.py").write_text(other)
    paths = sorted(tmp_path.glob("*.py"))
    assert twice(paths) == [["one.py:2 f", "other.py:4 h"], ["one.py:3 f", "other.py:5 h"]]
    (tmp_path / "other.py").write_text(other.replace("x + 1", "x + 2").replace("= z", "= -z"))
    assert not twice(paths)  # a number and a sign are no names


def test_a_baseline_is_short():
    lengths = {p.name: len(p.read_text(encoding="utf8").splitlines())
               for p in (ROOT / "msa_lit" / "baselines").glob("*.py")}
    assert len(lengths) > 15 and {n: k for n, k in lengths.items() if k >= 150} == {}
