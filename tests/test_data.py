"Corpora on disk: round trips, fault injection, nothing executed, nothing written over."
import hashlib
import os
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msa_lit.data.corpus import MODALITIES, Corpus, Ragged, Split, example_corpus, make_batch
from msa_lit.data.doctor import examine
from msa_lit.data.layouts import mmsa_fields, write_folder, write_mmsa
from msa_lit.data.pickles import load_pickle
from msa_lit.data.readers import convert, read_corpus
from msa_lit.data.soundness import CorpusError, check_corpus, differences
from msa_lit.data.store import open_store, write_store

MOSI = Path(os.environ.get("MSA_LIT_DATA", "data"), "mosi")
quick = settings(max_examples=30, deadline=None,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])


def tree(folder):
    "Every file below a folder with its checksum, to prove that nothing changed."
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(Path(folder).rglob("*")) if p.is_file()}


@pytest.fixture
def corpus():
    return example_corpus()


@pytest.fixture
def content(corpus):
    return {name: mmsa_fields(split) for name, split in corpus.splits.items()}


@pytest.fixture
def put(tmp_path):
    def write(content, name="corpus.pkl", **kw):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes)
                                      else pickle.dumps(content, **kw))
        return tmp_path / name
    return write


# ---------------------------------------------------------------- round trips

@st.composite
def corpora(draw):
    """Corpora with any subset of modalities, any lengths, awkward transcripts; no frame is zero,
    labels are 32-bit."""
    keep = draw(st.sets(st.sampled_from(MODALITIES), min_size=1))
    own = draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    words = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
    splits = {}
    for name in ("train", "valid", "test"):
        n = draw(st.integers(1, 4))
        def ragged(width, n=n):
            return Ragged.from_rows([rng.normal(size=(k, width)).astype(np.float32)
                                     for k in rng.integers(1, 6, n)])
        sequences = {m: ragged(w)
                     for m, w in (("text", 3), ("audio", 2), ("vision", 4)) if m in keep}
        if "text" in keep:
            sequences["text_bert"] = Ragged.from_rows(
                [np.arange(101, 101 + k) for k in sequences["text"].lengths])
        labels = {m: rng.uniform(-1, 1, n).astype(np.float32)
                  for m in ("multimodal", *(MODALITIES if own else ()))}
        splits[name] = Split(tuple(f"{name}-v$_${i:03}" for i in range(n)), (f"{name}-v",) * n,
                             labels, sequences,
                             tuple(draw(words) for _ in range(n)) if "text" in keep else None)
    return Corpus("any", "sims", splits)


@quick
@given(corpora())
def test_every_layout_brings_back_the_same_corpus(tmp_path_factory, corpus):
    here = tmp_path_factory.mktemp("layouts")
    write_mmsa(corpus, here / "corpus.pkl")
    write_folder(corpus, here / "folder")
    write_store(corpus, here / "store")
    for layout in ("corpus.pkl", "folder", "store"):
        got = read_corpus(here / layout, scheme="sims")
        assert differences(corpus, got) == [], layout
        assert got.fingerprint == corpus.fingerprint
    for layout in ("corpus.pkl", "folder"):
        assert differences(corpus, convert(here / layout, here / f"converted-{layout}",
                                           scheme="sims")) == []


@pytest.mark.parametrize("protocol", range(6))
def test_every_pickle_protocol(corpus, content, put, protocol):
    assert differences(corpus, read_corpus(put(content, protocol=protocol))) == []


def test_lists_objects_doubles_and_bytes(corpus, content, put):
    "Fields as lists, arrays of objects, 64-bit numbers and byte strings, as older files have them."
    odd = {}
    for name, fold in content.items():
        odd[name] = fold | {"raw_text": np.array(fold["raw_text"], object),
                            "id": [i.encode() for i in fold["id"]],
                            "audio": fold["audio"].astype(np.float64), "regression_labels":
                            fold["regression_labels"].astype(np.float64)[:, None].tolist(),
                            "text_bert": fold["text_bert"].astype(np.float32),
                            "vision": np.asfortranarray(fold["vision"])}
    assert differences(corpus, read_corpus(put(odd, protocol=2))) == []


