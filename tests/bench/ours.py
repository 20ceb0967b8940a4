"""Our side: one training step of a method at a time, or everything to the end of the first step.

python ours.py steps CORPUS METHOD STAGE OPTION=VALUE ...   steps, by turns (see turns.py)
python ours.py first CORPUS METHOD STAGE OPTION=VALUE ...   import to the first step, then out

The option `ahead` of `steps` is not the method's: so many steps are done before the first turn.
"""
import json
import os
import sys
import time
from pathlib import Path

BEGAN = time.perf_counter()
sys.path.insert(0, str(Path(__file__).parent))
from turns import Turn  # noqa: E402


def built(corpus, method, stage, options):
    "A loop at the beginning of one of a method's stages, and the split it reads."
    from msa_lit import load_corpus  # what a user imports
    import torch
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    from msa_lit.train import runs
    from msa_lit.train.loop import Loop
    corpus = load_corpus(corpus)
    runs.check_ready(corpus)
    chosen = runs.choose(method, options)
    ready, words = runs.read(corpus, chosen["model"])
    spec = runs.ModelSpec.of(ready, chosen["model"], words)
    model = runs.build(method, spec, chosen, 1111)
    model.calibrate(ready)
    loop = Loop(model, ready.without("test"), chosen["train"], 1111, progress=False)
    loop.progress.stage = int(stage) % len(loop.stages)
    loop.begin()
    return loop, loop.corpus.splits["train"]


def steps(loop, train, prefetch=False, told=lambda seconds: None):
    """Endless steps over full batches, in the order of the loop's own epochs; `told` is given the
    seconds that each step waits for its batches: by the clock, and of this thread."""
    from msa_lit.data import corpus
    from msa_lit.train.loop import epoch_steps, plan_rates, train_step
    from msa_lit.train.pace import one_ahead
    def made(group): return [corpus.make_batch(train, rows).to("cpu") for rows in group]
    def clocks(): return time.perf_counter(), time.thread_time()
    while True:
        order = epoch_steps(loop)
        with one_ahead(made, order[:-1], prefetch) as pieces:  # the last one may be smaller
            for _ in order[:-1]:
                yield
                plan_rates(loop, len(order))
                began = clocks()
                batches = next(pieces)
                told([now - then for now, then in zip(clocks(), began, strict=True)])
                train_step(loop, *batches)
        loop.progress.epoch += 1


def option(word):
    name, _, value = word.partition("=")
    try: return name, json.loads(value)
    except ValueError: return name, value


def main(what, corpus, method, stage, *words):
    turn, options = Turn(), dict(map(option, words))
    ahead = options.pop("ahead", 0)
    loop, train = built(corpus, method, stage, options)
    at = steps(loop, train)
    for _ in range(1 + ahead): next(at)
    if what == "first":
        ready = time.perf_counter(), time.process_time()
        next(at)
        now = time.perf_counter(), time.process_time()
        turn.say(wall=now[0] - BEGAN, cpu=now[1],
                 step_wall=now[0] - ready[0], step_cpu=now[1] - ready[1])
        return
    while True:
        turn.wait()
        next(at)


if __name__ == "__main__": main(*sys.argv[1:])
