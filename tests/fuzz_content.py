"What is inside the files: transcripts in any script, token ids, features nobody can compute with."

from __future__ import annotations

import functools
import json
import re
from dataclasses import replace
from unicodedata import normalize

import numpy as np
from fuzz import REFUSED, Case, kind
from msa_lit.data.corpus import Ragged
from msa_lit.model.encoders import WordTokeniser, check_vocabulary, cut_tokens, split_words
from msa_lit.base.notices import collect
from msa_lit.data.readers import read_corpus
from msa_lit.simulate.world import simulate
from msa_lit.data.store import write_store
from msa_lit.data.values import check_values, clean, value_findings

FOLDS = ("train", "valid", "test")


@functools.cache
def corpus():
    "Some dozen clips, enough to say what is usual in a column."
    return simulate(n=(24, 8, 8), seed=1)


def planted(rng, values):
    "The corpus with one value changed, and where."
    whole, fold, key = corpus(), rng.choice(FOLDS), rng.choice(("audio", "vision"))
    rows = whole.splits[fold].sequences[key]
    row = rng.randrange(len(rows))
    frame, column = rng.randrange(int(rows.lengths[row])), rng.randrange(rows.width)
    changed = rows.values.copy()
    changed[rows.offsets[row] + frame, column] = rng.choice(values)
    sequences = {**whole.splits[fold].sequences, key: Ragged(changed, rows.offsets)}
    split = replace(whole.splits[fold], sequences=sequences)
    where = rf"{fold}, {key}, row {row}: .*in column {column} \(row {row}, frame {frame}\)"
    return replace(whole, splits={**whole.splits, fold: split}), where


def looked_at(path):
    "Read a corpus and look at its values: what fit does first."
    with collect() as said:
        return check_values(read_corpus(path)), said


@kind("content: values nobody can compute with")
def beyond(rng, folder):
    sick, where = planted(rng, [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30, -1e25])
    write_store(sick, folder / "store")
    fold = where.split(",")[0]
    return Case(folder / "store", REFUSED, read=looked_at, names=(fold,), also=where)


@kind("content: outliers")
def outliers(rng, folder):
    sick, where = planted(rng, [1e10, -1e9, 1e7, -1e8, 1e12])
    write_store(sick, folder / "store")
    def named(said): return len(said) == 1 and re.search(where, said[0])
    def said(_, got): return [] if named(got[1]) else [f"said {got[1]}"]
    return Case(folder / "store", sick, read=looked_at, differ=said)


@kind("content: bad values mended")
def mended(rng, folder):
    sick, _ = planted(rng, [np.nan, np.inf, 3e38, -1e10])
    write_store(sick, folder / "store")
    way = rng.choice(("zero", "clip", "drop"))
    clips = sum(map(len, sick.splits.values())) - (way == "drop")

    def left(_, got):
        clips_left = sum(map(len, got.splits.values()))
        return [str(f) for f in value_findings(got)] + (
            [] if clips_left == clips else ["another number of clips"])

    return Case(folder / "store", sick, read=lambda p: clean(read_corpus(p), way), differ=left)


def any_text(rng, most):
    "Letters, marks and signs of a few random places in Unicode, with spaces or without."
    places = [rng.randrange(0x20, 0x3100) for _ in range(3)] + [rng.randrange(0x4E00, 0xD700)]
    def one(): return chr(rng.choice(places) + rng.randrange(40))
    return "".join(" " if rng.random() < 0.1 else one() for _ in range(rng.randrange(most)))


@kind("content: transcripts in any script")
def transcripts(rng, folder):
    (folder / "said.json").write_text(json.dumps([any_text(rng, 200) for _ in range(5)]))
    def squeeze(s): return re.sub(r"[\s\u1361\u200b\x1c-\x1f]", "", s)
    def meant(s): return squeeze(normalize("NFC", s).lower())

    def read(path):
        sentences = json.loads(path.read_text())
        tokeniser = WordTokeniser.fit(sentences)
        return sentences, [split_words(s) for s in sentences], tokeniser(sentences)

    def differ(_, got):
        lost = [s
                for s, pieces in zip(*got[:2], strict=True) if squeeze("".join(pieces)) != meant(s)]
        wrong = [p for p, ids in zip(*got[1:], strict=False)
                 if len(ids) != max(1, len(p)) or (p and 1 in ids)]
        return lost + wrong

    return Case(folder / "said.json", "nothing lost", read=read, differ=differ)


@kind("content: token ids of another vocabulary")
def foreign_ids(rng, folder):
    size = rng.randrange(5, 500)
    def some(): return [rng.randrange(size) for _ in range(rng.randrange(1, 30))]
    rows = [some() for _ in range(rng.randrange(1, 9))]
    row, sick = rng.randrange(len(rows)), rng.random() < 0.7
    if sick:
        rows[row][rng.randrange(len(rows[row]))] = rng.choice((-1, size, size + 7, 2**40, -(2**62)))
    (folder / "ids.json").write_text(json.dumps(rows))

    def read(path):
        tokens = Ragged.from_rows([np.array(r, np.int64) for r in json.loads(path.read_text())])
        check_vocabulary({"valid": tokens}, size, "some-bert", "text_bert")
        return cut_tokens(tokens, 8, close=True)[0]

    def differ(_, got):
        cut = [r if len(r) < 9 else [*r[:7], r[-1]] for r in rows]
        return [] if [list(got[i]) for i in range(len(got))] == cut else ["another cut"]

    meant, where = (REFUSED, f"valid, text_bert, row {row}: ") if sick else ("cut", "")
    return Case(
        folder / "ids.json", meant, read=read, names=("some-bert",), also=where, differ=differ
    )
