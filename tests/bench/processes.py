"""What a step costs in one, two and more processes on this machine.

python tests/bench/processes.py   results/bench/processes.csv, some minutes on two idle cores

Rounds alternate between the numbers of processes. Processor time is that of process 0 and does not
depend on what else the machine does; seconds on the clock do, and on its cores: where there are
more processes than cores, no second can be gained.
"""

import os
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "bench")]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from msa_lit.model.processes import together  # noqa: E402

TABLE = ROOT / "results" / "bench" / "processes.csv"
SETTINGS = {  # name -> (clips per batch, longer than MOSI's true lengths, options)
    "self_mm": (32, 1.0, {}),
    "spil": (32, 1.0, {}),
    "ugf": (32, 1.0, {}),
    "mfon": (32, 1.0, {}),
    "self_mm, batch 128": (128, 1.0, {}),
    "self_mm, frames x 3": (32, 3.0, {}),
}
STEPS = 12


def corpus(longer, n=160):
    "MOSI's columns and lengths, sentences of as many words."
    import torch
    from shapes import COLUMNS, draw_lengths, frames

    from msa_lit.data.corpus import Corpus, Split

    rng = np.random.default_rng(0)
    torch.set_num_threads(1)

    def split(name, n):
        words = [
            " ".join(f"w{k}" for k in rng.integers(0, 500, t)) for t in draw_lengths(n, "text", rng)
        ]
        seq = {
            m: frames(np.rint(longer * draw_lengths(n, m, rng)).astype(int), w, rng)
            for m, w in COLUMNS["mosi"].items()
        }
        labels = {"multimodal": rng.uniform(-3, 3, n).astype(np.float32)}
        return Split(
            tuple(f"{name}{i}$_$0" for i in range(n)), (name,) * n, labels, seq, tuple(words)
        )

    return Corpus(
        "mosi",
        "mosi",
        {"train": split("train", n), "valid": split("valid", 16), "test": split("test", 16)},
    )


def steps(setting):
    "Seconds and processor seconds of every step, and those spent on gathering and averaging."
    from msa_lit.model.common import ModelSpec
    from msa_lit.train.loop import Loop, train_step
    from msa_lit.train.runs import build, choose, read

    batch, longer, options = SETTINGS[setting]
    name = setting.split(",")[0]
    chosen = choose(name, {"batch_size": batch, **options})
    ready, words = read(corpus(longer), chosen["model"])
    method = build(name, ModelSpec.of(ready, chosen["model"], words), chosen, 1).calibrate(ready)
    loop = Loop(method, ready.without("test"), chosen["train"], 1, progress=False)
    loop.progress.stage = len(loop.stages) - 1
    loop.begin()
    apart, rows = [0.0], []
    for part in ("whole", "average"):
        setattr(loop.team, part, timed(getattr(loop.team, part), apart))
    for _ in range(STEPS + 2):
        loop.team.wait()
        apart[0], clock, cpu = 0.0, time.perf_counter(), time.process_time()
        train_step(
            loop,
            loop.team.batch(ready.splits["train"], list(range(batch)), loop.accelerator.device),
        )
        rows.append((time.perf_counter() - clock, time.process_time() - cpu, apart[0]))
    return rows[2:]


def timed(work, apart):
    def instead(*args):
        began = time.perf_counter()
        found = work(*args)
        apart[0] += time.perf_counter() - began
        return found

    return instead


def main(rounds=3, processes=(1, 2, 3)):
    found = []
    for turn in range(rounds):
        for P in processes:
            each = together(
                lambda: {s: steps(s) for s in SETTINGS},
                P,
                preload=("msa_lit.train.runs", "torch._dynamo"),
            )
            found += [
                dict(setting=s, processes=P, round=turn, seconds=a, processor=b, exchange=c)
                for s, rows in each[0].items()
                for a, b, c in rows
            ]
            print(f"round {turn + 1}, {P} processes", flush=True)
    table = (
        pd.DataFrame(found)
        .groupby(["setting", "processes"], sort=False)[["seconds", "processor", "exchange"]]
        .median()
    )
    table["cores"] = os.cpu_count()
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    table.reset_index().to_csv(TABLE, index=False, float_format="%.4g", lineterminator="\n")
    print(table.to_string())


if __name__ == "__main__":
    main()
