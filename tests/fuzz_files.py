"Odd and damaged tables, pickles, folders of arrays, and files that are something else."
import bz2
import codecs
import csv
import gzip
import io
import lzma
import pickle
import zipfile
from dataclasses import replace

import numpy as np

from fuzz import REFUSED, SAFE, Case, kind
from msa_lit.data.corpus import Corpus, Ragged, Split
from msa_lit.data.layouts import mmsa_fields, write_folder
from msa_lit.data.soundness import differences

WORDS = ["good", "so, so", 'he said "no"', "闭嘴", "不是来抓你的", "NA", "null", "1e5", "café",
         "a; b", "it's\tfine",
         "two\nlines", "", "very", "bad", "0012", "True", "x" * 300, "tail\\", "#",
         "=1+1", "'quoted'"]
VIDEOS = ["0012", "NA", "null", "1e5", "True", "video_1", "视频", "03bSnISJMiM", "-0.5", "a b", "7"]


def generator(rng):
    return np.random.default_rng(rng.randrange(1 << 32))


def rows_of(rng, n, width):
    "Clips of unequal length without a frame of zeros."
    g = generator(rng)
    return Ragged.from_rows([(1 + g.random((g.integers(1, 5), width))).astype(np.float32)
                             for _ in range(n)])


def draw_corpus(rng, words=WORDS, frames=True, own=None):
    "A small sound corpus of scheme mosi with awkward ids and transcripts."
    n, splits, count = [rng.randint(1, 4) for _ in range(3)], {}, 0
    own = rng.random() < 0.3 if own is None else own
    for name, size in zip(("train", "valid", "test"), n, strict=True):
        ids = [f"{rng.choice(VIDEOS)}$_${count + i:04d}" for i in range(size)]
        count += size
        labels = {k: np.float32([rng.randint(-15, 15) / 5 for _ in ids])
                  for k in ("multimodal", *(("text", "audio", "vision") if own else ()))}
        sequences = {"audio": rows_of(rng, size, 3),
                     "vision": rows_of(rng, size, 2)} if frames else {}
        text = tuple(" ".join(rng.choice(words) for _ in range(rng.randint(1, 4))) for _ in ids)
        text = tuple(t if t.strip() else "word" for t in text)
        splits[name] = Split(tuple(ids), tuple(i.split("$_$")[0] for i in ids), labels,
                             sequences, text)
    return Corpus("any", "mosi", splits)


def add_tokens(rng, corpus):
    "The same corpus with token ids."
    g, splits = generator(rng), {}
    for name, s in corpus.splits.items():
        rows = [np.concatenate([[101], g.integers(1000, 2000, g.integers(1, 6)), [102]])
                for _ in s.ids]
        splits[name] = replace(s, sequences={**s.sequences, "text_bert": Ragged.from_rows(rows)})
    return replace(corpus, splits=splits)


# ---------------------------------------------------------------- tables

HEADER = ["video_id", "clip_id", "text", "label", "mode"]
SPELT = {"train": ["train", "Train", " TRAIN", "training"], "valid": ["valid"],
         "test": ["test", "Test "]}


def table_rows(rng, corpus, spelt=True):
    "A header and the rows of a corpus, in some order of columns and some spelling."
    names = {"label": "multimodal", "label_T": "text", "label_A": "audio", "label_V": "vision"}
    own = [k for k, v in names.items() if v in corpus.splits["train"].labels]
    columns = ["video_id", "clip_id", "text", "mode", *own,
               *(["annotation"] if rng.random() < 0.5 else [])]
    rng.shuffle(columns)
    valid = rng.choice(["valid", "val", "dev", "Validation"])
    rows = []
    for fold, s in corpus.splits.items():
        for i, name in enumerate(s.ids):
            video, _, clip = name.partition("$_$")
            mode = (valid if fold == "valid" else rng.choice(SPELT[fold])) if spelt else fold
            cells = {"video_id": video, "clip_id": clip, "text": s.text[i], "mode": mode,
                     "annotation": "Neutral"}
            cells |= {k: rng.choice([f"{s.labels[v][i]:g}", f" {s.labels[v][i]:.2f} "])
                      for k, v in names.items() if k in own}
            rows.append([cells[c] for c in columns])
    return columns, rows


