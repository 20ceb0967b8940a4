"""Files made to hurt, and disks that are full: refused in words, nothing executed, nothing left
behind."""

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from msa_lit.data.corpus import example_corpus
from msa_lit.data.layouts import write_mmsa
from msa_lit.data.pickles import load_pickle
from msa_lit.data.readers import convert
from msa_lit.train.runs import fit, load_corpus
from msa_lit.data.store import open_store, write_store

ROOT = Path(__file__).parents[1]
NAME = "<script>alert(1)</script> $\\href{javascript:alert(2)}{x}$"


def child(code, *args):
    "Run a program that may die."
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=env)


READ = """import sys
from msa_lit.data.readers import read_corpus
for path in sys.argv[1:]:
    try: read_corpus(path)
    except ValueError as error: print(len(str(error)) < 1000)"""
NESTED = {
    "key": b"}" + b"\x85" * 1_000_000 + b"Ns",
    "short key": b"}" + b"\x85" * 15_000 + b"Ns",
    "entry": b"N" + b"\x85" * 300_000,
    "lists": b"]" * 20_000 + b"a" * 19_999,
    "field": b"}U\x05train}U\x02idN" + b"\x85" * 15_000 + b"ss",
    "name": b"N" + b"\x85" * 15_000 + b"N\x93",
}


def test_nesting_ends_in_a_sentence(tmp_path):
    "The interpreter itself would die of a key nested a million deep."
    paths = [tmp_path / f"{name}.pkl" for name in NESTED]
    for path, body in zip(paths, NESTED.values(), strict=True):
        path.write_bytes(b"\x80\x02" + body + b".")
    done = child(READ, *paths)
    assert done.returncode == 0 and done.stdout.split() == ["True"] * len(paths), done.stderr[-500:]


START = (
    b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x00\x85"
)
SMALL = {
    "a wide type": START + b"cnumpy\ndtype\nU\x09U86000000K\x00K\x01\x87R\x89U\x00tb",
    "the same twice": b"N" + b"".join(b"q%c0(h%ch%cl" % (i, i, i) for i in range(60)),
    "bytes that are not there": b"\x8e" + (2**40).to_bytes(8, "little"),
    "a frame that is not there": b"\x95" + (2**62).to_bytes(8, "little"),
}


@pytest.mark.parametrize("name", SMALL)
def test_few_bytes_cost_little(tmp_path, name):
    "A file of a few hundred bytes may not take megabytes."
    (tmp_path / "c.pkl").write_bytes(b"\x80\x04" + SMALL[name] + b".")
    tracemalloc.start()
    with pytest.raises(ValueError, match="c.pkl"):
        load_pickle(tmp_path / "c.pkl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


def test_time_grows_with_the_file(tmp_path):
    "Keys that collide and references to one long text stay linear."
    prime = 2**61 - 1
    keys = b"".join(b"N" + b"p%d\n0" % (prime * i) for i in range(30_000))
    text = b"X" + (300_000).to_bytes(4, "little") + b"x" * 300_000 + b"q\x000"
    calls = text + b"c_codecs\nencode\nq\x010" + b"h\x01h\x00\x85R" * 40_000
    for body in (keys, calls):
        (tmp_path / "c.pkl").write_bytes(b"\x80\x02" + body + b".")
        began = time.perf_counter()
        with pytest.raises(ValueError, match="c.pkl"):
            load_pickle(tmp_path / "c.pkl")
        assert time.perf_counter() - began < 3


def test_honest_files_are_not_refused(tmp_path):
    "Many small things, shared strings, every protocol: far within the budget."
    n = 300
    content = {
        "id": [f"v{i}" for i in range(n)],
        "annotations": ["Positive"] * n,
        "pairs": [(i, -i) for i in range(n)],
        "nested": [[[float(i)] for i in range(5)] for _ in range(n)],
        "flags": [True, None] * n,
        "": {},
    }
    for protocol in range(6):
        (tmp_path / "c.pkl").write_bytes(pickle.dumps(content, protocol))
        assert load_pickle(tmp_path / "c.pkl") == content


def stored(folder, **changes):
    "A store whose manifest says something else."
    write_store(example_corpus(), folder)
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"splits": 3},
        {"splits": {}},
        {"splits": {"train": None}},
        {"files": []},
        {"files": {}},
        {"name": None},
        {"name": ""},
        {"scheme": []},
        {"scheme": "likert"},
        {"notes": "x"},
        {"version": 2},
        {"version": None},
        {"splits": {"../train": {"labels": [], "sequences": []}}},
        {"name": "a\x1b[31m"},
    ],
    ids=str,
)
def test_odd_manifests(tmp_path, changes):
    "Every field is looked at before it is used."
    with pytest.raises(ValueError, match="manifest.json"):
        open_store(stored(tmp_path / "s", **changes))


def test_names_stay_text_in_a_notebook(tmp_path):
    "The name of a corpus may be anything; a page shows it and does not run or typeset it."
    corpus = load_corpus(stored(tmp_path / "s", name=NAME))
    run = fit("late_fusion", corpus, 1, progress=False, epochs=1, batch_size=3)
    for thing in (corpus, run):
        shown = thing._repr_html_()
        assert "<script" not in shown and ("mathjax_ignore" in shown or shown.startswith("<code>"))


CONVERT = """import sys
from msa_lit.cli.program import main
sys.exit(main(["data", "convert", *sys.argv[1:]]))"""


@pytest.fixture
def small_disk(tmp_path):
    "A disk of 64 KB."
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    yield place
    subprocess.run(["umount", place], check=True)


def test_convert_onto_a_full_disk(tmp_path, small_disk):
    "A sentence and no leftovers, where a sparse file would end the process."
    from msa_lit.simulate.world import simulate

    write_mmsa(simulate(n=(60, 20, 20), seed=1), tmp_path / "c.pkl")
    done = child(CONVERT, tmp_path / "c.pkl", small_disk / "store")
    assert done.returncode == 2 and "no room" in done.stdout + done.stderr
    assert not list(small_disk.iterdir())


def test_convert_within_a_limit(tmp_path):
    "The same without root: no file may grow beyond 64 KB."
    from msa_lit.simulate.world import simulate

    write_mmsa(simulate(n=(60, 20, 20), seed=1), tmp_path / "c.pkl")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limit[1]))
    try:
        with pytest.raises(OSError, match="no room to write"):
            convert(tmp_path / "c.pkl", tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pkl"]
