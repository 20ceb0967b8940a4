"""Files as people have them: tables, pickles, folders, containers, somebody's own clips. (Kinds
by the thousand: fuzz_files.py.)"""
import bz2
import csv
import gzip
import lzma
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from msa_lit.data.corpus import MODALITIES, example_corpus
from msa_lit.data.layouts import mmsa_fields, write_folder, write_mmsa
from msa_lit.base.notices import collect
from msa_lit.data.readers import convert, read_corpus
from msa_lit.data.reading import CHOICES, Reading
from msa_lit.data.soundness import differences
from msa_lit.data.store import write_store

HEAD = "video_id,clip_id,text,label,mode"


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


@pytest.fixture
def table(tmp_path):
    def write(*lines, head=HEAD, code="utf8"):
        (tmp_path / "MINE").mkdir(exist_ok=True)
        (tmp_path / "MINE" / "label.csv").write_bytes(
            ("\n".join([head, *lines]) + "\n").encode(code))
        return tmp_path / "MINE"
    return write


def mode(i): return ("train", "train", "valid", "test")[i % 4]
def rows(n=24): return [f"v{i // 3},{i:04d},some words {i},1.{i % 9},{mode(i)}" for i in range(n)]
def count(corpus): return sum(len(s) for s in corpus.splits.values())
def refused(path, *words, **options):
    with pytest.raises((ValueError, OSError)) as error: read_corpus(path, **options)
    assert all(w in str(error.value) for w in words), error.value
    return str(error.value)


# ---------------------------------------------------------------- tables

def test_two_stray_quotation_marks_lose_no_row(table):
    lines = rows()
    lines[4], lines[9] = 'v1,0004,"so he said,1.0,train', 'v3,0009,"and then,1.0,train'
    refused(table(*lines), "label.csv", "line 6", "quotation mark")
    lines[9] = 'v3,0009,and then",1.0,train'  # well-formed for a reader that only counts columns
    assert len(list(csv.reader(lines))) < 24
    refused(table(*lines), "label.csv", "line 6", "swallows rows")


def test_one_stray_quotation_mark_in_a_long_table(table):
    lines = rows(9000)
    lines[4] = 'v1,0004,"so he said,1.0,train'
    refused(table(*lines), "line 6")


@pytest.mark.parametrize("cell", ["word " * 30_000, '"' + "a ""b"" c".replace('"', '""') + '"',
                                  '"two\nlines"', "5 inches, or 5".replace(",", ";")])
def test_cells_that_are_fine(table, cell):
    lines = rows()
    lines[5] = f"v1,0005,{cell},1.0,train"
    got = read_corpus(table(*lines), scheme="mosi")
    assert count(got) == 24 and csv.field_size_limit() == 131_072