def spell(rng, name):
    "A column's name as somebody might write it."
    return rng.choice([name, name.upper(), name.replace("_", " ").title(), f" {name} ",
                       name.replace("_", "-")])


def table_text(rng, columns, rows, delimiter, quoting=csv.QUOTE_MINIMAL, end="\n"):
    "The table as text."
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerow([spell(rng, c) for c in columns])
    for row in rows:
        writer.writerow(row)
        if rng.random() < 0.05:
            out.write(end if quoting != csv.QUOTE_ALL else delimiter * (len(columns) - 1) + end)
    return out.getvalue()


def chinese(corpus):
    "The same corpus with transcripts that are Chinese beyond doubt."
    said = "闭嘴，不是来抓你的。听得见吗，只要我活着，我就会记住你"
    return replace(corpus,
                   splits={k: replace(s, text=tuple(said + t.replace("é", "e") for t in s.text))
                           for k, s in corpus.splits.items()})


def folder_with(folder, raw, corpus, arrays=True):
    "A folder with these bytes as label.csv and the arrays of a corpus."
    if arrays and corpus.splits["train"].sequences: write_folder(corpus, folder / "MINE")
    else: (folder / "MINE").mkdir()
    (folder / "MINE" / "label.csv").write_bytes(raw)
    return folder / "MINE"


@kind("table: odd, well-formed")
def odd_table(rng, folder):
    corpus = draw_corpus(rng, frames=rng.random() < 0.5)
    code = rng.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030"])
    if code == "gb18030": corpus = chinese(corpus)
    columns, rows = table_rows(rng, corpus)
    delimiter = rng.choice([",", ";", "\t", "|"])
    if delimiter != "," and rng.random() < 0.5:
        at = columns.index("label")
        for row in rows: row[at] = row[at].replace(".", ",")
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
    # csv quotes "\n" for its own line end only
    end = rng.choice(["\n", "\r\n", *(["\r"] if quoting else [])])
    text = table_text(rng, columns, rows, delimiter, quoting, end)
    if rng.random() < 0.1 and code != "utf-16-le": text = f"sep={delimiter}\n" + text
    raw = text.encode(code)
    return Case(folder_with(folder, raw, corpus), corpus, {"scheme": "mosi"}, names=("label.csv",))


def same_but_for_marks(meant, got):
    "Ids, labels, folds and frames are the same, transcripts but for quotation marks and spaces."
    def clean(texts): return tuple("".join(t.replace('"', "").split()) for t in texts)
    def bare(c):
        return replace(
            c, splits={k: replace(s, text=clean(s.text), ids=clean(s.ids), videos=clean(s.videos))
                       for k, s in c.splits.items()})
    return differences(bare(meant), bare(got))


@kind("table: stray quotation marks")
def stray_quotes(rng, folder):
    words = [w for w in WORDS if "\n" not in w and '"' not in w] if rng.random() < 0.7 else WORDS
    corpus = draw_corpus(rng, words, frames=rng.random() < 0.5)
    columns, rows = table_rows(rng, corpus, spelt=False)
    lines = table_text(rng, columns, rows, ",").split("\n")
    for _ in range(rng.randint(1, 4)):
        i = rng.randrange(1, len(lines))
        cells = lines[i].split(",")
        j = rng.randrange(len(cells))
        cells[j] = rng.choice(['"' + cells[j], cells[j] + '"', cells[j] + '" '])
        lines[i] = ",".join(cells)
    raw = "\n".join(lines).encode()
    return Case(folder_with(folder, raw, corpus), corpus, {"scheme": "mosi"}, names=("label.csv",),
                differ=same_but_for_marks)


