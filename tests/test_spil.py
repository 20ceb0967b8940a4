"Covariance alignment, the optimal map and the modes on inputs nobody chose."
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from msa_lit.spil.covariance import covariance, covariance_alignment, covariance_alignment_grad
from msa_lit.spil.modes import LETTERS, covariance_overlap, parse_modes
from msa_lit.spil.optimal_map import attainable_loss, map_loss, optimal_alignment

rows, widths, seeds = st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**31)


def batches(n, k, d, seed, scale=1.0):
    draw = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(size, d, generator=draw, dtype=torch.float64) + 3
            for size in (n, k)]


@settings(max_examples=60, deadline=None)
@given(rows, rows, widths, seeds, st.floats(1e-3, 1e3))
def test_closed_form_gradient_is_autograd(n, k, d, seed, scale):
    a, v = (m.requires_grad_() for m in batches(n, k, d, seed, scale))
    auto = torch.autograd.grad(covariance_alignment(a, v), (a, v))
    closed = covariance_alignment_grad(a.detach(), v.detach())
    for got, want in zip(closed, auto, strict=True):
        assert_close(got, want, rtol=1e-8, atol=1e-8 * scale**3)


@settings(max_examples=60, deadline=None)
@given(rows, rows, widths, seeds, st.floats(-1e3, 1e3))
def test_what_must_not_matter_does_not(n, k, d, seed, shift):
    a, v = batches(n, k, d, seed)
    turn = torch.linalg.qr(torch.randn(d, d, dtype=torch.float64)).Q
    for loss in (covariance_alignment, covariance_overlap):
        reference = loss(a, v)
        for b, w in [(a + shift, v), (a.flip(0), v), (a, -v), (a @ turn, v @ turn), (v, a)]:
            assert_close(loss(b, w), reference, rtol=1e-6, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(rows, rows, widths, seeds)
def test_losses_stay_in_their_range(n, k, d, seed):
    a, v = batches(n, k, d, seed)
    assert covariance_alignment(a, v) >= 0
    assert -1e-12 <= covariance_overlap(a, v) <= 1 + 1e-12


@settings(max_examples=60, deadline=None)
@given(rows, rows, widths, widths, seeds)
def test_the_map_meets_the_bound_for_any_batches(n, k, d, e, seed):
    a, v = covariance(batches(n, 2, d, seed)[0]), covariance(batches(k, 2, e, seed + 1)[0])
    loss, bound = map_loss(optimal_alignment(a, v), a, v), attainable_loss(a, v)
    assert_close(loss, bound, rtol=1e-6, atol=1e-8 * float(v.square().sum()))


@settings(max_examples=100, deadline=None)
@given(st.text("TAV+-/ ", max_size=12))
def test_a_mode_text_parses_to_itself_or_is_refused(text):
    try: modes = parse_modes(text)
    except ValueError: return
    letter = {name: short for short, name in LETTERS.items()}
    written = "/".join(letter[m.first] + {"shared": "-", "private": "+"}[m.kind] + letter[m.second]
                       for m in modes)
    assert written == text.replace(" ", "")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_features_get_a_single_precision_loss(dtype):
    a, v = (m.to(dtype) for m in batches(8, 8, 4, 0))
    loss = covariance_alignment(a, v)
    assert loss.dtype == torch.float32
    assert_close(loss, covariance_alignment(a.float(), v.float()))