@pytest.mark.parametrize("code",
                         ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030"])
def test_encodings(table, code):
    said = "不是来抓你的，我就会记住你"
    lines = [r.replace("some words", said) for r in rows()]
    with collect() as notices: got = read_corpus(table(*lines, code=code), scheme="mosi")
    assert got.splits["train"].text[0] == f"{said} 0"
    # where it was guessed
    assert (code in " ".join(notices)) == (code in ("utf-16-le", "utf-16-be", "gb18030"))


@pytest.mark.parametrize("code, said",
                         [("cp1252", "Müller, garçon"), ("big5", "閉嘴，不是來抓你的"),
                          ("euc_kr", "정말 좋은 영화"), ("cp1251", "Очень хороший")])
def test_an_encoding_that_cannot_be_known_is_said_by_the_caller(table, code, said):
    lines = rows()
    lines[7] = f'v2,0007,"{said}",1.0,{mode(7)}'
    path = table(*lines, code=code)
    refused(path, "label.csv", "line 9", "encoding=")
    assert said in [t for s in read_corpus(path, encoding=code, scheme="mosi").splits.values()
                    for t in s.text]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_line_ends_headers_and_folds(tmp_path, delimiter, end):
    lines = [delimiter.join(("Video ID", " Clip-ID ", "TEXT", "Label", "Mode", "annotation"))]
    words = {"train": "Train", "valid": "dev", "test": " test "}
    for i in range(12):
        label = "1,4" if delimiter == ";" else " 1.4 "
        lines.append(delimiter.join((f"v{i}", f"{i:03d}", "NA", label, words[mode(i)], "Positive")))
    (tmp_path / "label.csv").write_bytes(end.join(lines).encode())
    got = read_corpus(tmp_path)
    assert {k: len(s) for k, s in got.splits.items()} == {"train": 6, "valid": 3, "test": 3}
    assert got.splits["valid"].ids[0] == "v2$_$002" and set(got.splits["test"].text) == {"NA"}
    assert np.allclose(got.splits["train"].labels["multimodal"], 1.4)
    assert any("'dev' read as the fold valid" in n for n in got.notes)
    assert any("decimal commas" in n for n in got.notes) == (delimiter == ";")


@pytest.mark.parametrize("lines, words", [
    (["v,1,x,1.0,train,more"], ("6 cells", "line 2")), (["v,1,x,1.0"], ("4 cells", "line 2")),
    (["v,1,x,1.0,train", "v,2,so, so,1.0,test"], ("quotation marks", "line 3")),
    (["v,1,x,good,train"], ("label", "'good'", "line 2")), (["v,1,x,1_4,train"], ("'1_4'",)),
    (["v,1,x,1,holdout"], ("mode", "'holdout'", "line 2")),
    ([",1,x,1,train"], ("video_id", "blank", "line 2")),
    (["v,1,x,1,valid", "v,2,x,1,dev"], ("valid", "dev")),
    (["v,1,x,,train", "v,2,x,1,valid", "v,3,x,1,test"], ("row 0", "line 2", "drop"))])
def test_tables_that_are_refused(table, lines, words):
    refused(table(*lines), "label.csv", *words)


def test_columns_that_are_there_twice_or_not(table):
    refused(table("v,1,x,1.0,train,2.0", head=HEAD + ",Label"), "label.csv", "[4, 6]")
    refused(table("v,1,x,train", head="video_id,clip_id,text,mode"), "label.csv",
            "missing columns ['label']")
    assert count(read_corpus(table(*[r + ",1" for r in rows()], head=HEAD + ",extra"))) == 24
    # pandas' index
    assert count(
        read_corpus(table(*[f"{i},{r}" for i, r in enumerate(rows())], head="," + HEAD))) == 24


@pytest.mark.parametrize("name", ["0012", "NA", "null", "1e5", "True", "-0", "视频 1", "nan"])
def test_names_stay_text(tmp_path, table, put, corpus, name):
    lines = [f"{name},{i:04d},x,1.0,{mode(i)}" for i in range(8)]
    got = read_corpus(table(*lines), scheme="mosi")
    assert got.splits["train"].ids == tuple(f"{name}$_${i:04d}" for i in (0, 1, 4, 5))
    assert set(got.splits["train"].videos) == {name}
    write_store(got, tmp_path / "store")
    write_mmsa(got, tmp_path / "again.pkl")
    for path in ("store", "again.pkl"):
        assert differences(got, read_corpus(tmp_path / path, scheme="mosi")) == []


def test_blank_labels_per_modality_are_none(table):
    head = "video_id,clip_id,text,label,label_T,label_A,label_V,mode"
    blank = [f"v,{i},x,1.0,,, nan ,{mode(i)}" for i in range(8)]
    got = read_corpus(table(*blank, head=head))
    assert set(got.splits["train"].labels) == {"multimodal"}
    assert sum("blank throughout" in n for n in got.notes) == 3
    some = [f"v,{i},x,1.0,{'0.2' if i % 3 else ''},,,{mode(i)}" for i in range(8)]
    refused(table(*some, head=head), "label text", "unimodal='ignore'", "row")
    assert set(read_corpus(table(*some, head=head), unimodal="ignore").splits["test"].labels) == {
        "multimodal"}


def test_a_table_without_words_has_no_text(table):
    refused(table(*[r.replace("some words", " ").replace(f" {i},", " ,", 1)
                    for i, r in enumerate(rows(8))]), "no modality")


# ---------------------------------------------------------------- pickles

def without(fold, *names): return {k: v for k, v in fold.items() if k not in names}


def test_clips_of_unequal_length_in_any_container(corpus, content, put):
    for make in (list, tuple, lambda c: np.array([*c, None], object)[:-1],
                 lambda c: [x.tolist() for x in c]):
        odd = {k: without(f, "audio_lengths")
               | {"audio":
                  make([a[:n] for a, n in zip(f["audio"], f["audio_lengths"], strict=True)])}
               for k, f in content.items()}
        assert differences(corpus, read_corpus(put(odd), scheme="mosi")) == []
    odd["train"]["audio"][1] = [[1.0, 2.0, 3.0]]
    refused(put(odd), "train, audio, row 1", "width 3")


def test_words_and_bytes_and_numbers_as_text(corpus, content, put):
    words = {k: f | {"raw_text": [t.split() for t in f["raw_text"]]} for k, f in content.items()}
    got = read_corpus(put(words), scheme="mosi")
    assert differences(corpus, got) == [] and any("words, joined by spaces" in n for n in got.notes)
    numbers = {k: f | {"id": [np.int64(10 * j + i) if i else 10 * j for i in range(len(f["id"]))]}
               for j, (k, f) in enumerate(content.items())}
    got = read_corpus(put(numbers))
    assert got.splits["test"].ids == ("20", "21")
    assert any("taken as their digits" in n for n in got.notes)
    for wrong in ([1.5, 2.5], [True, False], [None, "a"], [b"\xff", b"a"]):
        refused(put({**content, "test": content["test"] | {"id": wrong}}), "test, id, row 0")


@pytest.mark.parametrize("track, value",
                         [(0, np.nan), (0, 101.7), (0, -3), (0, 1e12), (1, 2), (1, np.nan), (2, 5)])
def test_token_ids_are_whole_numbers(content, put, track, value):
    broken = content["train"]["text_bert"].astype(float)
    broken[1, track, 1] = value
    path = put({**content, "train": content["train"] | {"text_bert": broken}})
    refused(path, "train, text_bert, row 1")
    assert read_corpus(path, modalities="audio").modalities == ("audio",)  # nobody reads them


@pytest.mark.parametrize("bad",
                         [{}, "nothing", np.zeros((2, 2, 2, 2)), None, np.full((9, 1), np.nan)])
def test_what_nobody_reads_may_be_broken(content, put, bad):
    path = put({k: f | {"audio": bad} for k, f in content.items()})
    refused(path, "audio")
    assert read_corpus(path, modalities=("text", "vision")).modalities == ("text", "vision")


@pytest.mark.parametrize("protocol", range(2, 6))
def test_tensors_are_read_without_torch(corpus, content, put, protocol):
    tensors = {k: {n: torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) and v.ndim == 3 else v
                   for n, v in f.items()} for k, f in content.items()}
    assert differences(corpus, read_corpus(put(tensors, protocol=protocol), scheme="mosi")) == []
    path = put(b"", "corpus.pt")
    torch.save(tensors, path)
    assert differences(corpus, read_corpus(path, scheme="mosi")) == []
    torch.save({"model": torch.nn.Linear(2, 2)}, path)
    refused(path, "corpus.pt", "torch")


