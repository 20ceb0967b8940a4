"No training step waits for a device, but for the waits that are counted and have a reason."

import pandas as pd
import pytest
import torch
import waits
from msa_lit.base.catalogue import names
from msa_lit.model.common import LateFusion

TABLE = pd.read_csv(waits.TABLE).fillna("")
MAY_WAIT = {"ugf": 1, "mug": 3, "mug_mlc": 2}  # in a step, at most; every other method never


def test_every_method_has_its_line():
    assert set(TABLE.method) == set(names("method"))
    assert (TABLE[TABLE.waits > 0].why != "").all()
    most = TABLE.groupby("method").waits.max()
    assert most[most > 0].to_dict() == MAY_WAIT


@pytest.mark.parametrize("name", names("method"))
def test_a_step_waits_as_often_as_the_table_says(name):
    assert waits.rows(name) == TABLE[TABLE.method == name].to_dict("records")


def test_a_wait_without_a_reason_is_told():
    assert waits.reasons(["ugf.x", "mug.meta.y"]) and not waits.reasons(["ugf.x", "model.losses.z"])


def test_counts_of_a_packed_batch_are_the_hosts():
    steps, x = waits.Steps(), torch.randn(2, 3, 4)
    steps.marks.put(x)
    with waits.counting(steps):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor([3, 2]), batch_first=True)
        packed.batch_sizes.tolist()
        assert not steps.now and steps.marks.has(packed.data)
        packed.data.tolist()
    assert sum(steps.now.values()) == 1


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
