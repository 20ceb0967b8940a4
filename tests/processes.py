"""Every method, every piece that fits it, and options that change what is exchanged.

python tests/processes.py             in one, two and three processes (make processes)
python tests/processes.py --resume    only what results/processes/table.csv does not hold yet

Methods and pieces are those that are registered, other packages' included. Sittings are taken some
at a time and written down at once: results/processes/table.csv and chance.csv. What ends farther
than 1e-5 away in single precision is held against one process whose weights are nudged in their
last place: rounding.csv.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402

from msa_lit.base.catalogue import names  # noqa: E402
from msa_lit.train.examination import Setting  # noqa: E402
from msa_lit.train.together import Sitting, compare_processes, examine_chance  # noqa: E402
from msa_lit.train.together import examine_rounding, passes  # noqa: E402

FOLDER = ROOT / "results" / "processes"
COLUMNS = ["precision", "method", "processes", "weights", "predictions", "history",
           "all the same", "refused"]
TOGETHER = 8  # sittings in one go: their processes import only once
MORE = [  # options that change what is exchanged, drawn or padded
    ("late_fusion", dict(encoder="transformer")),
    ("late_fusion", dict(accumulate=2, clip=0.5)),
    ("late_fusion", dict(optimiser="amsgrad", warmup=0.3)),
    ("late_fusion", dict(schedule="cosine", warmup=0.2, loss="mse")),
    ("late_fusion", dict(text="random:bert")),
    ("late_fusion", dict(batch_size=7)),
    ("self_mm", dict(side="multimodal", guard="keep", zeros="positive")),
    ("self_mm", dict(accumulate=3)),
    ("spil", dict(modes="T-A/T-V/V+A", shared_weight=100.0)),
    ("spil", dict(align_on="features", modes="T+A/V-A")),
    ("spil", dict(weight_from="prediction", accumulate=2)),
    ("ugf", dict(effect="update")),
    ("ugf", dict(form="softmax", unit="modality", factor="relative")),
    ("ugf", dict(form="random", rate=0.3, accumulate=2)),
    ("ugf", dict(form="clamped", alpha=0.3)),
    ("mug", dict(gamma=1.0, eta=1.0, stop="none", beta=1.0)),
    ("mug", dict(examine=False)),
    ("mug", dict(labels="copy")),
    ("mug", dict(labels="true")),
    ("mug", dict(beta=0.0)),
    ("mug", dict(label_draws=3, meta_epochs=2)),
    ("mug_mlc", dict(meta_epochs=2)),
    ("mfon", dict(beta=2.0, temperature=0.2)),
    ("mfon", dict(alpha=0.0)),
    ("mfon", dict(prompt="shared", guide="audio")),
    ("mfon", dict(future=True, reduction="first")),
    ("mfon", dict(accumulate=2, direction="student_first")),
    ("graph_mfn", dict(sigmoid=True, accumulate=2)),
    ("mag_bert", dict(at_layer=1, beta=0.2, accumulate=2)),
    ("mfm", dict(memory=8, accumulate=2, prior=10.0)),
    ("mmim", dict(bound="steps", accumulate=2, beta=1.0)),
    ("mmim", dict(history=2, variance=True, whole=True, batch_size=26)),
]


def sittings():
    "Methods alone, with each piece that fits, with all of those; then the options."
    out = []
    for name in names("method"):
        fitting = [p for p in names("piece") if fits(f"{name}+{p}")]
        out += [Sitting(name), *(Sitting(f"{name}+{p}") for p in fitting)]
        if len(fitting) > 1:
            out.append(Sitting("+".join([name, *fitting])))
    return out + [Sitting(*pair) for pair in MORE]


def fits(name):
    try:
        Setting(name).fresh()
    except ValueError:
        return False
    return True


def examined(todo, precision, table):
    "Sit some at a time; the file grows with every one of them."
    done = set(zip(table.precision, table.method, strict=True))
    left = [s for s in todo if (precision, str(s)) not in done]
    for start in range(0, len(left), TOGETHER):
        part, began = left[start:start + TOGETHER], time.monotonic()
        found = compare_processes(part, exact=precision == "double", timeout=3600)
        table = pd.concat([table, found.assign(precision=precision)[COLUMNS]], ignore_index=True)
        write(table, "table", "%.2e")
        print(f"{precision}: {start + len(part)} of {len(left)} sittings, "
              f"{time.monotonic() - began:.0f} s: {', '.join(map(str, part))}", flush=True)
    return table


def write(table, name, digits):
    table.to_csv(FOLDER / f"{name}.csv", index=False, float_format=digits, lineterminator="\n")


def held_to(table):
    "Which rows pass; in single precision beside what rounding alone does, where that is asked."
    exact = table.precision == "double"
    held = [passes(row, double) for (_, row), double in zip(table.iterrows(), exact, strict=True)]
    far = sorted(set(table.method[~exact & ~pd.Series(held, table.index)]))
    if not far: return held
    own = examine_rounding(far)
    print(own.to_string(), flush=True)
    write(own, "rounding", "%.3g")
    own = own.set_index("method")
    return [ok or (not double and row.method in own.index
                   and passes(row, False, rounding=own.loc[row.method]))
            for ok, double, (_, row) in zip(held, exact, table.iterrows(), strict=True)]


def before(resume):
    file = FOLDER / "table.csv"
    if not resume or not file.exists():
        return pd.DataFrame(columns=COLUMNS)
    numbers = {k: [""] for k in ("weights", "predictions", "history")}
    return pd.read_csv(file, keep_default_na=False, na_values=numbers)[COLUMNS]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resume", action="store_true")
    resume = parser.parse_args().resume
    FOLDER.mkdir(parents=True, exist_ok=True)
    todo = sittings()
    alone = [s for s in todo if "+" not in s.name and not s.options]
    print(f"{len(todo)} sittings, {len(alone)} of them methods alone", flush=True)
    table = before(resume)
    table = examined(alone, "double", table)
    table = examined([s for s in todo if s not in alone], "double", table)
    table = examined(alone, "single", table)
    print(table.to_string(), flush=True)
    held = held_to(table)
    if not all(held):
        sys.exit(f"several processes end elsewhere:\n{table[[not h for h in held]].to_string()}")
    if resume and (FOLDER / "chance.csv").exists():
        known = set(pd.read_csv(FOLDER / "chance.csv").method)
        if known >= {s.name for s in alone}:
            return
    chance = examine_chance([s.name for s in alone], timeout=3600)
    print(chance.to_string(), flush=True)
    write(chance, "chance", "%.4g")


if __name__ == "__main__":
    main()
