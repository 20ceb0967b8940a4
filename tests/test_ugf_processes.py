"""UGF over several processes: every process must apply the same factors, those of the whole
batch."""
import torch
import torch.multiprocessing as mp
from torch.testing import assert_close

from msa_lit.ugf.uncertainty import RunningConfidence

NAMES = ("text", "audio", "vision")


def _batches():
    g = torch.Generator().manual_seed(0)
    def draw(): return torch.randn(16, generator=g)
    return [({m: draw() for m in NAMES}, draw()) for _ in range(3)]


def _process(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous",
                                         rank=rank, world_size=2)
    judge = RunningConfidence(NAMES, alpha=0.5)
    for preds, target in _batches():
        got = judge({m: p[rank::2] for m, p in preds.items()}, target[rank::2])
    torch.save([judge.mean, got.factor], f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_agree_with_one(tmp_path):
    mp.spawn(_process, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{r}.pt") for r in (0, 1))
    assert torch.equal(first[0], second[0]) and first[1] == second[1]
    judge = RunningConfidence(NAMES, alpha=0.5)
    for preds, target in _batches():
        alone = judge(preds, target)
    assert_close(first[0], judge.mean, rtol=1e-6, atol=0)
    assert_close(first[1], alone.factor, rtol=1e-5, atol=0)
    assert any(abs(float(w) - 1) > 0.01 for w in alone.factor.values())