@kind("table: damaged")
def damaged_table(rng, folder):
    corpus = draw_corpus(rng)
    columns, rows = table_rows(rng, corpus, spelt=False)
    what = rng.choice(["cells", "columns", "labels", "modes", "ids", "bytes", "rows"])
    i = rng.randrange(len(rows))
    if what == "cells": rows[i] = rows[i][:-1] if rng.random() < 0.5 else [*rows[i], "more"]
    if what == "labels":
        rows[i][columns.index("label")] = rng.choice(
            ["good", "", "1.4.2", "1_4", "7", "inf", "1,4,2"])
    if what == "modes":
        rows[i][columns.index("mode")] = rng.choice(["", "holdout", "1", "train,test"])
    if what == "ids":
        rows[i][columns.index(rng.choice(["video_id", "clip_id"]))] = rng.choice(["", " ", "a$_$b"])
    if what == "rows": rows.append(list(rows[i])) if rng.random() < 0.5 else rows.pop(i)
    if what == "columns":
        at = columns.index(rng.choice(HEADER[:2] + HEADER[3:]))
        columns[at] = rng.choice(["", "x", *(c for c in HEADER if c != columns[at])])
    raw = table_text(rng, columns, rows, ",").encode()
    if what == "bytes":
        at = raw.index(b"\n") + rng.randrange(1, len(raw) - raw.index(b"\n"))
        raw = raw[:at] + rng.choice([b"\xff", b"\xc3\x28", "Müller".encode("cp1252"),
                                     b"\xed\xa0\x80"]) + raw[at:]
    return Case(folder_with(folder, raw, corpus), REFUSED, {"scheme": "mosi"}, names=("label.csv",))


@kind("table: any bytes")
def any_table(rng, folder):
    raw = bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
    if rng.random() < 0.7:
        raw = ",".join(HEADER).encode(rng.choice(["utf-8", "utf-16"])) + b"\n" + raw
    return Case(folder_with(folder, raw, draw_corpus(rng), arrays=False), SAFE,
                names=("label.csv",))


# ---------------------------------------------------------------- pickles

def content_of(corpus):
    return {k: mmsa_fields(s) for k, s in corpus.splits.items()}


def clips_of(fold, name):
    "Clips of unequal length instead of a block."
    lengths = np.asarray(fold[f"{name}_lengths"]).reshape(-1).astype(int)
    return [block[:k] for block, k in zip(fold[name], lengths, strict=True)]


def objects(values):
    out = np.empty(len(values), object)
    for i, v in enumerate(values): out[i] = v
    return out


def odd_field(rng, fold, tensors):
    "One field in another form that means the same."
    import torch
    what = rng.choice(["clips", "clip objects", "clip lists", "double", "fortran", "big", "front",
                       "lengths", "labels",
                       "ids", "text", "tokens", *(["tensor"] if tensors else [])])
    name = rng.choice(["audio", "vision"])
    plain = isinstance(fold[name],
                       np.ndarray) and fold[name].ndim == 3 and f"{name}_lengths" in fold
    plain = plain and fold[name][:, 0].any(1).all()  # padded behind
    if plain and what.startswith("clip"):
        clips = clips_of(fold, name)
        fold[name] = {"clips": clips, "clip objects": objects(clips),
                      "clip lists": [c.tolist() for c in clips]}[what]
        if rng.random() < 0.5: del fold[f"{name}_lengths"]
    elif plain and what == "double": fold[name] = fold[name].astype(np.float64)
    elif plain and what == "fortran": fold[name] = np.asfortranarray(fold[name])
    elif plain and what == "big": fold[name] = fold[name].astype(">f8")
    elif plain and what == "tensor":
        fold[name] = torch.from_numpy(np.ascontiguousarray(fold[name], np.float32))
    elif plain and what == "front":
        moved = np.zeros_like(fold[name])
        for i, k in enumerate(np.asarray(fold[f"{name}_lengths"]).reshape(-1).astype(int)):
            moved[i, moved.shape[1] - k:] = fold[name][i, :k]
        fold[name] = moved
    elif plain and what == "lengths":
        kinds = [np.array, tuple, lambda v: np.array(v, np.uint16),
                 lambda v: np.array(v, float)[:, None]]
        fold[f"{name}_lengths"] = rng.choice(kinds)(
            np.asarray(fold[f"{name}_lengths"]).reshape(-1).tolist())
    elif what == "labels":
        y = np.asarray(fold["regression_labels"]).reshape(-1).astype(np.float32)
        fold["regression_labels"] = rng.choice([y.tolist(), y[:, None], objects(y.tolist()),
                                                [f"{v:.9g} " for v in y],
                                                y.astype(np.float64), [np.float32(v) for v in y]])
    elif what == "ids":
        ids = [i if isinstance(i, str) else i.decode() for i in map(lambda v: v, fold["id"])]
        fold["id"] = rng.choice([np.array(ids), objects(ids), tuple(ids), [i.encode() for i in ids],
                                 [np.str_(i) for i in ids]])
    elif what == "text":
        fold["raw_text"] = rng.choice([objects(list(fold["raw_text"])), tuple(fold["raw_text"])])
    elif what == "tokens" and "text_bert" in fold:
        fold["text_bert"] = np.asarray(fold["text_bert"]).astype(rng.choice(["f4", "i4", "f8"]))