def test_a_store_needs_no_memory(tmp_path, corpus):
    """Opening a store of 64 GiB (a sparse file) and taking a batch from its end takes less than
    64 MiB."""
    write_store(corpus, tmp_path / "store")
    program = """
import json, resource, sys
from pathlib import Path
import numpy as np
from msa_lit.data.corpus import make_batch
from msa_lit.data.store import open_store, sha256_of
store, frames = Path(sys.argv[1]), 1 << 28
path = store / "train.audio.values.npy"
values = np.lib.format.open_memmap(path, "w+", np.float32, (frames, 64))
values[-1] = 3
del values
np.save(store / "train.audio.offsets.npy", np.array([0, frames - 2, frames - 1, frames]))
m = json.loads((store / "manifest.json").read_text())
m["files"]["train.audio.values.npy"]["shape"] = [frames, 64]
m["files"]["train.audio.offsets.npy"]["sha256"] = sha256_of(store / "train.audio.offsets.npy")
(store / "manifest.json").write_text(json.dumps(m))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
split = open_store(store).splits["train"]
assert split.sequences["audio"].values.nbytes == 64 << 30
assert float(make_batch(split, [2]).inputs["audio"].values[0, 0, 0]) == 3
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < (64 << 20 if sys.platform == "darwin" else 64 << 10), grown
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "store")],
                   check=True, timeout=120)


def test_reading_a_pickle_does_not_load_it(tmp_path):
    """Converting a pickle whose padding is far larger than its content reserves no memory of
    that size."""
    program = """
import pickle, sys, tracemalloc
import numpy as np
from msa_lit.data.readers import convert
audio = np.zeros((64, 20_000, 16)); audio[:, :3] = 1.0  # 164 MB of padding, 24 KB of frames
same = {"regression_labels": np.zeros(64), "audio": audio, "audio_lengths": [3] * 64}
folds = {k: {"id": [f"{k}{i}$_$0" for i in range(64)], **same} for k in ("train", "valid", "test")}
with open(sys.argv[1] + "/big.pkl", "wb") as f: pickle.dump(folds, f, protocol=4)
del folds, same
del audio
tracemalloc.start()
corpus = convert(sys.argv[1] + "/big.pkl", sys.argv[1] + "/store")
assert tracemalloc.get_traced_memory()[1] < 64 << 20, tracemalloc.get_traced_memory()
assert corpus.splits["test"].sequences["audio"].values.shape == (192, 16)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=120)


# ---------------------------------------------------------------- nothing is executed

def make(path):
    os.mkdir(path)


class Runs:
    "Calls a function when unpickled."
    def __init__(self, function, *args): self.call = function, args
    def __reduce__(self): return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrap",
                         [lambda p: p, lambda p: {"train": p}, lambda p: {"train": {"audio": [p]}},
                          lambda p: {"train": np.array([p, p], object)}])
def test_payloads_do_not_run(put, tmp_path, protocol, wrap):
    mark = tmp_path / "ran"
    for payload in (Runs(os.mkdir, str(mark)), Runs(exec, f"import os; os.mkdir({str(mark)!r})"),
                    Runs(subprocess.check_call, ["mkdir", str(mark)]), Runs(make, str(mark))):
        with pytest.raises(ValueError, match="nothing was executed"):
            read_corpus(put(wrap(payload), protocol=protocol))
        report = examine(tmp_path / "corpus.pkl")
        assert not report.ok and "corpus.pkl" in str(report)
    assert not mark.exists()


