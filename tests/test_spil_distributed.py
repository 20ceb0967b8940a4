"Covariance alignment with two processes equals one process that holds the whole batch."
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from msa_lit.model.gather import Share, average_gradients, cut_batch, gather_output, sharing
from msa_lit.model.processes import launched, together
from msa_lit.spil.modes import CommonWidth, mode_losses

WIDTHS = {"text": 6, "audio": 3, "vision": 5}
# rows of a batch, modes; 3 leave one process without any
STEPS = [(8, "V-A"), (7, "T-V/V+A"), (3, "T-A/T-V/V+A")]


class Encoders(nn.Module):
    "A linear encoder per modality, then the common width."
    def __init__(self):
        super().__init__()
        self.encoders = nn.ModuleDict({m: nn.Linear(4, d) for m, d in WIDTHS.items()})
        self.common = CommonWidth(WIDTHS)

    def forward(self, inputs):
        return self.common({m: encoder(inputs[m]) for m, encoder in self.encoders.items()})


def setting(rows):
    torch.manual_seed(7)
    return Encoders(), {m: torch.randn(rows, 4) + 2 for m in WIDTHS}


def encoded(model, inputs, rows, rank, processes):
    share = Share(cut_batch(rows, processes), rank)
    own = slice(share.rows.start, share.rows.stop)
    with sharing(share if processes > 1 else None):
        return gather_output(model({m: x[own] for m, x in inputs.items()}), len(share.rows))


def losses_and_gradients(rows, modes, rank, processes):
    model, inputs = setting(rows)
    terms = mode_losses(encoded(model, inputs, rows, rank, processes), modes)
    sum(terms.values()).backward()
    if processes > 1:
        average_gradients(model.parameters(), processes)
    return ({m: t.detach() for m, t in terms.items()},
            {n: p.grad for n, p in model.named_parameters()})


def refusal(rank, processes):
    model, inputs = setting(8)
    if rank == 1:
        inputs["audio"] = inputs["audio"] * torch.nan
    try:
        mode_losses(encoded(model, inputs, 8, rank, processes), "V-A")
    except ValueError as error:
        return str(error)


@pytest.fixture(scope="module")
def found():
    return together(lambda: ([losses_and_gradients(*step, *launched()) for step in STEPS],
                             refusal(*launched())), 2)


@pytest.mark.parametrize("case", range(len(STEPS)), ids=map(str, STEPS))
def test_two_processes_give_the_gradient_of_one(found, case):
    terms, grads = losses_and_gradients(*STEPS[case], 0, 1)
    for steps, _ in found:
        there_terms, there = steps[case]
        for name, term in terms.items():
            assert_close(there_terms[name], term)
        for name, grad in grads.items():
            assert (grad is None) == (there[name] is None), name
            if grad is not None:
                assert_close(there[name], grad)
    assert any(g is not None and g.abs().sum() > 1e-3 for g in grads.values())


def test_bad_features_in_one_process_stop_both(found):
    assert all("NaN or infinity in 4 of 8 rows, first in row 4" in refused for _, refused in found)