FOLDS = {"train": ["train", "Train"], "valid": ["valid", "val", "dev"], "test": ["test", "TEST"]}


def write_pickle(rng, folder, content, packed=True):
    "A pickle of any protocol, packed or not."
    raw = pickle.dumps(content, rng.randint(2, 5))
    name = rng.choice(["corpus.pkl", "DATA.PKL", "特征 副本.pkl"])
    if packed and rng.random() < 0.2:
        raw = rng.choice([gzip.compress, bz2.compress, lzma.compress])(raw)
    (folder / name).write_bytes(raw)
    return folder / name


@kind("pickle: odd contents")
def odd_pickle(rng, folder):
    import torch
    corpus = add_tokens(rng, draw_corpus(rng))
    content, tensors = content_of(corpus), rng.random() < 0.3
    for fold in content.values():
        for _ in range(rng.randint(0, 4)): odd_field(rng, fold, tensors)
    content = {rng.choice(FOLDS[k]): v for k, v in content.items()}
    if rng.random() < 0.2: content["scaler"] = [1.0, 2.0]
    if rng.random() < 0.15:
        torch.save(content, folder / "corpus.pt")
        path = folder / "corpus.pt"
    else: path = write_pickle(rng, folder, content)
    return Case(path, corpus, {"scheme": "mosi"})


def broken_field(rng, fold):
    "A fault in one field; returns a pattern that the refusal must contain."
    n, name = len(fold["id"]), rng.choice(["audio", "vision"])
    i = rng.randrange(n)
    block, length = np.array(fold[name], np.float64), fold[f"{name}_lengths"]
    tokens = np.array(fold["text_bert"], np.float64)
    def put(array, at, value):
        array[at] = value
        return array
    faults = {
        "token": ("text_bert",
                  put(tokens, (i, 0, 0), rng.choice([np.nan, 101.7, -3, np.inf, 1e18]))),
        "mask": ("text_bert", put(tokens, (i, 1, 0), rng.choice([2, -1, 0.5, np.nan]))),
        "segment": ("text_bert", put(tokens, (i, 2, 0), rng.choice([7, -1, np.nan]))),
        "token shape": ("text_bert", tokens[:, :2]),
        "label": ("regression_labels", put(np.zeros(n), i, rng.choice([np.nan, np.inf, 3.5, -70]))),
        "label word": ("regression_labels", ["good"] * n),
        "labels 2-D": ("regression_labels", np.zeros((n, 2))),
        "labels bool": ("regression_labels", np.zeros(n, bool)),
        "label none": ("regression_labels", [None] * n),
        "id kind": ("id",
                    rng.choice([[1.5] * n, [True] * n, [None] * n, [b"\xff\xfe"] * n, "abc", 3])),
        "text kind": ("raw_text",
                      rng.choice([[1.5] * n, [None] * n, "abc", 7, [b"\xff\xfe"] * n, [{}] * n])),
        "axes": (name, block[..., None]), "width": (name, block[..., :0]),
        "one axis": (name, np.zeros(n)),
        "rows": (name, block[:-1] if n > 1 else np.concatenate([block, block])),
        "words": (name, [["a"]] * n),
        "dict": (name, {"a": 1}), "bytes": (name, bytes(n)), "objects": (name, objects([{}] * n)),
        "clip width": (name, [np.ones((2, 3))] * n + [np.ones((2, 4))] if n == 0
                       else [np.ones((2 + k, 3 + k)) for k in range(n)] if n > 1 else 3.0),
        "length": (f"{name}_lengths",
                   [block.shape[1] + 1 if k == i else v for k, v in enumerate(length)]),
        "length sign": (f"{name}_lengths", [-1 if k == i else v for k, v in enumerate(length)]),
        "length part": (f"{name}_lengths", [v + 0.5 for v in length]),
        "lengths": (f"{name}_lengths", [*length, 1]),
        "length word": (f"{name}_lengths", ["a"] * n),
        "length nan": (f"{name}_lengths", [np.nan] * n),
    }
    field, value = faults[rng.choice(list(faults))]
    fold[field] = value
    return name if field in (
        name, f"{name}_lengths") else "label" if field == "regression_labels" else field