@pytest.mark.parametrize("program", [
    b"(S'mkdir ran'\nios\nsystem\n.",                                                # INST
    b"(cos\nsystem\nS'mkdir ran'\no.",                                               # OBJ
    b"\x80\x02cos\nsystem\n)\x81.",                                                  # NEWOBJ
    b"\x80\x02cnumpy\nload\nU\x05x.npy\x85R.",  # a numpy function that is not in the table
    # BUILD on a function
    b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n}U\x0c__defaults__K\x07\x85sb.",
    b"\x80\x02cnumpy\ndtype\n}U\x04codeU\x01xsb.",  # BUILD on a class
    b"\x80\x02U\x02abK\x00\x85R.",  # REDUCE of a string
    # outside objects, extensions, buffers
    b"Pid\n.", b"\x80\x02K\x01Q.", b"\x80\x02\x82\x01.", b"\x80\x05\x97.",
])
def test_instructions_that_could_do_harm_are_unknown(put, tmp_path, program):
    from msa_lit.data import pickles
    before = (dict(vars(pickles.TypeStandIn)), pickles.scalar.__defaults__,
              pickles.from_buffer.__defaults__)
    with pytest.raises(ValueError, match="corpus.pkl"): load_pickle(put(program))
    assert before == (dict(vars(pickles.TypeStandIn)), pickles.scalar.__defaults__,
                      pickles.from_buffer.__defaults__)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["corpus.pkl"] and not Path("ran").exists()


@settings(max_examples=300, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_value_error(tmp_path_factory, data):
    """Bytes changed, removed or inserted anywhere: another value or a ValueError, never another
    error."""
    here = tmp_path_factory.getbasetemp() / "damage"
    here.mkdir(exist_ok=True)
    whole = pickle.dumps({k: mmsa_fields(s) for k, s in example_corpus().splits.items()},
                         protocol=data.draw(st.integers(0, 5)))
    at, n = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 4))
    (here / "x.pkl").write_bytes(whole[:at] + data.draw(st.binary(max_size=6)) + whole[at + n:])
    try: read_corpus(here / "x.pkl")
    except ValueError: pass
    examine(here / "x.pkl")
    assert [p.name for p in here.iterdir()] == ["x.pkl"]


@settings(max_examples=300, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.binary(min_size=1, max_size=60))
def test_random_bytes_are_a_value_error_or_a_value(tmp_path_factory, program):
    here = tmp_path_factory.getbasetemp() / "random"
    here.mkdir(exist_ok=True)
    (here / "x.pkl").write_bytes(program)
    try: load_pickle(here / "x.pkl")
    except ValueError: pass


def test_a_short_file_cannot_reserve_much_memory(put):
    for shape in ((1 << 40,), (1 << 20, 1 << 20), (-1,)):
        state = (1, shape, np.dtype("f8"), False, b"12345678")
        class Claim:
            def __reduce__(self, state=state):
                return np.ndarray.__reduce__(np.zeros(1))[0], (np.ndarray, (0,), b"b"), state
        with pytest.raises(ValueError): load_pickle(put({"audio": Claim()}))


def test_arrays_with_objects_are_refused(tmp_path, corpus):
    write_folder(corpus, tmp_path / "folder")
    (tmp_path / "folder" / "audio.npy").unlink()
    np.save(tmp_path / "folder" / "audio.npy",
            np.array([Runs(os.mkdir, str(tmp_path / "ran"))] * 6, object), allow_pickle=True)
    with pytest.raises(ValueError, match="audio"): read_corpus(tmp_path / "folder")
    assert not (tmp_path / "ran").exists()


# ---------------------------------------------------------------- bad input

def faulty(content, **fields):
    return {**content, "train": content["train"] | fields}


def nan_labels(c): return faulty(c, regression_labels=np.float32([0, np.nan, 1]))
def labels_out_of_range(c): return faulty(c, regression_labels=np.float32([0, 1, 3.01]))
def rows_differ(c): return faulty(c, audio=c["train"]["audio"][:2])
def transcripts_differ(c): return faulty(c, raw_text=c["train"]["raw_text"][:2])
def lengths_differ(c): return faulty(c, audio_lengths=[1, 2])
def lengths_beyond(c): return faulty(c, audio_lengths=[2, 4, 1])
def negative_length(c): return faulty(c, audio_lengths=[2, -1, 1])
def zero_length(c):
    return faulty(c, audio=c["train"]["audio"] * np.array([1, 0, 1])[:, None, None],
                  audio_lengths=[2, 0, 1])
def missing_split(c): return {k: v for k, v in c.items() if k != "valid"}
def empty_split(c): return {**c, "valid": {k: v[:0] for k, v in c["valid"].items()}}
def missing_labels(c):
    return {**c, "test": {k: v for k, v in c["test"].items() if k != "regression_labels"}}
