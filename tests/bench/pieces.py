"""Single claims of the page, measured: half precision, a compiled network, what the loop costs.

python pieces.py precision | compile | overhead    JSON on the last line
"""
import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))


def sentences(n=32, seed=0):
    "Token ids of a batch with MOSI's lengths of sentences."
    import shapes
    from msa_lit.data.corpus import pad
    rng = np.random.default_rng(seed)
    return pad([rng.integers(1000, 20000, t) for t in shapes.draw_lengths(n, "text", rng)])


def learn(network, padded, bf16=False):
    "Forward and backward of a text network, without a step."
    import torch
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16): states = network.states(padded)
    states.float().square().mean().backward()


def medians(works, rounds=9):
    "Median processor seconds of several works that take turns."
    from msa_lit.book.field import median_seconds
    return median_seconds(works, rounds)


def precision():
    "bfloat16 over float32: one product, and a training pass of the text network."
    import torch
    from msa_lit.model.batching import plain_forms
    from msa_lit.model.encoders import text_network
    from msa_lit.train.pace import has_bf16
    torch.manual_seed(0)
    a = torch.randn(768, 768)
    b, network, padded = a.bfloat16(), text_network("minilm"), sentences()
    with plain_forms(network):
        took = medians({"product fp32": lambda: a @ a, "product bf16": lambda: b @ b,
                        "text fp32": lambda: learn(network, padded),
                        "text bf16": lambda: learn(network, padded, True)})
    return {"instructions": has_bf16("cpu"), "ms": {k: round(1e3 * v, 3) for k, v in took.items()},
            **{f"{k}_ratio": round(took[f"{k} bf16"] / took[f"{k} fp32"], 3)
               for k in ("product", "text")}}


def compiled():
    """torch.compile of the text network: seconds before the first result, and a pass over ours. It
    cannot follow oneDNN's tensors, so the compiled network multiplies in torch's own way."""
    import torch
    from msa_lit.model.batching import OneDnnLinear
    from msa_lit.model.encoders import text_network
    if not shutil.which("g++"): return {"compiler": None}
    plain, fast, padded = text_network("minilm"), text_network("minilm"), sentences()
    for m in fast.modules():
        if isinstance(m, OneDnnLinear): m.fast = False
    fast.model = torch.compile(fast.model)
    began = time.process_time(), time.perf_counter()
    learn(fast, padded)
    first = time.process_time() - began[0], time.perf_counter() - began[1]
    began = time.perf_counter()
    learn(fast, sentences(seed=1))  # other lengths
    other = time.perf_counter() - began
    took = medians({"plain": lambda: learn(plain, padded), "compiled": lambda: learn(fast, padded)})
    return {"compiler": "g++", "first_cpu_s": round(first[0], 1), "first_s": round(first[1], 1),
            "other_shape_s": round(other, 1), "ms": {k: round(1e3 * v, 2) for k, v in took.items()},
            "ratio": round(took["compiled"] / took["plain"], 3)}


class Watch:
    "Adds up the processor time inside some functions, whichever is the outermost."

    def __init__(self): self.inside, self.spent = False, 0.0

    def over(self, work):
        def watched(*args, **more):
            if self.inside: return work(*args, **more)
            self.inside, began = True, time.process_time()
            try: return work(*args, **more)
            finally:
                self.inside = False
                self.spent += time.process_time() - began
        return watched


def overhead(steps=60):
    "Processor time of a step that is neither model nor optimiser, in milliseconds."
    import torch
    import growth
    from msa_lit.data.corpus import make_batch
    from msa_lit.train import loop as loops
    watch = Watch()
    at = growth.endless("late_fusion", growth.corpus(clips=1000))
    loop = at.gi_frame.f_locals["loop"]
    loop.method.forward = watch.over(loop.method.forward)
    plain = loops.total_losses, torch.Tensor.backward
    loops.total_losses = watch.over(loops.total_losses)
    torch.Tensor.backward = watch.over(torch.Tensor.backward)
    loop.optimiser.step = watch.over(loop.optimiser.step)
    for _ in range(10): next(at)
    whole, model = [], []
    for _ in range(steps):
        watch.spent, began = 0.0, time.process_time()
        next(at)
        whole.append(time.process_time() - began)
        model.append(watch.spent)
    loops.total_losses, torch.Tensor.backward = plain
    train, draw = loop.corpus.splits["train"], np.random.default_rng(0)
    load = medians({"load": lambda: make_batch(train, draw.integers(0, len(train), 32))}, steps)
    outside = np.median(np.subtract(whole, model))
    return {"steps": steps, "step_ms": round(1e3 * float(np.median(whole)), 3),
            "outside_ms": round(1e3 * float(outside), 3),
            "loading_ms": round(1e3 * load["load"], 3)}


def main(what):
    import torch
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    work = {"precision": precision, "compile": compiled, "overhead": overhead}[what]
    print(json.dumps({what: work()}))


if __name__ == "__main__": main(*sys.argv[1:])
