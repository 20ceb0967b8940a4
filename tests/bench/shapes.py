"""Corpora with the shapes of MOSI and MOSEI and noise for frames: for times, not for scores."""
import numpy as np

from msa_lit.data.corpus import Corpus, Ragged, Split
from msa_lit.model.encoders import HubTokeniser
from msa_lit.model.packaged import packaged_folder

# corpus -> clips of train, valid, test; columns of audio and vision; mean and largest length
SIZES = {"mosi": (1284, 229, 686), "mosei": (16326, 1871, 4659)}
COLUMNS = {"mosi": {"audio": 5, "vision": 20}, "mosei": {"audio": 74, "vision": 35}}
LENGTHS = {"text": (18, 50), "audio": (100, 375), "vision": (130, 500)}
SPREAD = 0.6  # standard deviation of the logarithm of a length


def draw_lengths(n, name, rng):
    "N lengths with the corpus's mean and maximum, skewed as real ones are."
    mean, most = LENGTHS[name]
    raw = np.exp(rng.normal(0, SPREAD, n) - SPREAD ** 2 / 2) * mean
    return np.clip(np.rint(raw), 3, most).astype(np.int64)


def frames(lengths, width, rng):
    "Noise, a row per frame."
    values = rng.standard_normal((int(lengths.sum()), width), dtype=np.float32)
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))


def vocabulary():
    "Whole lower-case words that MiniLM's vocabulary has as one token each."
    words = (packaged_folder("minilm") / "vocab.txt").read_text(encoding="utf8").split("\n")
    return np.array([w for w in words if w.isascii() and w.isalpha() and len(w) > 2])


def sentences(lengths, words, rng):
    "Transcripts that become so many tokens, the two marks included."
    return tuple(" ".join(rng.choice(words, n - 2)) for n in lengths)


def corpus(name="mosi", share=1.0, seed=0, longer=1.0, vectors=0, aligned=False):
    """A corpus of a name's shapes; `share` of its clips, `longer` times their frames; `vectors`
    wide noise for words beside their numbers; aligned: a frame of voice and face per word."""
    rng, words, tokeniser = np.random.default_rng(seed), vocabulary(), HubTokeniser("minilm", 50)
    folds = {}
    for fold, n in zip(("train", "valid", "test"), SIZES[name], strict=True):
        n = max(8, round(share * n))
        text = sentences(draw_lengths(n, "text", rng), words, rng)
        seq = {m: frames(np.rint(longer * draw_lengths(n, m, rng)).astype(int), w, rng)
               for m, w in COLUMNS[name].items()}
        seq["text_bert"] = Ragged.from_rows(tokeniser(text))
        words_of = seq["text_bert"].lengths
        if aligned: seq |= {m: frames(words_of, w, rng) for m, w in COLUMNS[name].items()}
        if vectors: seq["text"] = frames(words_of, vectors, rng)
        ids = tuple(f"{fold}{i // 14}$_${i}" for i in range(n))
        labels = {"multimodal": np.clip(rng.normal(0, 1.5, n), -3, 3).astype(np.float32)}
        folds[fold] = Split(ids, tuple(i.split("$_$")[0] for i in ids), labels, seq, text)
    return Corpus(name, name, folds)
