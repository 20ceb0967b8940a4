"""Column cards and the doctor on real files (MSA_LIT_DATA); skipped, with a word, without them."""
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msa_lit import import_corpus
from msa_lit.data.cards import RELEASES, card, known_columns, weigh_columns
from msa_lit.data.corpus import Ragged
from msa_lit.data.doctor import examine

DATA = Path(os.environ.get("MSA_LIT_DATA", "nowhere"))


def needs(path):
    if not (DATA / path).exists(): pytest.skip(f"no {path} in MSA_LIT_DATA")
    return DATA / path


def named(report):
    "modality -> what the doctor says of its columns"
    return {o.field: o.what for o in report.findings if "the values are those of" in o.what}


def rows_of(values): return Ragged(values, np.array([0, len(values)]))


def voice():
    "[R, 74] MMMO's words"
    packed = np.load(needs("mmmo/mmmo.npz"))
    folds = [packed[f"audio_{s}"].reshape(-1, 74) for s in ("train", "valid", "test")]
    rows = np.concatenate(folds)
    return rows[np.abs(rows).sum(1) > 0]


def film():
    return import_corpus(needs("mmmo/mmmo.npz"), neutral=3, modalities="audio,vision",
                         scheme="mosi")


def test_mosi():
    said = named(examine(needs("mosi/label.csv").parent))
    assert list(said) == ["audio"]
    assert said["audio"].startswith("the values are those of covarep73 (COVAREP): F0, VUV, NAQ")


def test_mmmo_from_the_corpus_and_from_its_store(tmp_path):
    from msa_lit.data.store import write_store
    corpus = film()
    write_store(corpus, tmp_path / "store")
    for what in (corpus, tmp_path / "store"):
        said = named(examine(what))
        assert sorted(said) == ["audio", "vision"], what
        assert "those of covarep74 (COVAREP)" in said["audio"]
        assert "those of facet36 (Facet): before_facet, Anger" in said["vision"]


@pytest.mark.parametrize("name", ["sims.csv", "simsv2.csv"])
def test_sims_has_words_and_nothing_to_name(name):
    chinese = import_corpus(needs(f"sims_text/{name}"), text="text_zh", scheme="sims")
    assert named(examine(chinese)) == {} and examine(chinese).ok


@pytest.mark.parametrize("kind", ["clips of MOSI", "words of MMMO"])
def test_both_readings_of_the_five_from_real_columns(kind):
    "MOSI's picks, cut out of real columns the one way and the other, are told apart."
    rows = np.load(needs("mosi/audio_functionals.npy")) if "MOSI" in kind else voice()
    picks = np.array([1, 3, 6, 25, 60])  # as published
    for name, places in (("mosi5_from0", picks), ("mosi5_from1", picks - 1)):
        assert card(name).name.tolist() == card("covarep74").name[places].tolist()
        assert weigh_columns(rows_of(rows[:, places]), "audio").card == name


def test_what_is_not_claimed():
    rows = np.load(needs("mosi/audio_functionals.npy"))
    for spoiled in (rows[:, 1:], rows[:, ::-1], np.roll(rows, 1, axis=1),
                    (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-6)):
        assert known_columns(rows_of(np.ascontiguousarray(spoiled)), "audio") == ""
    split = film().splits["train"]
    face = split.sequences["vision"]
    turned = replace(split, sequences={"vision": Ragged(face.values[:, ::-1].copy(), face.offsets)})
    assert known_columns(turned.sequences["vision"], "vision") == ""


def test_no_file_here_is_a_release_it_is_not():
    from msa_lit.data.cards import release_of
    for path in (needs("mmmo/mmmo.npz"), needs("mosi/label.csv")):
        assert release_of(path) == "" and RELEASES
