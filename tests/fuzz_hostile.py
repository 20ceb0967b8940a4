"Files made to hurt: pickles, stores, arrays, run folders."
from __future__ import annotations

import pickle

from fuzz import SAFE, Case, kind
from msa_lit.data import example_corpus
from msa_lit.layouts import mmsa_fields


def sound_pickle(rng):
    "The six example clips in the MMSA layout, as bytes."
    content = {name: mmsa_fields(s) for name, s in example_corpus().splits.items()}
    return pickle.dumps(content, rng.choice((0, 1, 2, 3, 4, 5)))


@kind("pickle: bytes changed")
def bytes_changed(rng, folder):
    data = bytearray(sound_pickle(rng))
    for _ in range(rng.choice((1, 1, 2, 5))): data[rng.randrange(len(data))] = rng.randrange(256)
    (folder / "c.pkl").write_bytes(data)
    return Case(folder / "c.pkl", SAFE, {"scheme": "mosi"})
