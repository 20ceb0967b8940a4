"""200 finished runs of MOSI's size in a folder: how long a table and a report take.

python folder.py FOLDER    missing runs are made: five fits, each saved forty times
"""
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
METHODS, SEEDS = ("late_fusion", "self_mm", "ugf", "spil", "late_fusion+dgm"), range(1111, 1151)


def make(folder):
    "Five real fits of one epoch, each saved under forty seeds with slightly other numbers."
    import numpy as np
    import pandas as pd
    from msa_lit.simulate.world import simulate
    from msa_lit.train.comparison import check_results, constant_rows
    from msa_lit.train.runs import fit
    corpus = simulate(n=(64, 229, 686), seed=1)
    for name in METHODS:
        run, rng = fit(name, corpus, progress=False, epochs=1), np.random.default_rng(0)
        history = pd.concat([run.history] * 25, ignore_index=True)
        history["epoch"] = range(len(history))
        heads = [c for c in run.predictions if c not in ("split", "id", "label")]
        for seed in SEEDS:
            moved = run.predictions.copy()
            moved[heads] += rng.normal(0, 0.02, (len(moved), len(heads)))
            replace(run, seed=seed, predictions=moved, history=history).save(
                folder / name / str(seed), weights=False)
    check_results(folder, constant_rows(corpus, "tiny"))


def main(folder):
    folder = Path(folder)
    if not folder.exists(): make(folder)
    import numpy as np

    def clocks(): return np.array([time.perf_counter(), time.process_time()])
    from msa_lit.train.comparison import read_results, table
    marks = [clocks()]
    results = read_results(folder)
    shown = table(results)
    marks.append(clocks())
    from msa_lit.train.report import write_report
    path = write_report(folder)
    marks.append(clocks())
    told = {"runs": len(METHODS) * len(SEEDS), "rows": len(results), "methods": len(shown),
            "report_kb": path.stat().st_size >> 10}
    for name, (wall, cpu) in zip(("table", "report"), np.diff(marks, axis=0), strict=True):
        told |= {f"{name}_s": round(wall, 3), f"{name}_cpu": round(cpu, 3)}
    print(json.dumps(told))


if __name__ == "__main__": main(sys.argv[1])
