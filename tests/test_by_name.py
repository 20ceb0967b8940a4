"Every method runs by name: on word-aligned frames, by the command line, on real recordings."
import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest

from msa_lit.base.catalogue import names
from msa_lit.book.real import mmmo, mosi
from msa_lit.cli import program
from msa_lit.simulate.world import simulate
from msa_lit.train.examination import asks_subsets
from msa_lit.train.runs import fit, load_run, options_of

NAMES = names("method")
REAL = {"mosi": mosi, "mmmo": mmmo}


def quick(name):
    "Options for one short epoch, as far as a method reads them."
    return {k: v for k, v in dict(epochs=1, batch_size=8, b=1).items() if k in options_of(name)}


def check(run, clips):
    guess = run.predictions[run.predictions.split == "test"].multimodal
    assert len(guess) == clips and np.isfinite(guess).all() and guess.std() > 0


@pytest.fixture(scope="module")
def aligned():
    return simulate(n=(24, 10, 10), seed=3, aligned=True)


def test_the_corpus_is_aligned(aligned):
    for split in aligned.splits.values():
        words = [len(text.split()) for text in split.text]
        assert all(list(split.sequences[m].lengths) == words for m in ("audio", "vision"))


@pytest.mark.parametrize("name", NAMES)
def test_word_aligned_frames(name, aligned):
    check(fit(name, aligned, seed=1, progress=False, **quick(name)), 10)


@pytest.mark.parametrize("name", NAMES)
def test_command_line(name, tmp_path):
    words = ["fit", name, "--n", "24,10,10", "--out", tmp_path / "run", "--quiet"]
    for option, value in quick(name).items():
        words += [f"--{option}", value]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert program.main([str(w) for w in words]) == 0
    run = load_run(tmp_path / "run")
    assert run.method == name and "MAE" in out.getvalue()
    check(run, 10)


@pytest.fixture(scope="module", params=REAL)
def real(request):
    "The first clips of every fold of a real corpus."
    try:
        corpus = REAL[request.param]()
    except OSError as error:
        pytest.skip(str(error))
    few = {k: s.take(range(min(len(s), 24))) for k, s in corpus.splits.items()}
    return replace(corpus, splits=few)


@pytest.mark.parametrize("name", NAMES)
def test_real_recordings(name, real):
    allowed = asks_subsets(name)["+".join(real.modalities)]
    if allowed == "works":
        return check(fit(name, real, seed=1, progress=False, **quick(name)), 24)
    with pytest.raises(ValueError) as refusal:
        fit(name, real, seed=1, progress=False, **quick(name))
    assert str(refusal.value) == allowed
