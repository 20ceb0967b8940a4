"What the book tells is what our reading of the papers holds; nothing names another workplace."
import json
import re
from pathlib import Path

from msa_lit.book.claims.verdict import ADDED, IDS
from msa_lit.papers.equations import EQUATIONS

ROOT = Path(__file__).parents[1]


def told(name):
    cells = json.loads((ROOT / "nbs" / f"{name}.ipynb").read_text(encoding="utf8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def test_every_erratum_of_our_reading_is_told(papers):
    text = (papers / "errata.md").read_text(encoding="utf8")
    noted = re.findall(r"^### (\w+-E\d+) ", text, re.M)
    page = told("75_errata")
    assert len(noted) > 50 and not [i for i in noted if not re.search(rf"\b{i}\b", page)]
    headed = re.findall(r"^### (\w+-E\d+) \([^)]*\) eqs? (\d+)\b", text, re.M)
    for name, heading in headed:  # a heading that names an equation: the equation names it back
        assert name in EQUATIONS[f"{name.partition('-')[0]}-{heading}"].errata, (name, heading)


def test_every_claim_of_our_reading_is_judged(papers):
    listed = re.findall(r"^\| ([UMFS]\d+) \|", (papers / "claims.md").read_text(), flags=re.M)
    assert listed == [i for i in IDS if i not in ADDED]


def test_nothing_names_a_place_outside_the_repository():
    folders = ("nbs", "msa_lit", "tests", "results")
    files = [p for folder in folders for p in (ROOT / folder).rglob("*")
             if p.suffix in (".py", ".ipynb", ".csv", ".json", ".md", ".toml")]
    files += [ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile",
                                 "data/README.md", "setup.py", "settings.ini", "pyproject.toml")]
    place = re.compile(r"\.\./" + r"shared\b|[\"'/]shared/(data|papers)")
    found = [(p.relative_to(ROOT).as_posix(), m[0]) for p in files
             for m in [place.search(p.read_text(encoding="utf8", errors="replace"))] if m]
    assert not found