def missing_ids(c): return {**c, "test": {k: v for k, v in c["test"].items() if k != "id"}}
def twice_in_a_fold(c): return faulty(c, id=["a$_$1", "a$_$1", "b$_$1"])
def twice_across_folds(c): return faulty(c, id=["a$_$1", "a$_$2", "d$_$1"])
def other_modalities(c):
    return {**c, "test": {k: v for k, v in c["test"].items() if not k.startswith("vision")}}
def other_width(c): return faulty(c, audio=np.ones((3, 4, 7)))
def numbers_as_ids(c): return faulty(c, id=[1.0, 2.5, 3.0])
def words_as_audio(c): return faulty(c, audio=[["a"]] * 3)
def mask_with_holes(c):
    return faulty(c, text_bert=c["train"]["text_bert"] * np.array([1, 0, 1, 1, 1, 1]))
def no_folds(c): return {"everything": c["train"]}
def a_list(c): return [c]


CASES = [(nan_labels, "train, label multimodal, row 1: NaN"),
         (labels_out_of_range, "train, label multimodal, row 2: 3.01 lies beyond"),
         (rows_differ, "train, audio: rows differ"),
         (transcripts_differ, "train, raw_text: rows differ"),
         (lengths_differ, "train, audio_lengths: rows differ"),
         (lengths_beyond, "train, audio_lengths, row 1: length 4"),
         (negative_length, "train, audio_lengths, row 1: length -1"),
         (zero_length, "train, audio, row 1: no frames"),
         (missing_split, "valid: the fold is missing"), (empty_split, "valid"),
         (missing_labels, "test, regression_labels: there are no labels"),
         (missing_ids, "test, id: there are no ids"),
         (twice_in_a_fold, "train, id, rows 0, 1"), (twice_across_folds, "test, id, row 0"),
         (other_modalities, "test, widths"), (other_width, "test, widths"),
         (numbers_as_ids, "train, id, row 0: a float is no string"),
         (words_as_audio, "train, audio: numbers are needed"),
         (mask_with_holes, "train, text_bert, rows 0, 1, 2"),
         (no_folds, "there is none of the folds"), (a_list, "not a dictionary of folds")]


@pytest.mark.parametrize("fault, words", CASES, ids=[f.__name__ for f, _ in CASES])
def test_bad_pickles_are_refused_with_their_place(content, put, tmp_path, fault, words):
    path = put(fault(content))
    before = tree(tmp_path)
    with pytest.raises(ValueError) as error: read_corpus(path, scheme="mosi")
    assert words in str(error.value) and "corpus.pkl" in str(error.value)
    report = examine(path, scheme="mosi")
    assert not report.ok and words in str(report)
    # each finding has its own place
    assert all(f.file == "corpus.pkl" and "refused" not in f.what for f in report.findings)
    with pytest.raises(ValueError): convert(path, tmp_path / "store", scheme="mosi")
    assert tree(tmp_path) == before and not (tmp_path / "store").exists()


TABLES = {
    "missing label column": ("label.csv", lambda t: t.replace(",label,", ",score,"),
                             "missing columns ['label']"),
    "missing mode column": ("label.csv", lambda t: t.replace("mode", "fold"),
                            "missing columns ['mode']"),
    "empty label": ("label.csv", lambda t: t.replace(",2.6,", ",,"),
                    "train, label multimodal, row 1: NaN"),
    "word as label": ("label.csv", lambda t: t.replace(",2.6,", ",good,"),
                      "label, row 1: 'good' is not a number"),
    "label out of range": ("label.csv", lambda t: t.replace(",2.2,", ",5,"),
                           "test, label multimodal, row 5: 5 lies beyond"),
    "unknown mode": ("label.csv", lambda t: t.replace("valid", "hold-out"),
                     "mode, row 3: 'hold-out'"),
    "missing split": ("label.csv", lambda t: t.replace("valid", "train"),
                      "valid: the fold is missing"),
    "one row less": ("label.csv", lambda t: "\n".join(t.splitlines()[:-1]), "rows differ"),
    "short row": ("label.csv", lambda t: t.rstrip() + "\nz,9\n", "row 6"),
    "id twice across folds": ("label.csv", lambda t: t.replace("d,2", "a,1"), "test, id, row 5"),
}


