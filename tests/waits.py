"""Where a training step waits for a device, counted without one.

What comes of parameters, buffers or batches is marked as lying on a device. Two modes see what is
done with it and count whatever hands one of its numbers to the host: `item`, `bool`, `tolist`,
`cpu`, boolean indices, `nonzero` and their like. `at_hand` answers for marked values as it does on
a GPU. What torch waits for inside one of its kernels is seen only where it is listed here, and
forms that are taken on a CPU alone are those that run. Copies towards a device are not counted.

python tests/waits.py            every method; writes results/bench/waits.csv
python tests/waits.py ugf spil   these; writes nothing
"""

import os
import sys
import warnings
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402
import torch  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from msa_lit.base.catalogue import names, options_of  # noqa: E402
from msa_lit.data.corpus import at_hand  # noqa: E402
from msa_lit.model.contract import import_all  # noqa: E402
from msa_lit.simulate.world import simulate  # noqa: E402
from msa_lit.train import runs  # noqa: E402
from msa_lit.train.listeners import Listener  # noqa: E402

SHORT = dict(epochs=2, pretrain_epochs=1, meta_epochs=2, teacher_epochs=1, batch_size=12, b=2)
ASK = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_dim",
       "unique_consecutive", "bincount", "repeat_interleave", "_linalg_eigh", "_linalg_svd",
       "linalg_eig", "linalg_inv_ex", "_linalg_check_errors", "_pack_padded_sequence"}
INDEXED = {"index", "index_put", "index_put_", "_unsafe_index", "_index_put_impl_"}
WHY = {  # what may wait, and why it does
    "ugf.": "masking and modulation take a batch's confidences as numbers: dropout's rate comes "
            "from the host. One transfer for all of them",
    "mug.meta.": "only a refused step pays for a second derivative: the host asks which were",
    "mug.method.": "stage 2 takes steps of its own: it asks whether a pass over the clips is over, "
                   "and hands its losses to the log",
}
TABLE = ROOT / "results" / "bench" / "waits.csv"
TAKE = {torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.cpu, torch.Tensor.__array__}


class Marks:
    "The storages that would lie on a device; kept, so that no other one gets their place."

    def __init__(self):
        self.kept = {}

    def has(self, x):
        known = isinstance(x, torch.Tensor) and x.layout == torch.strided
        return known and x.untyped_storage()._cdata in self.kept

    def put(self, *tensors):
        for x in tensors:
            if isinstance(x, torch.Tensor) and x.layout == torch.strided:
                storage = x.untyped_storage()
                self.kept[storage._cdata] = storage

    def drop(self, x):
        self.kept.pop(x.untyped_storage()._cdata, None)


def place():
    "The function of ours that asked: module and name."
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("msa_lit."):
            return f"{name.removeprefix('msa_lit.')}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return "torch"


class Operations(TorchDispatchMode):
    def __init__(self, marks, count):
        super().__init__()
        self.marks, self.count = marks, count

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [x for x in tree_leaves((args, kwargs)) if self.marks.has(x)]
        name = func._schema.name.partition("::")[2]
        if given and self.asks(name, args, kwargs):
            self.count(name, place())
        out = func(*args, **kwargs)
        if given:
            kept = out[:1] if name == "_pack_padded_sequence" else out  # its counts are the host's
            self.marks.put(*tree_leaves(kept))
        return out

    def asks(self, name, args, kwargs):
        if name in INDEXED:
            which = [i for i in args[1] if i is not None]
            return any(i.dtype in (torch.bool, torch.uint8) and self.marks.has(i) for i in which)
        if name == "_pack_padded_sequence":
            return self.marks.has(args[1])
        known = kwargs.get("output_size") is not None
        return name in ASK and not (name == "repeat_interleave" and known)


class Calls(TorchFunctionMode):
    def __init__(self, marks, count):
        super().__init__()
        self.marks, self.count = marks, count

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        asked = func in TAKE or (func is torch.Tensor.to and "cpu" in map(str, args[1:]))
        if not (asked and self.marks.has(args[0])):
            return func(*args, **kwargs)
        self.count(func.__name__, place())
        out = func(*args, **kwargs)
        if isinstance(out, torch.Tensor):
            out = out.clone()  # now it is the host's
            self.marks.drop(out)
        return out


class Steps(Listener):
    "Counts from one step to the next, the first of a stage left out: {stage: most of a step}."

    def __init__(self):
        self.marks, self.most, self.now, self.at = Marks(), {}, Counter(), None

    def count(self, what, where):
        self.now[what, where] += 1

    def before_step(self, loop, batches):
        self.close(loop)
        self.at, self.now = (loop.stage.name, loop.progress.epoch), Counter()
        method, sums = loop.method, loop.progress.sums
        self.marks.kept.clear()
        self.marks.put(*method.parameters(), *method.buffers(), getattr(sums, "values", None))
        self.marks.put(*(x for part in loop.watch.parts for x in part))
        for batch in batches:
            self.marks.put(batch.index, *batch.labels.values())
            for padded in batch.inputs.values():
                self.marks.put(padded.values, padded.lengths)

    def close(self, loop):
        place = (loop.stage.name, loop.progress.epoch)
        self.most.setdefault(loop.stage.name, Counter())
        if self.at == place and loop.progress.step > 1:
            self.most[place[0]] |= self.now


@contextmanager
def counting(steps):
    "Inside, marked values are a device's."
    def near(values): return not steps.marks.has(values)
    import_all()  # a module that comes later would keep `near`
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("msa_lit.") and getattr(module, "at_hand", None) is at_hand:
                stack.enter_context(patch.object(module, "at_hand", near))
        stack.enter_context(patch("msa_lit.model.batching.usual_groups", lambda padded: 1))
        stack.enter_context(patch("msa_lit.model.batching.by_onednn", torch.nn.functional.linear))
        stack.enter_context(Operations(steps.marks, steps.count))
        stack.enter_context(Calls(steps.marks, steps.count))
        yield


def waits(name, **options):
    "{stage: {place: waits of a step}} of a method, the places that wait."
    chosen = {k: v for k, v in (SHORT | options).items() if k in options_of(name)}
    corpus, steps = simulate(n=(52, 12, 12), seed=0), Steps()
    with warnings.catch_warnings(), counting(steps):
        warnings.simplefilter("ignore")
        runs.fit(name, corpus, 1, listeners=[steps], progress=False, **chosen)
    assert steps.most
    found = {}
    for stage, counted in steps.most.items():
        found[stage] = Counter()
        for (_, where), n in counted.items():
            found[stage][where] += n
    return found


def reasons(places):
    "Why these wait; nothing where one of them has no reason."
    known = [next((why for k, why in WHY.items() if p.startswith(k)), "") for p in places]
    return "; ".join(dict.fromkeys(known)) if all(known) else ""


def rows(name):
    "Lines of the table."
    return [{"method": name, "stage": stage, "waits": sum(found.values()),
             "where": "; ".join(f"{k} {n}" for k, n in sorted(found.items())),
             "why": reasons(sorted(found))}
            for stage, found in waits(name).items()]


def main():
    asked = sys.argv[1:]
    table = pd.DataFrame([row for name in asked or names("method") for row in rows(name)])
    print(table.drop(columns="why").to_string(index=False))
    if not asked: table.to_csv(TABLE, index=False)


if __name__ == "__main__":
    main()