def test_folds_by_other_names(corpus, content, put):
    odd = {"Train": content["train"], "dev": content["valid"], "TEST": content["test"]}
    got = read_corpus(put(odd), scheme="mosi")
    assert differences(corpus, got) == [] and sum("read as the fold" in n for n in got.notes) == 3
    refused(put({**content, "dev": content["valid"]}), "dev", "valid")


def test_labels_beyond_the_scale_have_a_way_out(content, put):
    path = put({**content,
                "train": content["train"] | {"regression_labels": np.float32([0, 10 / 3, -1])}})
    refused(path, "train", "row 1", "3.33", "labels='clip'", "labels='drop'")
    clipped, dropped = read_corpus(path, labels="clip"), read_corpus(path, labels="drop")
    assert clipped.splits["train"].labels["multimodal"].tolist() == [0, 3, -1]
    assert dropped.splits["train"].ids == ("a$_$1", "b$_$1")
    assert all(any("row 1" in n for n in c.notes) for c in (clipped, dropped))
    text = {k: f | {"regression_labels": [f"{v:.1f} " for v in f["regression_labels"]]}
            for k, f in content.items()}
    assert (read_corpus(put(text)).splits["train"].labels["multimodal"].tolist()
            == np.float32([0, 2.6, -1.4]).tolist())
    other = {k: f | {"regression_labels": 20 * f["regression_labels"]} for k, f in content.items()}
    refused(put(other), "another scale", labels="clip")