@kind("pickle: broken contents")
def broken_pickle(rng, folder):
    corpus = add_tokens(rng, draw_corpus(rng))
    content = content_of(corpus)
    also = broken_field(rng, content[rng.choice(list(content))])
    return Case(write_pickle(rng, folder, content), REFUSED, {"scheme": "mosi"}, also=also)


@kind("pickle: a modality nobody reads is broken")
def unread_pickle(rng, folder):
    corpus = add_tokens(rng, draw_corpus(rng, own=False))
    content = content_of(corpus)
    keep = rng.choice([("text",), ("audio",), ("text", "vision")])
    for fold in content.values():
        for name in ("audio", "vision"):
            if name not in keep:
                fold[name] = rng.choice([{}, "nothing", np.zeros((1, 2, 3, 4)),
                                         np.full((9, 9), np.nan), None])
        if "text" not in keep:
            fold["text_bert"], fold["raw_text"] = rng.choice([None, np.nan, "x"]), 3
    want = {}
    for k, s in corpus.splits.items():
        seq = {n: r for n, r in s.sequences.items() if n.split("_")[0] in keep}
        want[k] = replace(s, sequences=seq, text=s.text if "text" in keep else None)
    return Case(write_pickle(rng, folder, content), replace(corpus, splits=want),
                {"scheme": "mosi", "modalities": keep})


@kind("pickle: somebody's own clips")
def own_clips(rng, folder):
    corpus = add_tokens(rng, draw_corpus(rng, own=False))
    fold = {k: v for k, v in mmsa_fields(corpus.splits["test"]).items() if "labels" not in k}
    bare = replace(corpus.splits["test"], labels={})
    form = rng.choice(["fold", "loose", "single"])
    if form == "single":
        fold = {k: (v[0] if k != "id" or rng.random() < 2 else v)
                for k, v in fold.items() if k != "annotations"}
        for name in ("audio", "vision"): fold[name] = fold[name][:fold[f"{name}_lengths"]]
        bare = bare.take([0])
    path = write_pickle(rng, folder, {"test": fold} if form == "fold" else fold)
    return Case(path, replace(corpus, splits={"test": bare}), {"scheme": "mosi"})


@kind("pickle: labels and values by option")
def options_pickle(rng, folder):
    corpus = draw_corpus(rng, own=False)
    content, want = content_of(corpus), dict(corpus.splits)
    name = rng.choice(["train", "test"])
    n = len(content[name]["id"])
    i = rng.randrange(n)
    labels, values = (rng.choice(["clip", "drop", "refuse"]),
                      rng.choice(["zero", "clip", "drop", "refuse"]))
    y, audio = content[name]["regression_labels"].copy(), content[name]["audio"].copy()
    refused, rows = False, list(range(n))
    kinds = rng.choice([("label",), ("value",), ("label", "value"), ()])
    if "label" in kinds:
        y[i] = 10 / 3
        refused |= labels == "refuse" or sum(map(len, (c["id"] for c in content.values()))) < 2
        if labels == "drop": rows.remove(i)
        if values == "drop" and "value" in kinds:
            refused = False  # the row is left out for its value
    if "value" in kinds:
        audio[i, 0, 1] = bad = rng.choice([np.nan, np.inf, -np.inf, 1e9])
        refused |= values == "refuse" and i in rows
        if values == "drop" and i in rows: rows.remove(i)
        put = {"zero": 0, "clip": 0 if np.isnan(bad) else np.clip(bad, -100, 100)}.get(values, 0)
    content[name]["regression_labels"], content[name]["audio"] = y, audio
    s = want[name]
    label = np.where(y > 3, np.float32(3), y).astype(np.float32)
    seq = s.sequences["audio"].values.copy()
    if "value" in kinds: seq[s.sequences["audio"].offsets[i], 1] = put
    s = replace(s, labels={"multimodal": label},
                sequences={**s.sequences, "audio": Ragged(seq, s.sequences["audio"].offsets)})
    want[name] = s.take(rows)
    meant = REFUSED if refused or not rows else replace(corpus, splits=want)
    how = {"scheme": "mosi", "labels": labels, "bad_values": values, "bound": 100.0}
    return Case(write_pickle(rng, folder, content), meant, how)


