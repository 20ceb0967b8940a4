"""Batches of like length beside shuffled ones: a method's test error by seed, and its time.

python like_length.py    JSON: for each method the paired differences, their mean and 95 % interval
"""
import json
import os
import warnings

import numpy as np

METHODS, SEEDS, POOL = ("late_fusion", "self_mm"), range(8), 8


def main():
    import torch
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    warnings.simplefilter("ignore")
    from scipy.stats import t
    from msa_lit.simulate.world import simulate
    from msa_lit.train.runs import fit
    corpus, rows = simulate(n=(240, 80, 240), seed=5), []
    for method in METHODS:
        errors, seconds = [], []
        for seed in SEEDS:
            common = dict(progress=False, epochs=6, batch_size=16, weights=False)
            runs = [fit(method, corpus, seed, like_length=pool, **common) for pool in (0, POOL)]
            errors.append([r.metrics["mae"] for r in runs])
            seconds.append([float(r.history.seconds.sum()) for r in runs])
        gaps = np.diff(errors)[:, 0]
        half = t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
        rows.append({"method": method, "pool": POOL, "seeds": len(gaps),
                     "mae": np.round(np.mean(errors, 0), 4).tolist(),
                     "difference": round(float(gaps.mean()), 4),
                     "half_width": round(float(half), 4),
                     "differences": np.round(gaps, 5).tolist(),
                     "seconds": np.round(np.median(seconds, 0), 2).tolist()})
    print(json.dumps({"like_length": rows}))


if __name__ == "__main__": main()
