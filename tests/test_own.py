"Own data: five hundred random corpora and five hundred files come in with every value, or not."
import csv
import math
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msa_lit.data.arrays import from_arrays
from msa_lit.data.foreign import import_corpus
from msa_lit.data.soundness import CorpusError

NUMBERS = {
    "float64": st.floats(allow_nan=True, allow_infinity=True, width=64),
    "float32": st.floats(allow_nan=True, allow_infinity=True, width=32),
    "float16": st.floats(allow_nan=False, allow_infinity=False, width=16),
    "int64": st.integers(-2**40, 2**40),
    "uint8": st.integers(0, 255),
}
FOLDS = ("train", "valid", "test")


@st.composite
def corpora(draw):
    "Clips as plain lists, in one of the three forms, with what a reader may be told."
    n, width = draw(st.integers(3, 6)), draw(st.integers(1, 3))
    kind, form = draw(st.sampled_from(sorted(NUMBERS))), draw(st.sampled_from(("list", "block")))
    tame = draw(st.booleans())  # half of the corpora hold nothing that must be refused
    number = st.integers(-99, 99).map(lambda k: k / 4) if tame and kind[0] == "f" else NUMBERS[kind]
    if tame and kind == "int64": number = st.integers(-999, 999)
    clips = [[[draw(number) for _ in range(width)] for _ in range(draw(st.integers(1, 4)))]
             for _ in range(n)]
    labels = [draw(st.integers(-30, 30)) / 10 for _ in range(n)]
    order = draw(st.permutations([*FOLDS, *draw(st.lists(st.sampled_from(FOLDS), min_size=n - 3,
                                                         max_size=n - 3))]))
    return clips, labels, list(order), np.dtype(kind), form


def as_given(clips, dtype, form):
    "The same clips as somebody would hand them over: arrays, or a padded block with lengths."
    arrays = [np.array(c, dtype) for c in clips]
    if form == "list": return arrays, {}
    block = np.zeros((len(clips), max(map(len, clips)), arrays[0].shape[1]), dtype)
    for row, clip in zip(block, arrays, strict=True): row[:len(clip)] = clip
    return block, {"lengths": {"audio": [len(c) for c in clips]}}


def must_be_refused(x):
    "By hand: no number, or one that the nearest float32 misses by more than a rounding."
    if not math.isfinite(x): return True
    with np.errstate(over="ignore", under="ignore"): near = float(np.float32(x))
    if isinstance(x, int): return near != x
    return not abs(near - x) <= abs(x) * 2.0**-24


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(corpora())
def test_random_corpora_come_in_whole_or_not_at_all(made):
    clips, labels, split, dtype, form = made
    audio, more = as_given(clips, dtype, form)
    flat = [x for c in clips for frame in c for x in frame]
    text = [f"clip {i}" for i in range(len(clips))]
    try: corpus = from_arrays(labels, audio=audio, text=text, split=split, scheme="mosi", **more)
    except CorpusError as error:
        assert any(map(must_be_refused, flat)), str(error)
        return
    assert not any(map(must_be_refused, flat)), "a value was changed in silence"
    assert_whole(corpus, clips, labels, split, text)


def assert_whole(corpus, clips, labels, split, text):
    "Every word, label and frame is what was given, to the nearest float32."
    for fold in FOLDS:
        rows, got = [i for i, f in enumerate(split) if f == fold], corpus.splits[fold]
        if text is not None: assert got.text == tuple(text[i] for i in rows)
        assert got.labels["multimodal"].tolist() == [float(np.float32(labels[i])) for i in rows]
        for k, i in enumerate(rows):
            wanted = [[float(np.float32(x)) for x in frame] for frame in clips[i]]
            assert got.sequences["audio"][k].tolist() == wanted, (fold, i)


def test_the_check_itself_sees_a_changed_value(monkeypatch):
    from msa_lit.data import arrays
    small = ([[[1e-44]], [[0.0]], [[1.0]]], [0.0] * 3, list(FOLDS), np.dtype("float64"), "list")
    check = test_random_corpora_come_in_whole_or_not_at_all.hypothesis.inner_test
    check(made=small)  # refused: float32 holds 9.8e-45
    monkeypatch.setattr(arrays, "check_kept", lambda *_: None)
    with pytest.raises(AssertionError, match="in silence"): check(made=small)