# ---------------------------------------------------------------- folders

@kind("folder: odd arrays")
def odd_folder(rng, folder):
    corpus = add_tokens(rng, draw_corpus(rng))
    write_folder(corpus, folder / "MINE")
    here = folder / "MINE"
    for name in ("audio", "vision", "text_bert"):
        bounds = np.load(here / f"{name}_offsets.npy")
        form = rng.choice(["offsets", "lengths", "padded", "as it is"])
        cast = rng.choice([np.int32, np.uint64, np.float64, np.uint8])
        if form == "offsets": np.save(here / f"{name}_offsets.npy", bounds.astype(cast))
        if form in ("lengths", "padded"):
            (here / f"{name}_offsets.npy").unlink()
            lengths = np.diff(bounds).astype(cast)
            if form == "lengths" or rng.random() < 0.5 or name == "text_bert":
                np.save(here / f"{name}_lengths.npy",
                        lengths[:, None] if rng.random() < 0.3 else lengths)
            elif form == "padded": pad_file(here / f"{name}.npy", bounds)
        if rng.random() < 0.2 and name != "text_bert":
            (here / f"{name}.npy").rename(
                here / rng.choice([f"{name}_mine.NPY", f"{name.title()}.npy"]))
    if rng.random() < 0.2: (here / "audio_raw.wav").write_bytes(b"RIFF")
    return Case(here, corpus, {"scheme": "mosi"}, names=("label.csv", "npy"))


def pad_file(path, bounds):
    "A padded block instead of flat frames."
    flat, lengths = np.load(path), np.diff(bounds)
    block = np.zeros((len(lengths), lengths.max(), *flat.shape[1:]), flat.dtype)
    for i, (a, b) in enumerate(zip(bounds[:-1], bounds[1:], strict=False)):
        block[i, :b - a] = flat[a:b]
    np.save(path, block)


@kind("folder: broken arrays")
def broken_folder(rng, folder):
    corpus = draw_corpus(rng)
    write_folder(corpus, folder / "MINE")
    here, name = folder / "MINE", rng.choice(["audio", "vision"])
    values, bounds = np.load(here / f"{name}.npy"), np.load(here / f"{name}_offsets.npy")
    n, low = len(bounds) - 1, np.diff(bounds)
    def put(a, i, v): return np.where(np.arange(len(a)) == i, v, a)
    i = rng.randrange(n)
    arrays = {"values": rng.choice([values[:, :0], values[:, None, None], values[:, 0],
                                    np.array(["a"] * len(values)),
                                    np.zeros(len(values), complex), values[:-1],
                                    np.zeros((len(values), 3, 2))]),
              "offsets": rng.choice([put(bounds, n, -5), put(bounds, n, bounds[-1] + 1),
                                     bounds[1:], bounds + 0.5,
                                     np.tile(bounds, (2, 1)), put(bounds.astype(float), i, np.nan),
                                     bounds.astype(str),
                                     bounds.astype(np.uint64) - np.uint64(1), put(bounds, 0, 1)]),
              "lengths": rng.choice([put(low, i, -1), np.tile(low, (2, 1)), low + 0.25,
                                     low.astype(bool) * 7.5,
                                     put(low.astype(float), i, np.inf), np.append(low, 1),
                                     put(low, i, 1 << 62)])}
    role = rng.choice(list(arrays))
    if role == "values": np.save(here / f"{name}.npy", arrays[role])
    else:
        (here / f"{name}_offsets.npy").unlink()
        np.save(here / f"{name}_{role}.npy", arrays[role])
    return Case(here, REFUSED, {"scheme": "mosi"}, names=("label.csv", "npy"), also=name)


