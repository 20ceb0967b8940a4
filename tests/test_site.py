"The book as pages: every link leads somewhere, nothing comes from outside, narrow screens fit."
import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser import browser

ROOT = Path(__file__).parents[1]
NBS = ROOT / "nbs"
PAGES = ("index.html", "20_ugf.uncertainty.html", "75_errata.html", "79_book.claims.verdict.html",
         "77_book.pictures.html", "00_papers.equations.html", "22_ugf.masking.html",
         "paper_ugf.html", "paper_spil.html", "board.html", "report.html")

# what ends beyond the screen and stands in nothing that scrolls
OUTSIDE = """[...document.querySelectorAll('article :is(table, img, svg, pre, p, span.math)')]
    .filter(e => e.getBoundingClientRect().width
                 && e.getBoundingClientRect().right > innerWidth + 2)
    .filter(e => { for (let p = e; p && p.tagName != 'ARTICLE'; p = p.parentElement)
        if (['auto', 'scroll'].includes(getComputedStyle(p).overflowX)) return false;
        return true; }).map(e => e.outerHTML.slice(0, 80))"""


def markdown(path):
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def test_links_of_the_notebooks_lead_somewhere():
    dead = [(path.name, target) for path in sorted(NBS.glob("*.ipynb"))
            for target in re.findall(r"\]\((?!https?://|mailto:|#)([^)\s#\"]+)", markdown(path))
            if "\\" not in target and not (NBS / unquote(target)).exists()]
    assert not dead


def test_every_page_says_what_comes_before_and_behind(capsys):
    from msa_lit.book.contents import write_ways
    assert write_ways([str(NBS), "--check"]) == 0, capsys.readouterr().out + "run make pages"


def test_no_clip_id_becomes_a_formula():
    "MathJax would take the dollars of clip$_$1 for a formula, in a table; not where text is shown."
    shown = [(path.name, cell["id"]) for path in sorted(NBS.glob("*.ipynb"))
             for cell in json.loads(path.read_text(encoding="utf8"))["cells"]
             for output in cell.get("outputs", ())
             if any("$_$" in "".join(output.get("data", {}).get(f"text/{kind}", ""))
                    for kind in ("html", "markdown"))]
    assert not shown, "end the cell with print(table.to_string())"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    "What `make book` has built, or else a site of our own."
    ready = ROOT / "build" / "book"
    if (ready / "index.html").exists() and "MSA_LIT_SITE" not in os.environ: return ready
    if find_spec("sphinx") is None or find_spec("furo") is None:
        pytest.skip("the site needs Sphinx: make book")
    from msa_lit.book.site import build_site
    out = tmp_path_factory.mktemp("site") / "book"
    assert build_site(ROOT, out) == []
    return out


@pytest.fixture(scope="module")
def documents(site):
    soup = pytest.importorskip("bs4").BeautifulSoup
    return {p.relative_to(site).as_posix(): soup(p.read_bytes(), "html.parser")
            for p in site.rglob("*.html")}


def test_links_of_the_site_lead_somewhere(site, documents):
    ids = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in documents.items()}
    dead = []
    for name, page in documents.items():
        for href in {a["href"] for a in page.find_all("a", href=True)}:
            if re.match(r"https?:|mailto:|data:", href): continue
            path, _, place = unquote(href).partition("#")
            target = (site / name).parent.joinpath(path).resolve() if path else site / name
            known = ids.get(target.relative_to(site.resolve()).as_posix()
                            if target.is_relative_to(site.resolve()) else name)
            if not target.exists() or place and known is not None and place not in known:
                dead.append((name, href))
    assert not dead and len(documents) > 100


def test_the_site_asks_for_nothing_from_outside(documents):
    asked = [(name, tag.get("src") or tag.get("href")) for name, page in documents.items()
             for tag in page.find_all(["script", "img", "link", "iframe"])
             if re.match(r"(https?:)?//", tag.get("src") or tag.get("href") or "")]
    assert not asked


def test_markdown_that_cells_show_is_read(documents):
    raw = [(name, p.get_text()[:60]) for name, page in documents.items() for p in page.find_all("p")
           if p.get_text().startswith("| ")]
    assert not raw, "a table that is still text"


def test_ids_are_links_with_a_meaning(documents):
    links = [a for a in documents["79_book.claims.verdict.html"].find_all("a", title=True)
             if a.get_text() == "U4"]
    assert links and all(a["href"].startswith("71_book.claims.ugf.html") and len(a["title"]) > 20
                         for a in links)
    errata = documents["75_errata.html"]
    assert errata.find(id="ugf-e1") and errata.find(id="spil-e1")


def test_a_page_per_paper_leads_to_everything(documents):
    from msa_lit.papers.equations import PAPERS
    for paper, kept in PAPERS.items():
        page = documents[f"paper_{paper.lower()}.html"].find("article")
        links = {a.get_text(): a["href"] for a in page.find_all("a", href=True)}
        for i in range(1, kept.equations + 1): assert links[f"{paper}-{i}"].endswith(".html")
        for i in range(1, kept.errata + 1):
            assert links[f"{paper}-E{i}"] == f"75_errata.html#{paper.lower()}-e{i}"
        assert len(page.find_all("table")) == 3  # equations, claims, printed numbers
    assert documents["20__ugf.html"].find("a", string="UGF, the paper")


def test_the_board_has_every_result_file(documents):
    text = documents["board.html"].find("article").get_text()
    for path in (ROOT / "results").glob("*/results.csv"):
        assert path.parent.name in text
        for method in {line.split(",")[3] for line in path.read_text().splitlines()[1:]}:
            assert method in text
    arenas = [path.parent.name for path in (ROOT / "results").glob("arenas/*/runs.csv")]
    assert arenas and all(f"Arena {name}" in text for name in arenas)


def test_the_report_opens_with_its_sentence(site, documents):
    assert documents["report.html"].find("iframe")["src"] == "a_report/report.html"
    assert documents["a_report/report.html"].find(class_="head").get_text()
    assert (site / "a_report" / "results.csv").exists()


@pytest.fixture(scope="module")
def tab():
    with browser() as tab: yield tab


@pytest.mark.parametrize("width", [390, 1366])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_the_screen_and_its_formulas_are_drawn(site, tab, page, width):
    tab.open((site / page).as_uri(), width)
    if tab.evaluate("document.querySelectorAll('.math').length"):
        tab.wait("document.querySelectorAll('mjx-container').length > 0")
        assert tab.evaluate("document.querySelectorAll('mjx-merror').length") == 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert not tab.evaluate(OUTSIDE), "wider than the page, and not to be scrolled"
    assert not tab.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth)"
                            ".map(i => i.src.slice(0, 80))")
    assert all(url.startswith(("file:", "data:", "about:", "chrome")) for url in tab.asked)


def test_search_finds_an_equation(site, tab):
    tab.open((site / "search.html").as_uri() + "?q=UGF-4",
             wait="[...document.querySelectorAll('#search-results li a')]"
                  ".some(a => a.getAttribute('href').includes('20_ugf.uncertainty'))")
