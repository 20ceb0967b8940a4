"""JupyterLab in a browser: the index and one chapter of each part are opened and run there; no
cell fails, every formula and picture is drawn. A few chapters by default, all with `make lab-test`.
"""
import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from browser import browser, chromium

ROOT = Path(__file__).parents[1]
FEW = ("index", "02_simulate.sentences", "20_ugf.uncertainty", "75_errata")
MORE = ("10_selfmm.ulgm", "30_spil.covariance", "41_mug.mucn", "50_mfon.prompt",
        "60_baselines.tfn", "85_book.mosi_ta", "96_bench")
SETTINGS = {"apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            "notebook-extension/tracker": {"windowingMode": "none"}}  # every cell is in the page
BOOK = "[...jupyterapp.shell.widgets('main')].find(w => w.content && w.content.model)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "A server on a free port, over a copy of the book, with no settings of the reader's."
    if find_spec("jupyterlab") is None: pytest.skip("no JupyterLab here: make install")
    chromium()  # skips where there is none
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "nbs", home / "book" / "nbs")
    for name in ("results", "README.md", "CHANGELOG.md", "data", "tests", "msa_lit", "Makefile"):
        (home / "book" / name).symlink_to(ROOT / name)
    for name, kept in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(kept))
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime",
               "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "spaces"}
    shown = {**os.environ, **{k: str(home / v) for k, v in folders.items()}, "IN_TEST": "1",
             "PYTHONPATH": str(ROOT), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", "--allow-root",
               f"--ServerApp.root_dir={home / 'book'}", "--LabApp.expose_app_in_browser=True"]
    with open(home / "said.txt", "w") as said:
        server = subprocess.Popen(command, cwd=home / "book", env=shown, stdout=said, stderr=said)
        try: yield (*address(home, server), home / "book" / "nbs")
        finally:
            server.terminate()  # its kernels end with it
            server.wait(30)


def address(home, server):
    "Where the server listens, from the file that it writes: (url, token)."
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        for note in (home / "runtime").glob("jpserver-*.json"):
            try: about = json.loads(note.read_text())
            except ValueError: continue
            return about["url"].rstrip("/"), about["token"]
        time.sleep(0.2)
    raise AssertionError("no server:\n" + (home / "said.txt").read_text()[-2000:])


@pytest.fixture(scope="module")
def tab(lab):
    with browser() as tab: yield tab


def run_all(tab, lab, name):
    "Open a notebook, run all its cells, close its kernel; cells as JupyterLab holds them."
    url, token, _ = lab
    tab.open(f"{url}/lab/tree/nbs/{name}.ipynb?reset&token={token}", seconds=180,
             wait="window.jupyterapp && !!document.querySelector('.jp-Notebook')")
    tab.wait(f"(window.book = {BOOK}) && book.context.sessionContext.session"
             "?.kernel?.status === 'idle'", 180)
    # what was saved must not pass for new
    tab.evaluate("jupyterapp.shell.activateById(book.id), jupyterapp.commands.execute("
                 "'notebook:clear-all-cell-outputs').then(() => 0)")
    tab.evaluate("window.ended = null, jupyterapp.commands.execute('notebook:run-all-cells')"
                 ".then(fine => {window.ended = [fine]}, e => {window.ended = [String(e)]}), 0")
    tab.wait("window.ended !== null", 300)
    cells = json.loads(tab.evaluate("JSON.stringify(book.content.model.toJSON().cells)"))
    return tab.evaluate("window.ended[0]"), cells


def undrawn(tab):
    "Formulas with an error or left as text, and pictures that show nothing."
    tab.wait("!document.querySelector('.jp-Notebook .MathJax_Preview')", 60)
    return tab.evaluate("""(() => {
        const book = document.querySelector('.jp-Notebook'), found = [];
        book.querySelectorAll('mjx-merror, .MathJax_Error').forEach(e => found.push(e.innerText));
        book.querySelectorAll('.jp-RenderedMarkdown').forEach(m => {
            const walk = document.createTreeWalker(m, NodeFilter.SHOW_TEXT);
            while (walk.nextNode()) {
                const text = walk.currentNode;
                if (text.data.includes('$$') && !text.parentElement.closest('code, pre'))
                    found.push(text.data.slice(0, 80)); }});
        book.querySelectorAll('img').forEach(i => {
            if (!i.complete || !i.naturalWidth) found.push('picture ' + i.alt); });
        return found; })()""")


def check_page(tab, lab, name):
    fine, cells = run_all(tab, lab, name)
    code = [c for c in cells if c["cell_type"] == "code" and "".join(c["source"]).strip()]
    bad = [(c["id"], o["ename"], o["evalue"][:300]) for c in code for o in c["outputs"]
           if o["output_type"] == "error"]
    assert fine is True and not bad, (fine, bad)
    assert code and all(c["execution_count"] for c in code)
    assert not undrawn(tab)
    formulas = any("$$" in "".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    assert not formulas or tab.evaluate("!!document.querySelector('.jp-Notebook mjx-container')")
    pictures = sum("image/png" in o.get("data", {}) for c in code for o in c["outputs"])
    assert tab.evaluate("document.querySelectorAll('.jp-OutputArea img').length") >= pictures
    tab.evaluate("book.context.sessionContext.shutdown().then(() => 0)")


@pytest.mark.parametrize("name", FEW)
def test_a_chapter_runs_in_jupyterlab(tab, lab, name): check_page(tab, lab, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_other_chapters_run_in_jupyterlab(tab, lab, name): check_page(tab, lab, name)


def test_a_failing_cell_is_seen(tab, lab):
    "What must fail fails: a chapter with an error and half a formula."
    cells = [{"cell_type": "markdown", "id": "f", "metadata": {}, "source": "$$\\frac{1$$"},
             {"cell_type": "code", "id": "e", "metadata": {}, "outputs": [],
              "execution_count": None, "source": "1 / 0"}]
    book = {"cells": cells, "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "python3"}}}
    (lab[2] / "wrong.ipynb").write_text(json.dumps(book))
    fine, ran = run_all(tab, lab, "wrong")
    assert fine is False and ran[1]["outputs"][0]["ename"] == "ZeroDivisionError"
    assert undrawn(tab)