def test_bad_values_have_a_way_out(corpus, content, put):
    sick = content["test"]["audio"].astype(float)
    sick[1, 0, 1], sick[0, 1, 0] = np.nan, 1e9
    path = put({**content, "test": content["test"] | {"audio": sick}})
    def values(**how):
        return read_corpus(path, scheme="mosi", **how).splits["test"].sequences["audio"].values
    assert values()[2, 1] == 0 and values()[1, 0] == np.float32(1e9)
    assert values(bound=100)[1, 0] == 0 and values(bound=100, bad_values="clip")[1, 0] == 100
    refused(path, "test, audio, row 1", "column 1", bad_values="refuse")
    for how in (dict(bad_values="drop", bound=1e12), dict(bad_values="clip")):
        got = read_corpus(path, **how)
        assert any("test, audio, row" in n for n in got.notes)
    assert len(read_corpus(path, bad_values="drop", bound=1e12).splits["test"]) == 1


@pytest.mark.parametrize("scheme, y, doubt", [
    ("mosi", [2.6, -1], False), ("mosi", [1 / 3, -1], True), ("sims", [0.2, -1], False)])
def test_a_guessed_scheme_is_said(content, put, scheme, y, doubt):
    path = put({k: f | {"regression_labels": np.float32((y * 3)[:len(f["id"])])}
                for k, f in content.items()})
    with collect() as notices: got = read_corpus(path)
    assert got.scheme == scheme and len(notices) == 1 and notices[0] in got.notes
    assert f"scheme '{scheme}' guessed" in notices[0] and ("SIMS's scale?" in notices[0]) == doubt
    with collect() as notices: read_corpus(path, scheme=scheme)
    assert not notices


# ---------------------------------------------------------------- somebody's own clips

def unjudged(fold): return {k: v for k, v in fold.items() if "labels" not in k}


def test_clips_without_labels_are_read_and_predicted(content, put, table):
    from msa_lit.train.runs import fit, predict_with
    run = fit("late_fusion", read_corpus(put(content)).only("audio", "vision"), epochs=1,
              batch_size=2, progress=False)
    one = {m: content["test"][m][0, :content["test"][f"{m}_lengths"][0]]
           for m in ("audio", "vision")}
    for own, ids in (({"test": unjudged(content["test"])}, ["d$_$1", "d$_$2"]),
                     (unjudged(content["test"]), ["d$_$1", "d$_$2"]), (one, ["mine"])):
        corpus = read_corpus(put(own, "mine.pkl"), modalities="audio,vision")
        assert corpus.splits["test"].labels == {} and any("no labels" in n for n in corpus.notes)
        assert predict_with(run, corpus)["id"].tolist() == ids
        with pytest.raises(ValueError, match="train"): fit("late_fusion", corpus, progress=False)
        with pytest.raises(ValueError, match="test"): predict_with(run, corpus, split="valid")
    assert count(read_corpus(table("v,1,so", "v,2,so", head="video_id,clip_id,text"))) == 2
    refused(put({**content, "test": unjudged(content["test"])}), "test, regression_labels")
    refused(put({"train": content["train"]}), "valid: the fold is missing")
    assert list(read_corpus(put({"test": content["test"]})).splits) == ["test"]


# ---------------------------------------------------------------- containers, names, folders

