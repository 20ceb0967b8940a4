"The report in a browser: wide and narrow, light and dark; its links, its marks, foreign names."
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from browser import browser

from msa_lit.simulate.world import simulate
from msa_lit.train.comparison import compare, read_results
from msa_lit.train.report import write_report

RESULTS = Path(__file__).parents[1] / "results"
NASTY = "<img src=x onerror=alert(1)>\"'&amp;"
LUMINANCE = """(text => {const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3)
    .map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("comparison")
    corpus = simulate((64, 32, 32), seed=1)
    compare(["late_fusion", "self_mm", "tfn"], corpus, [1, 2], place, epochs=3, batch_size=8,
            progress=False)
    write_report(place)
    return place


@pytest.fixture(scope="module")
def tab():
    with browser() as tab: yield tab


def contrast(tab, text, behind):
    "Of two colours, as WCAG counts it."
    a, b = sorted(tab.evaluate(f"{LUMINANCE}({c})") for c in (text, behind))
    return (b + 0.05) / (a + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1366])
def test_a_report_reads_well(folder, tab, width, scheme):
    dark = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.call("Emulation.setEmulatedMedia", features=dark)
    tab.open((folder / "report.html").as_uri(), width)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    first = tab.evaluate("document.querySelector('.outcome .head').getBoundingClientRect().bottom")
    assert first < 400  # the sentence stands on the first screen
    page = "getComputedStyle(document.body).backgroundColor"
    assert (tab.evaluate(f"{LUMINANCE}({page})") < 0.1) == (scheme == "dark")
    for part in ("p.head", "td", "td.best", "figcaption", "a", "tr.line td"):
        style = f"getComputedStyle(document.querySelector('{part}'))"
        behind = page if part != "td.best" else f"{style}.backgroundColor"
        assert contrast(tab, f"{style}.color", behind) >= 4.5, part
    letters = "getComputedStyle(document.querySelector('figure svg text')).fill"
    assert contrast(tab, letters, page) >= 4.5
    small = tab.evaluate("Math.min(...[...document.querySelectorAll('svg text')]"
                         ".map(t => t.getBoundingClientRect().height).filter(s => s > 0))")
    assert small >= 9, f"lines of {small} pixels"
    assert all(url.startswith(("file:", "data:", "about:", "chrome")) for url in tab.asked)


def test_the_best_is_marked(folder, tab):
    tab.open((folder / "report.html").as_uri())
    columns = tab.evaluate("[...document.querySelectorAll('thead')[0].querySelectorAll('th')]"
                           ".map(t => t.innerText)")
    k = columns.index("mae")
    marked = tab.evaluate("[...document.querySelectorAll('tbody')[0].rows].filter("
                          f"r => r.cells[{k}].className == 'best' && "  # and nobody needs colours
                          f"r.cells[{k}].innerText.startsWith('★')).map(r => r.cells[0].innerText)")
    rows = read_results(folder).query("split == 'test' and metric == 'mae' and head == 'multimodal'"
                                      " and method != 'constant'")
    assert marked == [rows.groupby("method").value.mean().idxmin()]
    ends = tab.evaluate("[...document.querySelectorAll('tbody')[0].rows].map("
                        "r => r.cells[0].innerText)")
    assert ends[-2:] == ["constant", "best possible"]
    assert re.search(r"nobody can go below 0\.\d+", tab.evaluate("document.body.innerText"))


def test_every_link_leads_somewhere(folder, tab):
    tab.open((folder / "report.html").as_uri())
    links = tab.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    inside = [link[1:] for link in links if link.startswith("#")]
    assert len(inside) >= 3 and all(tab.evaluate(f"!!document.getElementById({name!r})")
                                    for name in inside)
    outside = {link for link in links if not link.startswith("#")}
    assert {"results.csv", "tfn/2/run.json"} <= outside
    assert all((folder / link).is_file() for link in outside)


def test_foreign_names_stay_names(tmp_path, tab):
    corpus = replace(simulate((32, 16, 16), seed=1), name=NASTY)
    compare(["late_fusion"], corpus, [1], tmp_path, epochs=1, batch_size=8, progress=False)
    tab.open(write_report(tmp_path, more=[(NASTY, "<p>mine</p>")]).as_uri())
    assert tab.evaluate("document.querySelectorAll('img, script, [onerror]').length") == 0
    assert tab.evaluate("document.title") == f"Comparison on {NASTY}"
    assert tab.evaluate("document.body.innerText").count(NASTY) >= 3


@pytest.mark.parametrize("name, says", [
    ("mosi_ta", "`self_mm` is not told apart from the control `late_fusion`."),
    ("mosi_t", "Only `late_fusion` was trained.")])
def test_old_folders_still_make_a_report(name, says, tmp_path):
    place = shutil.copytree(RESULTS / name, tmp_path / name)
    text = re.sub("</?code>", "`", write_report(place).read_text())
    assert f'<p class="head">{says}</p>' in text and "The constant prediction has 1.4" in text


def test_tables_without_the_constant_still_make_a_report(tmp_path):
    place = shutil.copytree(RESULTS / "mosi_t", tmp_path / "t")
    table = pd.read_csv(place / "results.csv")
    table[table.method != "constant"].to_csv(place / "results.csv", index=False)
    text = write_report(place).read_text()
    assert "No row of the constant prediction was kept" in text
    assert "constant prediction has" not in text
