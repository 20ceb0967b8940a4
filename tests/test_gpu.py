"""Every cell that needs a GPU, run from first to last without one: the cells of the book as they
stand, on tiny files in the published layouts, with a toy BERT, T5 and mT5 of their own."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msa_lit.book.tables.gpu import (JOBS, cells_to_run, gpu_cells, lacks_here, read_cells,
                                     run_page, unknown_cells, with_lines)

NBS = Path(__file__).resolve().parents[1] / "nbs"
PAGES = gpu_cells(NBS)


def test_nothing_is_flagged_that_has_no_cost_and_no_rehearsal(tmp_path):
    assert unknown_cells(NBS) == []
    more = {"cells": [{"cell_type": "code", "id": "new", "source": ["#| gpu\n", "fit()"]}]}
    for page in PAGES: shutil.copy(NBS / f"{page}.ipynb", tmp_path)
    (tmp_path / "85_new.ipynb").write_text(json.dumps(more))
    assert unknown_cells(tmp_path) == ["85_new: new"]


@pytest.mark.parametrize("page", PAGES)
def test_the_line_before_each_cell_is_in_step(page):
    path = NBS / f"{page}.ipynb"
    assert json.loads(with_lines(path)) == json.loads(path.read_text(encoding="utf8")), (
        "behind: python -m msa_lit.book.tables.gpu --lines")


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    from toys import write_corpora, write_networks
    folder = tmp_path_factory.mktemp("toys")
    write_corpora(folder / "data")
    write_networks(folder / "models")
    return folder


@pytest.fixture
def machine(toys, tmp_path, monkeypatch):
    "A machine that has everything but a GPU."
    for name, place in (("DATA", toys / "data"), ("MODELS", toys / "models"),
                        ("RESULTS", tmp_path)):
        monkeypatch.setenv(f"MSA_LIT_{name}", str(place))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_rehearsal(page, machine, toys):
    from toys import SHORT
    seeds = 1 if page == "84_book.tables.ablations" else 2  # in place of five; 88 rows are enough
    chosen = SHORT.replace("[1111, 1112]", str([1111, 1112][:seeds]))
    (toys / "data" / "full.toml").write_text(chosen)
    jobs = [job for name in PAGES[page] for job in JOBS[page, name]()]
    assert lacks_here(jobs, cpu=True) == []
    ran = run_page(NBS / f"{page}.ipynb", write=False)
    assert set(PAGES[page]) <= set(ran)
    kept = [json.loads(p.read_text()) for p in machine.glob("tables/**/run.json")]
    if page == "80_book.tables.search":
        assert len([*machine.glob("search/*/*.journal")]) == len({(j.dataset, j.method)
                                                                  for j in jobs})
        return
    assert len(kept) == sum(j.runs for j in jobs) // 5 * seeds
    asked = {j.options["text"] for j in jobs}
    assert {r["options"]["model"]["text"] for r in kept} == asked
    widths = {tuple(r["spec"]["widths"].values()) for r in kept if len(r["spec"]["widths"]) == 2}
    assert widths <= {(5, 20), (74, 35), (33, 709)} and widths


def test_rehearsed_code_is_what_users_run():
    "Nothing is copied: the flagged cells of a page are among those that the runner executes."
    for page, names in PAGES.items():
        cells = read_cells(NBS / f"{page}.ipynb")
        assert set(names) <= set(cells_to_run(cells))


def said_by_program(*words, **settings):
    command = [sys.executable, "-m", "msa_lit.book.tables.gpu", str(NBS), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | settings)
    return done.returncode, done.stdout + done.stderr[-3000:]


def test_a_machine_without_anything_is_told_what_it_lacks(tmp_path):
    code, said = said_by_program(MSA_LIT_DATA=str(tmp_path), MSA_LIT_MODELS=str(tmp_path),
                                 HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")
    assert code == 1 and "- GPU: torch sees none" in said
    for wanted in ("MOSI", "MOSEI", "SIMS"):
        assert f"nothing is at {tmp_path / wanted}" in said
    for wanted in ("bert-base-uncased", "bert-base-chinese", "google/mt5-base"):
        assert f"at {tmp_path}/{wanted}" in said


def test_the_command_begins_with_a_short_run_and_ends_with_a_table(machine, toys):
    from toys import SHORT
    (toys / "data" / "full.toml").write_text(SHORT)
    code, said = said_by_program("--only", "83", "--cpu", "--dry")
    assert code == 0, said
    assert said.startswith("one epoch of late_fusion on SIMS: ")
    assert "45 runs in 1 pages" in said and "sims_bert" in said.splitlines()[-2] + said
    again = said_by_program("--only", "83", "--cpu", "--dry")[1]
    assert "83_book.sims: done" in again  # everything is read back
