"""UGF over several processes: every process must apply the same factors, those of the whole
batch."""
import torch
from torch.testing import assert_close

from msa_lit.model.gather import Share, cut_batch, sharing
from msa_lit.model.processes import launched, together
from msa_lit.ugf.uncertainty import RunningConfidence

NAMES = ("text", "audio", "vision")


def batches():
    g = torch.Generator().manual_seed(0)
    def draw(n): return torch.randn(n, generator=g)
    return [({m: draw(n) for m in NAMES}, draw(n)) for n in (17, 16, 3)]


def judged(found=(0, 1)):
    "What is known after three batches, of which the process has its part."
    judge, (rank, processes) = RunningConfidence(NAMES, alpha=0.5), found
    for preds, target in batches():
        share = Share(cut_batch(len(target), processes), rank) if processes > 1 else None
        own = slice(None) if share is None else slice(share.rows.start, share.rows.stop)
        with sharing(share):
            got = judge({m: p[own] for m, p in preds.items()}, target[own])
    return judge.mean, got.factor


def test_two_processes_agree_with_one():
    first, second = together(lambda: judged(launched()), 2)
    assert torch.equal(first[0], second[0]) and first[1] == second[1]
    mean, factor = judged()
    assert_close(first[0], mean, rtol=1e-6, atol=0)
    assert_close(first[1], factor, rtol=1e-5, atol=0)
    assert any(abs(float(w) - 1) > 0.01 for w in factor.values())
