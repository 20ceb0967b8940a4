"""How a step's time grows: with clips, frames, width and batch; sizes by turns, exponents fitted.

python growth.py    JSON: for every axis its sizes, median processor seconds, and the exponent

The exponent is the slope of log seconds over log size through the upper half of the sizes, where
what a step costs whatever its size no longer hides the growth. Processor time, not wall time: the
work is one process's own, and a busy machine should not bend a curve.
"""
import json
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
AXES = {"clips": [500, 2000, 8000, 32000], "frames": [0.5, 1, 2, 4, 8],
        "width": [16, 32, 64, 128, 256], "batch": [8, 16, 32, 64, 128]}
METHODS = ("self_mm", "spil")


def corpus(clips=1000, longer=1.0):
    "A MOSI-shaped corpus with ready text vectors; so many training clips, frames so much longer."
    import shapes
    from msa_lit.data.corpus import Corpus, Split
    rng, folds = np.random.default_rng(0), {}
    for fold, n in (("train", clips), ("valid", 16), ("test", 16)):
        drawn = {m: np.maximum(1, np.rint(longer * shapes.draw_lengths(n, m, rng))).astype(int)
                 for m in ("text", "audio", "vision")}
        seq = {m: shapes.frames(drawn[m], {"text": 64, "audio": 5, "vision": 20}[m], rng)
               for m in drawn}
        ids = tuple(f"{fold}{i}$_$0" for i in range(n))
        labels = {"multimodal": np.clip(rng.normal(0, 1.5, n), -3, 3).astype(np.float32)}
        folds[fold] = Split(ids, tuple(i.split("$_$")[0] for i in ids), labels, seq)
    return Corpus("growth", "mosi", folds)


def endless(method, corpus, **options):
    "Steps of a method, text vectors as they are; every `next` is one."
    from msa_lit.train import runs
    from msa_lit.train.loop import Loop
    from ours import steps
    chosen = runs.choose(method, {"text": "features", **options})
    model = runs.build(method, runs.ModelSpec.of(corpus, chosen["model"], None), chosen, 1)
    model.calibrate(corpus)
    loop = Loop(model, corpus.without("test"), chosen["train"], 1, progress=False)
    loop.progress.stage = len(loop.stages) - 1
    loop.begin()
    at = steps(loop, loop.corpus.splits["train"])
    next(at)
    return at


def axis(name, method):
    "A size's steps for every size of an axis."
    small = corpus() if name in ("width", "batch") else None
    make = {"clips": lambda n: endless(method, corpus(clips=n)),
            "frames": lambda k: endless(method, corpus(longer=k)),
            "width": lambda w: endless(method, small, audio_hidden=w, vision_hidden=w),
            "batch": lambda b: endless(method, small, batch_size=b)}[name]
    return {size: make(size) for size in AXES[name]}


def measure(steps):
    "Median processor seconds of every size, the sizes by turns."
    from msa_lit.book.field import median_seconds
    return median_seconds({size: partial(next, at) for size, at in steps.items()})


def exponent(seconds):
    "Slope of log seconds over log size through the upper half."
    sizes = sorted(seconds)[-3:]
    return float(np.polyfit(np.log(sizes), np.log([seconds[s] for s in sizes]), 1)[0])


def main():
    import torch
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    rows = []
    for method in METHODS:
        for name in AXES:
            seconds = measure(axis(name, method))
            rows.append({"method": method, "axis": name, "sizes": [*seconds],
                         "ms": [round(1000 * s, 3) for s in seconds.values()],
                         "exponent": round(exponent(seconds), 3)})
    print(json.dumps({"growth": rows}))


if __name__ == "__main__": main()