def write_npz(place, clips, labels, split, dtype):
    arrays = {}
    for fold in FOLDS:
        rows = [i for i, f in enumerate(split) if f == fold]
        block, more = as_given([clips[i] for i in rows], dtype, "block")
        arrays |= {f"audio_{fold}": block, f"y_{fold}": np.array([labels[i] for i in rows]),
                   f"audio_lengths_{fold}": np.array(more["lengths"]["audio"]),
                   f"text_{fold}": np.array([f"clip {i}" for i in rows]),
                   f"id_{fold}": np.array([f"c{i}" for i in rows])}
    np.savez(place / "mine.npz", **arrays)
    return place / "mine.npz"


def write_tables(place, clips, labels, split, dtype):
    def table(name, rows):
        with open(place / name, "w", newline="", encoding="utf8") as file:
            csv.writer(file).writerows(rows)
    table("clips.csv", [("id", "text", "label", "split"), *(
        (f"c{i}", f"clip {i}", labels[i], split[i]) for i in range(len(clips)))])
    width = len(clips[0][0])
    table("audio.csv", [("clip", *(f"x{k}" for k in range(width))), *(
        (f"c{i}", *map(repr, np.array(frame, dtype).tolist()))
        for i, clip in enumerate(clips) for frame in clip)])
    return place


def write_mult(place, clips, labels, split, dtype):
    content = {}
    for fold in FOLDS:
        rows = [i for i, f in enumerate(split) if f == fold]
        block, _ = as_given([clips[i] for i in rows], dtype, "block")
        y = np.array([labels[i] for i in rows])
        content[fold] = {"audio": block, "labels": y[:, None, None],
                         "id": np.array([[f"c{i}", "0", "1"] for i in rows])}
    with open(place / "mult.pkl", "wb") as file: pickle.dump(content, file, protocol=4)
    return place / "mult.pkl"


def write_mag(place, clips, labels, split, dtype):
    def clip(i):
        voice = np.array(clips[i], dtype)
        words = [f"w{k}" for k in range(len(voice))]
        return (words, np.ones((len(voice), 1)), voice), np.array([[labels[i]]]), f"v[{i}]"
    content = {f: [clip(i) for i, g in enumerate(split) if g == f] for f in FOLDS}
    with open(place / "mag.pkl", "wb") as file: pickle.dump(content, file, protocol=4)
    return place / "mag.pkl"


WRITERS = {"npz": write_npz, "tables": write_tables, "mult": write_mult, "mag": write_mag}
PADDED = ("mult",)  # no lengths in it: frames of zeros at an end are padding there


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(corpora(), st.sampled_from(sorted(WRITERS)))
def test_random_files_come_in_whole_or_not_at_all(made, kind):
    clips, labels, split, dtype, _ = made
    if kind in PADDED and not all(any(frame) for c in clips for frame in c): return
    flat = [x for c in clips for frame in c for x in frame]
    text = {"npz": "clip {}", "tables": "clip {}"}.get(kind)
    with tempfile.TemporaryDirectory() as place:
        path = WRITERS[kind](Path(place), clips, labels, split, dtype)
        try: corpus = import_corpus(path, scheme="mosi")
        except CorpusError as error:
            assert any(map(must_be_refused, flat)), (kind, str(error))
            return
    assert not any(map(must_be_refused, flat)), "a value was changed in silence"
    assert_whole(corpus, clips, labels, split,
                 None if text is None else [text.format(i) for i in range(len(clips))])


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_the_check_of_files_sees_a_changed_value(monkeypatch, kind):
    from msa_lit.data import arrays
    small = ([[[1e-44]], [[2.0]], [[1.0]]], [0.0] * 3, list(FOLDS), np.dtype("float64"), "list")
    check = test_random_files_come_in_whole_or_not_at_all.hypothesis.inner_test
    check(made=small, kind=kind)  # refused
    monkeypatch.setattr(arrays, "check_kept", lambda *_: None)
    with pytest.raises(AssertionError, match="in silence"): check(made=small, kind=kind)
