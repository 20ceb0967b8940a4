"""Every method, every piece that fits it, and options that change what is exchanged.

python tests/processes.py   about ten minutes, in one, two and three processes (make processes);
                            results/processes/table.csv and chance.csv
"""

import os
import sys
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402

from msa_lit.base.catalogue import entries  # noqa: E402
from msa_lit.train.examination import Setting  # noqa: E402
from msa_lit.train.together import Sitting, examine_chance, examine_processes  # noqa: E402

FOLDER = ROOT / "results" / "processes"
PIECES = ("align", "dgm", "ufm")
MORE = [  # options that change what is exchanged, drawn or padded
    ("late_fusion", dict(encoder="transformer")),
    ("late_fusion", dict(accumulate=2, clip=0.5)),
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
    ("mfm", dict(memory=8, accumulate=2, prior=10.0)),
    ("mmim", dict(bound="steps", accumulate=2, beta=1.0)),
    ("mmim", dict(history=2, variance=True, whole=True, batch_size=26)),
]


def sittings():
    "Methods alone, with each piece that fits, with all of those; then the options."
    names = sorted(name for kind, name in entries() if kind == "method")
    out = []
    for name in names:
        fitting = [p for p in PIECES if fits(f"{name}+{p}")]
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


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    todo = sittings()
    print(f"{len(todo)} sittings", flush=True)
    alone = [s for s in todo if "+" not in s.name and not s.options]
    tables = [
        examine_processes(todo, timeout=3600).assign(precision="double"),
        examine_processes(alone, exact=False, timeout=3600).assign(precision="single"),
    ]
    table = pd.concat(tables, ignore_index=True)
    print(table.to_string(), flush=True)
    table.to_csv(FOLDER / "table.csv", index=False, float_format="%.2e", lineterminator="\n")
    chance = examine_chance([s.name for s in alone], timeout=3600)
    print(chance.to_string(), flush=True)
    chance.to_csv(FOLDER / "chance.csv", index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    main()