@pytest.mark.parametrize("case", TABLES)
def test_bad_tables_are_refused_with_their_place(corpus, tmp_path, case):
    file, change, words = TABLES[case]
    write_folder(corpus, tmp_path / "folder")
    path = tmp_path / "folder" / file
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text
    with pytest.raises(ValueError) as error: read_corpus(tmp_path / "folder", scheme="mosi")
    assert words in str(error.value)
    assert words in str(examine(tmp_path / "folder", scheme="mosi"))


@pytest.mark.parametrize("name, array, words", [
    ("audio.npy", np.zeros((14, 2)), "end at 15"),
    ("audio_offsets.npy", np.array([0, 2, 5, 6, 10, 12]), "rows differ"),
    ("audio_offsets.npy", np.array([0, 2, 1, 6, 10, 12, 15]), "fall after row 1"),
    ("audio_offsets.npy", np.array([0, 2, 2, 6, 10, 12, 15]), "train, audio, row 1: no frames"),
    ("audio_other.npy", np.zeros((6, 2)), "remove one"),
    ("audio.npy", np.array(["a"] * 15), "numbers are needed")])
def test_bad_arrays_are_refused(corpus, tmp_path, name, array, words):
    write_folder(corpus, tmp_path / "folder")
    np.save(tmp_path / "folder" / name, array)
    with pytest.raises(ValueError) as error: read_corpus(tmp_path / "folder")
    assert words in str(error.value)


def test_truncated_files(corpus, put, tmp_path):
    write_mmsa(corpus, tmp_path / "whole.pkl")
    whole = (tmp_path / "whole.pkl").read_bytes()
    for end in (0, 1, 2, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ValueError, match="corpus.pkl"): read_corpus(put(whole[:end]))
    write_folder(corpus, tmp_path / "folder")
    audio = tmp_path / "folder" / "audio.npy"
    audio.write_bytes(audio.read_bytes()[:-3])
    with pytest.raises(ValueError, match="audio.npy"): read_corpus(tmp_path / "folder")


@pytest.mark.parametrize("text", [b"", b"hello", b"PK\x03\x04", b"\x89HDF\r\n",
                                  b"video_id,clip_id\n", b"{}", b"\x80", b"."])
def test_files_that_are_no_pickles(put, text):
    with pytest.raises(ValueError, match="corpus.pkl"): read_corpus(put(text))


def test_a_zip_with_the_wrong_ending(tmp_path):
    with zipfile.ZipFile(tmp_path / "corpus.pkl", "w") as z:
        z.writestr("data.pkl", pickle.dumps({}))
    with pytest.raises(ValueError, match="corpus.pkl"): read_corpus(tmp_path / "corpus.pkl")


def test_what_is_not_there(tmp_path):
    with pytest.raises(OSError, match="data/README.md"): read_corpus(tmp_path / "MOSI")
    with pytest.raises(ValueError, match="no pickle"): read_corpus(tmp_path)


@pytest.mark.parametrize("options",
                         [{"zero_length": "drop"}, {"modalities": ("smell",)}, {"modalities": ()},
                          {"scheme": "stars"}, {"zero_lenght": "frame"}])
def test_unknown_options(content, put, options):
    with pytest.raises(ValueError): read_corpus(put(content), **options)


# ---------------------------------------------------------------- repairs

@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("field", ["text", "audio", "vision"])
def test_broken_numbers_become_zero_and_are_reported(corpus, content, put, field, value):
    broken = content["test"][field].astype(np.float64)
    broken[1, 0, 1] = value
    got = read_corpus(put({**content, "test": content["test"] | {field: broken}}))
    assert got.splits["test"].sequences[field][1][0, 1] == 0
    assert any(f"test, {field}, row 1:" in n and "set to zero" in n for n in got.notes)
    assert np.isfinite(got.splits["test"].sequences[field].values).all()
    healed = got.splits["test"].sequences[field].values.copy()
    healed[got.splits["test"].sequences[field].offsets[1],
           1] = corpus.splits["test"].sequences[field][1][0, 1]
    # nothing else changed
    assert np.array_equal(healed, corpus.splits["test"].sequences[field].values)


