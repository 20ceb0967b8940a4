"""Train everything on a GPU that is none (see pretend.py); a line for each, FAILED where it broke.

python tests/device.py              every method, every piece on a method, every kind of encoder
python tests/device.py mug spil:bf16   these, the second in half precision
"""
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from processes import MORE, fits
from pretend import NAME, Pretend, device  # registers the device

from msa_lit.base.catalogue import names, options_of
from msa_lit.simulate.world import simulate
from msa_lit.train.listeners import Cut, Listener, PowerCut
from msa_lit.train.runs import fit, predict_with
from toys import NETWORKS, write_networks

SHORT = dict(epochs=2, pretrain_epochs=1, meta_epochs=2, teacher_epochs=1, batch_size=12, b=2,
             dropout=0.0)


class Steps(Listener):
    "Where parameters, buffers and batches were, and what the losses of each step were."
    def __init__(self): self.places, self.terms = set(), []

    def after_step(self, loop, batches, terms):
        self.terms.append(terms)
        held = [*loop.method.parameters(), *loop.method.buffers(), batches[0].index]
        self.places |= {x.device.type for x in held}


def trained(name, corpus, folder, **options):
    "Cut in the middle, resumed, finished, predicted with: (run, steps before the cut, behind it)."
    chosen = {k: v for k, v in (SHORT | options).items() if k in options_of(name)}
    common, first, rest = dict(progress=False, save_seconds=0, **chosen), Steps(), Steps()
    try: fit(name, corpus, 1, folder, listeners=[first, PowerCut(3)], **common)
    except Cut: pass
    run = fit(name, corpus, 1, folder, listeners=[rest], **common)
    predict_with(run, corpus)
    return run, first, rest


def on_device(name, corpus, **options):
    "Train there; (the fault in words or '', the first steps' losses)."
    with tempfile.TemporaryDirectory() as folder:
        try:
            with device(): run, first, rest = trained(name, corpus, folder, **options)
        except Exception as error:
            ours = [f"{Path(f.filename).name}:{f.lineno} {f.line}"
                    for f in traceback.extract_tb(error.__traceback__) if "msa_lit" in f.filename]
            return f"{type(error).__name__}: {str(error)[:300]} | {' | '.join(ours[-2:])}", None
    if (places := first.places | rest.places) != {NAME}: return f"trained on {sorted(places)}", None
    left = [k for k, v in run.state.items() if isinstance(v, Pretend)]
    return f"the result's {left[0]} is still on the GPU" if left else "", first.terms


def unlike(name, corpus, there, **options):
    "The same on the CPU: the first loss must agree to rounding, the second after a like update."
    with tempfile.TemporaryDirectory() as folder:
        here = trained(name, corpus, folder, **options)[1].terms
    for k, close in ((0, 1e-4), (1, 1e-2)):
        for term, value in here[k].items():
            gap = abs(value - there[k][term])
            if gap > close * (1 + abs(value)):
                return f"step {k}: {term} {there[k][term]:.6f}, on the CPU {value:.6f}"
    return ""


OPTIONS = ("encoder", "clip", "schedule", "effect", "factor", "rate", "align_on", "label_draws",
           "beta", "future", "guide", "direction", "bound", "history", "memory", "at_layer")


def todo(folder):
    "(method with pieces, options): methods, each piece once, what changes a step, text networks."
    write_networks(folder)
    alone = [(name, {}) for name in names("method")]
    hosts = [(next(m for m in names("method") if fits(f"{m}+{piece}")), piece)
             for piece in names("piece")]
    more = [(m, o) for m, o in MORE if set(o) & set(OPTIONS)]
    texts = [("late_fusion", {"text": str(folder / t), "freeze_text": frozen})
             for t in NETWORKS for frozen in (False, True)]
    half = [(name, {"precision": "bf16"}) for name in names("method")]
    return alone + [(f"{m}+{p}", {}) for m, p in hosts] + more + texts + half


def words(asked): # "mug" or "mug:bf16" -> (name, options)
    name, _, precision = asked.partition(":")
    return name, {"precision": precision} if precision else {}


def main():
    corpus, failed = simulate(n=(64, 12, 12), seed=0), 0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = [words(w) for w in sys.argv[1:]] or todo(Path(folder))
        for name, options in asked:
            shown = name + "".join(f" {k}={Path(v).name if k == 'text' else v}"
                                   for k, v in options.items())
            fault, there = on_device(name, corpus, **options)
            # the CPU may have no bfloat16 of its own; text networks draw dropouts in other groups
            exact = not {"precision", "text"} & set(options)
            if not fault and exact: fault = unlike(name, corpus, there, **options)
            failed += bool(fault)
            print(f"{'FAILED' if fault else 'passed'} {shown} {fault}", flush=True)
    print(f"{len(asked) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
