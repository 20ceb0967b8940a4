"""A MOSEI-sized store: how fast it opens, what training on it takes of memory and of time.

python large.py STORE              open, prepare with frozen cached text, 600 steps of Self-MM
python large.py STORE end-to-end   the same, but whole epochs, selection, scores and a saved run
python large.py STORE pickle FILE  write the corpus as the pickle that is exchanged
python large.py FILE convert STORE make a store of such a pickle, and look at the memory of that

Pages of mapped files can be dropped whenever memory is short; private pages cannot. Both are read
from the kernel's own books every tenth of a second, and the largest value counts.
"""
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
CHOSEN = dict(text="minilm", freeze_text=True, batch_size=32)


def pages():
    "Megabytes of this process: (private, mapped from files)."
    fields = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        fields[name] = int(rest.split()[0]) / 1024
    private = fields["Anonymous"] + fields.get("Swap", 0)
    return private, fields["Rss"] - fields["Anonymous"]


class Peak(threading.Thread):
    "Largest private and mapped megabytes while the block runs."

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.private, self.mapped = threading.Event(), 0.0, 0.0

    def run(self):
        while not self.over.wait(0.1): self.look()

    def look(self):
        private, mapped = pages()
        self.private, self.mapped = max(self.private, private), max(self.mapped, mapped)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.look()
        self.over.set()


def imported():
    "Everything that training needs, torch and transformers included; then the pages so far."
    import torch
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    import transformers.models.bert.modeling_bert  # noqa: F401
    from ours import built  # noqa: F401
    from msa_lit.train import loop, report, runs  # noqa: F401
    return pages()


def opened(store):
    "Seconds to open a store, the middle of three: wall and processor."
    from msa_lit.train.runs import load_corpus
    took = []
    for _ in range(3):
        began = time.perf_counter(), time.process_time()
        load_corpus(store)
        took.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return sorted(took)[1]


def timed(loop, train, n, prefetch):
    "Seconds of n steps, and those spent waiting for batches: by the clock, and of this thread."
    from ours import steps
    waits = []
    at = steps(loop, train, prefetch, waits.append)
    for _ in range(11): next(at)
    waits.clear()
    began = time.perf_counter(), time.thread_time()
    for _ in range(n): next(at)
    whole = time.perf_counter() - began[0], time.thread_time() - began[1]
    at.close()
    loop.progress.epoch += 1  # other rows next time, as an epoch would
    return [*whole, *np.sum(waits, 0)]


def train_some(store, rounds=4, n=75):
    """Prepare and take some steps, by turns with one batch ahead and without; memory above the
    import, and the share of a step that is spent waiting for batches."""
    from ours import built
    before = pages()[0]
    with Peak() as peak:
        began = time.perf_counter()
        loop, train = built(store, "self_mm", -1, CHOSEN)
        prepared = time.perf_counter() - began
        ready = peak.private - before
        found = {}
        for r in range(rounds):
            for ahead in (r % 2 == 1, r % 2 == 0):
                found.setdefault(ahead, []).append(timed(loop, train, n, ahead))
    told = {"prepare_s": round(prepared, 2), "prepare_private_mb": round(ready),
            "steps": rounds * n}
    for ahead, name in ((False, ""), (True, "_ahead")):
        step, step_cpu, load, load_cpu = 1000 * np.sum(found[ahead], 0) / (rounds * n)
        told |= {f"step{name}_ms": round(step, 2), f"step{name}_cpu_ms": round(step_cpu, 2),
                 f"loading{name}_ms": round(load, 2), f"loading{name}_cpu_ms": round(load_cpu, 2),
                 f"loading{name}_share": round(load / step, 4),
                 f"loading{name}_share_cpu": round(load_cpu / step_cpu, 4)}
    return told | {"private_mb": round(peak.private - before), "mapped_mb": round(peak.mapped)}


def end_to_end(store, epochs=2):
    "Fit, select, score and save on the whole corpus; seconds and memory."
    import tempfile
    from msa_lit.train.runs import fit, load_corpus
    before = pages()[0]
    with tempfile.TemporaryDirectory() as folder, Peak() as peak:
        began = time.perf_counter()
        run = fit("self_mm", load_corpus(store), folder=Path(folder) / "run", progress=False,
                  epochs=epochs, **CHOSEN)
        took = time.perf_counter() - began
    return {"epochs": epochs, "fit_s": round(took, 1), "private_mb": round(peak.private - before),
            "mapped_mb": round(peak.mapped), "epoch_s": run.history.seconds.round(1).tolist(),
            "mae": round(run.metrics["mae"], 4)}


def pickled(store, file):
    "The corpus as a pickle; what this takes is nobody's concern."
    from msa_lit.data.layouts import write_mmsa
    from msa_lit.train.runs import load_corpus
    write_mmsa(load_corpus(store), file)
    return {"pickle_mb": os.path.getsize(file) >> 20}


def converted(file, store):
    "Seconds and memory of a conversion; the store is removed again."
    import shutil
    from msa_lit.data.readers import convert
    before = pages()[0]
    with Peak() as peak:
        began = time.perf_counter()
        convert(file, store, overwrite=True)
        took = time.perf_counter() - began
    shutil.rmtree(store)
    return {"pickle_mb": os.path.getsize(file) >> 20, "convert_s": round(took, 1),
            "convert_private_mb": round(peak.private - before)}


def main(store, what="steps", other=None):
    if other:
        print(json.dumps({"pickle": pickled, "convert": converted}[what](store, other)))
        return
    private, mapped = imported()
    size = sum(p.stat().st_size for p in Path(store).iterdir()) / 2 ** 20
    took = opened(store)
    told = end_to_end(store) if what == "end-to-end" else train_some(store)
    print(json.dumps({"store_mb": round(size), "import_private_mb": round(private),
                      "import_mapped_mb": round(mapped),
                      "open_s": round(took[0], 3), "open_cpu": round(took[1], 3)} | told))


if __name__ == "__main__": main(*sys.argv[1:])