def test_utterances_without_frames_can_be_kept(content, put):
    path = put(zero_length(content))
    got = read_corpus(path, zero_length="frame")
    assert got.splits["train"].sequences["audio"].lengths.tolist() == [2, 1, 1]
    assert got.splits["train"].sequences["audio"][1].tolist() == [[0, 0]]
    assert any("train, audio, row 1: no frames: kept" in n for n in got.notes)
    assert make_batch(got.splits["train"], [1]).inputs["audio"].values.abs().sum() == 0


def test_lengths_that_contradict_the_frames(corpus, content, put):
    """Lengths as the public script computes them for padding in front: 1. The frames win, unless
    the caller says otherwise."""
    block = np.zeros_like(content["train"]["audio"])
    for i, k in enumerate([2, 3, 1]): block[i, 3 - k:] = content["train"]["audio"][i, :k]
    path = put(faulty(content, audio=block, audio_lengths=[1, 1, 1]))
    got = read_corpus(path)
    assert differences(corpus, got) == []
    assert any("train, audio, rows 0, 1: frames beyond the given length" in n for n in got.notes)
    assert (read_corpus(path, trust_lengths=True).splits["train"].sequences["audio"]
            .lengths.tolist() == [1, 1, 1])


def test_the_token_mask_gives_the_lengths_of_an_aligned_file(content, put):
    "A silent last token is a frame: the mask counts it, the zeros would not."
    aligned = {}
    for name, fold in content.items():
        block = np.repeat(fold["text"][:, :, :1], 2, axis=2)
        last = fold["text_bert"][:, 1].sum(1) - 1
        block[np.arange(len(block)), last] = 0
        aligned[name] = {k: v for k, v in fold.items() if not k.endswith("_lengths")} | {
            "audio": block, "vision": block}
    train = read_corpus(put(aligned)).splits["train"]
    assert (train.sequences["audio"].lengths.tolist()
            == train.sequences["vision"].lengths.tolist() == [4, 6, 5])
    assert train.sequences["audio"][1][-1].tolist() == [0, 0]


@quick
@given(st.data())
def test_padding_on_either_side(tmp_path_factory, data):
    "Blocks padded in front or behind, with or without lengths, bring back the same frames."
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, frames, front, told = (5, data.draw(st.integers(2, 9)), data.draw(st.booleans()),
                              data.draw(st.booleans()))
    true = rng.integers(1, frames + 1, n)
    true[0] = 1
    rows = [rng.normal(size=(k, 3)).astype(np.float32) for k in true]
    block = np.zeros((n, frames, 3), np.float32)
    for i, r in enumerate(rows): block[i, frames - len(r) if front else 0:][:len(r)] = r
    def fold(k):
        return {"id": [f"{k}$_${i}" for i in range(n)],
                "regression_labels": np.float32([0, 1, 2, -3, 0.3]),
                "audio": block} | ({"audio_lengths": true.tolist()} if told else {})
    here = tmp_path_factory.mktemp("sides")
    (here / "x.pkl").write_bytes(pickle.dumps({k: fold(k) for k in ("train", "valid", "test")}))
    got = read_corpus(here / "x.pkl").splits["valid"].sequences["audio"]
    assert all(np.array_equal(got[i], r) for i, r in enumerate(rows))


# ---------------------------------------------------------------- nothing is written over

