"Training steps of these methods wait for no device."

import pytest
import torch
import waits
from msa_lit.model.common import LateFusion


@pytest.mark.parametrize("name", ["self_mm", "spil", "mfon"])
def test_a_step_waits_for_nothing(name):
    assert {(row["waits"], row["where"]) for row in waits.rows(name)} == {(0, "")}


def test_ugf_waits_once():
    assert [row["waits"] for row in waits.rows("ugf")] == [0, 1]


@pytest.mark.parametrize(("ask", "times"), [
    (lambda x: x.sum().item(), 1), (lambda x: bool((x > 0).all()), 1), (lambda x: x.tolist(), 1),
    (lambda x: x.cpu(), 1), (lambda x: x.numpy(), 1), (lambda x: x[x > 0], 1),
    (lambda x: x.nonzero(), 1), (lambda x: x[x.argmax()], 1), (lambda x: torch.equal(x, x), 1),
    (lambda x: x.to("cpu") + 1, 1), (lambda x: float(x.cpu().sum()), 1), (lambda x: 2 * x, 0),
    (lambda x: x[torch.tensor([0, 1])], 0), (lambda x: torch.where(x > 0, x, 0), 0),
    (lambda x: torch.zeros(3).sum().item(), 0)])
def test_the_count_sees_what_waits(ask, times):
    steps = waits.Steps()
    x = torch.arange(3.)
    steps.marks.put(x)
    with waits.counting(steps):
        ask(x)
    assert sum(steps.now.values()) == times, steps.now


def test_a_method_that_gains_a_wait_is_found(monkeypatch):
    plain = LateFusion.losses

    def looks(self, batch, out):
        assert out.predictions["multimodal"].mean() < 1e9
        return plain(self, batch, out)
    assert [r["waits"] for r in waits.rows("late_fusion")] == [0]
    monkeypatch.setattr(LateFusion, "losses", looks)
    assert [r["waits"] for r in waits.rows("late_fusion")] == [1]
