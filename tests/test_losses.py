"The shared losses beyond what the notebook shows: random sizes, mixed precision, devices."
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from msa_lit.model.losses import info_nce, info_nce_floor, score


@settings(max_examples=100, deadline=None)
@given(n=st.integers(2, 40), d=st.integers(1, 12), tau=st.floats(0.02, 20),
       seed=st.integers(0, 10_000), near=st.booleans())
def test_no_batch_falls_below_the_floor(n, d, tau, seed, near):
    g = torch.Generator().manual_seed(seed)
    anchor = torch.randn(n, d, generator=g, dtype=torch.double)
    positive = anchor if near else torch.randn(n, d, generator=g, dtype=torch.double)
    assert info_nce(anchor, positive, tau).item() >= info_nce_floor(n, tau) - 1e-12


def test_loss_keeps_full_precision_under_mixed_precision():
    anchor, positive = torch.randn(32, 8), torch.randn(32, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = info_nce(anchor, positive, 0.1)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, info_nce(anchor, positive, 0.1), rtol=0.02, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_agrees_with_cpu():
    anchor, positive = torch.randn(32, 8), torch.randn(32, 8)
    torch.testing.assert_close(info_nce(anchor.cuda(), positive.cuda(), 0.1).cpu(),
                               info_nce(anchor, positive, 0.1))
    torch.testing.assert_close(score(anchor.cuda(), positive.cuda()).cpu(), score(anchor, positive))