def test_nothing_is_written_over(corpus, tmp_path):
    write_mmsa(corpus, tmp_path / "corpus.pkl")
    write_folder(corpus, tmp_path / "folder")
    write_store(corpus, tmp_path / "store")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("mine")
    before = tree(tmp_path)
    for call in (lambda: write_mmsa(corpus, tmp_path / "corpus.pkl"),
                 lambda: write_folder(corpus, tmp_path / "folder"),
                 lambda: write_store(corpus, tmp_path / "store"),
                 lambda: convert(tmp_path / "corpus.pkl", tmp_path / "store"),
                 lambda: convert(tmp_path / "corpus.pkl", tmp_path / "corpus.pkl"),
                 lambda: convert(tmp_path / "corpus.pkl", tmp_path / "notes", overwrite=True),
                 lambda: write_store(corpus, tmp_path / "notes", overwrite=True)):
        with pytest.raises(FileExistsError): call()
    assert tree(tmp_path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["corpus.pkl", "folder", "notes", "store"]


def test_reading_changes_nothing(corpus, tmp_path):
    write_mmsa(corpus, tmp_path / "corpus.pkl")
    write_folder(corpus, tmp_path / "folder")
    write_store(corpus, tmp_path / "store")
    before = tree(tmp_path)
    for layout in ("corpus.pkl", "folder", "store"):
        read_corpus(tmp_path / layout)
        examine(tmp_path / layout)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("file", ["manifest.json", "train.rows.json", "train.label.multimodal.npy",
                                  "test.audio.offsets.npy", "valid.vision.values.npy"])
def test_a_damaged_store_is_refused(corpus, tmp_path, file):
    write_store(corpus, tmp_path / "store")
    path = tmp_path / "store" / file
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises((ValueError, OSError), match=file.replace(".", r"\.")):
        open_store(tmp_path / "store", verify=True)
    assert not examine(tmp_path / "store").ok
    path.unlink()
    with pytest.raises((ValueError, OSError)): read_corpus(tmp_path / "store")
    path.write_bytes(whole)
    assert differences(corpus, open_store(tmp_path / "store", verify=True)) == []


def test_one_bit_of_a_store_is_seen_by_the_doctor(corpus, tmp_path):
    write_store(corpus, tmp_path / "store")
    values = tmp_path / "store" / "train.audio.values.npy"
    whole = values.read_bytes()
    values.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    report = examine(tmp_path / "store")
    assert not report.ok and "train.audio.values.npy" in str(report)


# ---------------------------------------------------------------- in memory

def test_one_utterance_is_a_batch(corpus):
    batch = make_batch(corpus.splits["valid"], [0])
    assert {m: tuple(p.values.shape) for m, p in batch.inputs.items()} == {
        "text": (1, 6, 2), "audio": (1, 4, 2), "vision": (1, 2, 3)}
    assert all(p.mask.all() for p in batch.inputs.values())


def test_faults_of_a_corpus_made_by_hand(corpus):
    train = corpus.splits["train"]
    y = train.labels["multimodal"].copy()
    y[2] = np.nan
    with pytest.raises(CorpusError) as error:
        check_corpus(replace(corpus, splits={**corpus.splits,
                                             "train": replace(train, labels={"multimodal": y})}))
    assert error.value.findings[0].rows == (2,)
    with pytest.raises(ValueError, match="5 entries"): Ragged(np.zeros((5, 2)), np.array([0, 2, 9]))


@quick
@given(st.lists(st.integers(0, 7), min_size=1, max_size=8), st.data())
def test_taking_rows(lengths, data):
    rows = [np.arange(k * 2).reshape(k, 2) + 100 * i for i, k in enumerate(lengths)]
    ragged = Ragged.from_rows(rows)
    index = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=10))
    taken = ragged.take(index)
    assert len(taken) == len(index)
    assert all(np.array_equal(taken[k], rows[i]) for k, i in enumerate(index))


@pytest.mark.skipif(not (MOSI / "label.csv").exists(),
                    reason="no folder mosi in MSA_LIT_DATA")
def test_mosi(tmp_path):
    corpus = read_corpus(MOSI)
    assert {k: len(s) for k, s in corpus.splits.items()} == {
        "train": 1284, "valid": 229, "test": 686}
    assert [int((s.labels["multimodal"] == 0).sum()) for s in corpus.splits.values()] == [
        53, 13, 30]
    videos = [set(s.videos) for s in corpus.splits.values()]
    assert len(set.union(*videos)) == 93 == sum(map(len, videos))
    assert differences(corpus, convert(MOSI, tmp_path / "store")) == []
    assert examine(MOSI).ok