@pytest.mark.parametrize("raw, words", [
    (b"<!DOCTYPE html><html>", "web page"), (bytes(5000), "zeros"), (b"", "empty"),
    (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"), (b"PAR1", "Parquet"),
    (b"MATLAB 5.0", "MATLAB"), (b"Rar!", "RAR"), (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0", "Excel"), (b"\x93NUMPY", "numpy")])
@pytest.mark.parametrize("name", ["corpus.pkl", "corpus.h5", "corpus"])
def test_a_file_is_named_for_what_it_is(put, raw, words, name):
    refused(put(raw, name), name, words)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files(corpus, content, put, pack):
    raw = pack(pickle.dumps(content))
    for name in ("corpus.pkl", "corpus.pkl.gz", "corpus.bin"):
        assert differences(corpus, read_corpus(put(raw, name), scheme="mosi")) == []
    refused(put(raw[:-9]), "corpus.pkl", "cut short")
    refused(put(pack(bytes(8 << 20))), "corpus.pkl", "unpack")
    refused(put(pack(b"<html>")), "corpus.pkl", "web page")


def test_damage_by_text_mode(content, put):
    for protocol in (0, 2, 4):
        raw = pickle.dumps(content | {"ends": list(range(9, 12))}, protocol=protocol)
        refused(put(raw.replace(b"\n", b"\r\n")), "corpus.pkl", "text mode")


def test_paths_and_names(tmp_path, corpus, content):
    here = tmp_path / "我的 数据 (副本)" / "MOSEI" / "Processed"
    here.mkdir(parents=True)
    (here / "特征 unaligned_39.PKL").write_bytes(pickle.dumps(content))
    names = [read_corpus(p, scheme="mosi").name
             for p in (here.parent, here / "特征 unaligned_39.PKL")]
    assert names == ["MOSEI", "MOSEI"] == [
        convert(here / "特征 unaligned_39.PKL", tmp_path / "库", scheme="mosi").name, "MOSEI"]
    assert differences(corpus, read_corpus(tmp_path / "库")) == []
    (here / "aligned_50.pkl").write_bytes(pickle.dumps(content))
    refused(here.parent, "several pickles", "aligned_50.pkl")
    assert read_corpus(here.parent, file="aligned_50", scheme="mosi").name == "MOSEI"
    refused(here.parent, "covarep", file="covarep")


@pytest.mark.parametrize("role, array, words", [
    ("lengths", np.array([-1, 6, 1, 4, 2, 3]), "row 0"), ("lengths", np.ones((6, 2)), "[6, 2]"),
    ("offsets", np.array([0, 2, 5, 6, 10, 12, np.nan]), "row 6"),
    ("offsets", np.array([0, 2, 5, 6, 10, 12, 15.5]), "15.5"),
    ("values", np.ones((15, 0)), "[15, 0]"), ("values", np.ones((15, 1, 2, 1)), "[15, 1, 2, 1]"),
    ("values", np.ones(15), "[15]"), ("values", np.ones(15, complex), "audio.npy"),
    ("values", np.array([{}] * 15, object), "audio.npy")])
def test_arrays_that_are_refused(tmp_path, corpus, role, array, words):
    write_folder(corpus, tmp_path / "MINE")
    if role == "lengths": (tmp_path / "MINE" / "audio_offsets.npy").unlink()
    np.save(tmp_path / "MINE" / ("audio.npy" if role == "values" else f"audio_{role}.npy"), array,
            allow_pickle=True)
    refused(tmp_path / "MINE", "label.csv", "audio", words)
    assert read_corpus(tmp_path / "MINE", modalities="text").modalities == ("text",)


@pytest.mark.parametrize("kind", [float, np.uint64, np.int32, np.float32])
def test_lengths_of_any_type(tmp_path, corpus, kind):
    write_folder(corpus, tmp_path / "MINE")
    bounds = np.load(tmp_path / "MINE" / "audio_offsets.npy")
    np.save(tmp_path / "MINE" / "audio_offsets.npy", bounds.astype(kind))
    assert differences(corpus, read_corpus(tmp_path / "MINE", scheme="mosi")) == []
    (tmp_path / "MINE" / "audio_offsets.npy").unlink()
    np.save(tmp_path / "MINE" / "audio_lengths.npy", np.diff(bounds).astype(kind)[:, None])
    (tmp_path / "MINE" / "audio.npy").rename(tmp_path / "MINE" / "Audio_mine.NPY")
    assert differences(corpus, read_corpus(tmp_path / "MINE", scheme="mosi")) == []


# ---------------------------------------------------------------- options

def test_every_option_is_documented_and_checked(tmp_path, corpus):
    for name, allowed in CHOICES.items():
        assert Reading().__getattribute__(name) == allowed[0]
        with pytest.raises(ValueError, match=re.escape(f"{list(allowed)}")):
            Reading(**{name: "other"})
    page = (Path(__file__).parents[1] / "data" / "README.md").read_text(encoding="utf8")
    assert all(f"`{name}`" in page for name in Reading.__dataclass_fields__)
    write_store(corpus, tmp_path / "store")
    assert "labels: without effect" in read_corpus(tmp_path / "store", labels="clip").notes[-1]
    for m in MODALITIES: assert read_corpus(tmp_path / "store", modalities=m).modalities == (m,)