@kind("folder: objects, cut and foreign files")
def foreign_folder(rng, folder):
    corpus = draw_corpus(rng)
    write_folder(corpus, folder / "MINE")
    path = folder / "MINE" / rng.choice(["audio.npy", "vision.npy", "audio_offsets.npy"])
    raw = path.read_bytes()
    archive = io.BytesIO()
    np.savez(archive, a=np.zeros(3))
    kinds = [raw[:-rng.randint(1, 40)], raw + b"more", b"", bytes(500), b"<html>",
             archive.getvalue(), pickle.dumps([1]),
             raw[:8] + b"\xff\xff" + raw[10:], raw.replace(b"descr", b"xxxxx"),
             raw.replace(b"(", b"((", 1)]
    path.write_bytes(rng.choice(kinds))
    if rng.random() < 0.2: np.save(path, np.array([{}] * 3, object))
    return Case(folder / "MINE", REFUSED, {"scheme": "mosi"}, names=(path.name,))


# ---------------------------------------------------------------- files that are something else

def zip_of(rng, names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for n in names: z.writestr(n, bytes(rng.randrange(50)))
    return out.getvalue()


@kind("file: something else")
def something_else(rng, folder):
    junk = bytes(rng.randrange(256) for _ in range(rng.randrange(400)))
    whole = pickle.dumps(content_of(draw_corpus(rng)), rng.choice([0, 2, 4]))
    kinds = [b"<!DOCTYPE html><html>" + junk, b"\n <HTML>" + junk, bytes(rng.randrange(9000)), b"",
             b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
             gzip.compress(whole)[:-rng.randint(1, 30)],
             gzip.compress(gzip.compress(whole)), lzma.compress(whole)[:-8],
             bz2.compress(whole)[:-8],
             gzip.compress(bytes(3 << 20)), zip_of(rng, ["a/b.txt", "c"]), zip_of(rng, ["a.npy"]),
             zip_of(rng, ["x/data.pkl"]),
             zip_of(rng, ["xl/workbook.xml", "[Content_Types].xml"]), b"PK\x03\x04" + junk,
             b"\x89HDF\r\n\x1a\n" + junk,
             b"MATLAB 5.0 MAT-file" + junk, b"PAR1" + junk, b"ARROW1" + junk, b"\x93NUMPY" + junk,
             b"Rar!" + junk,
             codecs.BOM_UTF16_LE + "hello".encode("utf-16-le"), b"\xef\xbf\xbd" + junk,
             b"7z\xbc\xaf\x27\x1c" + junk,
             b"\xd0\xcf\x11\xe0" + junk, whole[:len(whole) // 2],
             whole.replace(b"\n", b"\r\n") if b"\n" in whole else whole[:-1],
             whole.decode("latin1").encode("utf8") if whole[0] == 0x80 else whole[:-1],
             b"{\"train\": []}", b"video_id,clip_id\n1,2\n"]
    name = rng.choice(["corpus.pkl", "corpus.pt", "corpus.h5", "corpus", "corpus.csd",
                       "corpus.pkl.gz"])
    (folder / name).write_bytes(rng.choice(kinds))
    return Case(folder / name, REFUSED)


@kind("tensors: damaged")
def damaged_tensors(rng, folder):
    import torch
    content = content_of(draw_corpus(rng))
    for fold in content.values():
        for name in ("audio", "vision"): fold[name] = torch.from_numpy(fold[name])
    out = io.BytesIO()
    if rng.random() < 0.5: torch.save(content, out)
    else: pickle.dump(content, out, rng.randint(2, 5))
    raw = bytearray(out.getvalue())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw))
        if rng.random() < 0.7: raw[at] = rng.randrange(256)
        else: del raw[at:at + rng.randrange(30)]
    (folder / "corpus.pkl").write_bytes(bytes(raw))
    return Case(folder / "corpus.pkl", SAFE, {"scheme": "mosi"})
