"Covariance alignment with two processes equals one process that holds the whole batch."

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from msa_lit.spil.modes import CommonWidth, gather_features, mode_losses

WIDTHS = {"text": 6, "audio": 3, "vision": 5}


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


def gradients(model):
    return {name.removeprefix("module."): p.grad for name, p in model.named_parameters()}


def part(inputs, sizes, rank):
    start = sum(sizes[:rank])
    return {m: x[start:start + sizes[rank]] for m, x in inputs.items()}


def process(rank, work, sizes, modes, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=len(sizes))
    torch.save(work(rank, sizes, modes), f"{folder}/{rank}.pt")
    dist.barrier()  # nobody leaves while the other is still listening
    dist.destroy_process_group()


def in_processes(work, sizes, modes, folder):
    "What `work` returned in each process."
    mp.spawn(process, (work, sizes, modes, folder), nprocs=len(sizes))
    return [torch.load(f"{folder}/{rank}.pt") for rank in range(len(sizes))]


def train_step(rank, sizes, modes):
    model, inputs = setting(sum(sizes))
    model = DistributedDataParallel(model, find_unused_parameters=True)
    terms = mode_losses(model(part(inputs, sizes, rank)), modes)
    sum(terms.values()).backward()
    return {m: t.detach() for m, t in terms.items()}, gradients(model)


def gather_only(rank, sizes, modes):
    rows = part({"x": torch.arange(3. * sum(sizes)).reshape(-1, 3)}, sizes, rank)["x"].requires_grad_()
    whole = gather_features(rows)
    weight = torch.arange(1., whole.numel() + 1).reshape(whole.shape)
    ((rank + 1) * whole * weight).sum().backward()
    return whole.detach(), rows.grad


def refuse(rank, sizes, modes):
    model, inputs = setting(sum(sizes))
    if rank == 1: inputs["audio"] = inputs["audio"] * torch.nan
    try: mode_losses(model(part(inputs, sizes, rank)), modes)
    except ValueError as error: return str(error)


@pytest.mark.parametrize("sizes", [(5, 3), (1, 1), (4, 0)], ids=str)
def test_rows_arrive_in_order_and_gradients_return(sizes, tmp_path):
    (whole_0, grad_0), (whole_1, grad_1) = in_processes(gather_only, sizes, None, tmp_path)
    rows = torch.arange(3. * sum(sizes)).reshape(-1, 3)
    assert_close(whole_0, rows)
    assert_close(whole_1, rows)
    weight = torch.arange(1., rows.numel() + 1).reshape(rows.shape)
    assert_close(torch.cat([grad_0, grad_1]), 3 * weight)  # process 0 asks for it once, process 1 twice


@pytest.mark.parametrize("sizes, modes", [((5, 3), "V-A"), ((5, 3), "T-V/V+A"), ((1, 1), "T-A/T-V/V+A")], ids=str)
def test_two_processes_give_the_gradient_of_one(sizes, modes, tmp_path):
    parts = in_processes(train_step, sizes, modes, tmp_path)
    model, inputs = setting(sum(sizes))
    terms = mode_losses(model(inputs), modes)
    sum(terms.values()).backward()
    for found_terms, found in parts:
        for name, term in terms.items(): assert_close(found_terms[name], term.detach())
        for name, grad in gradients(model).items():
            if grad is None: assert found[name] is None or not found[name].any(), name
            else: assert_close(found[name], grad, msg=name)
    assert any(g is not None and g.abs().sum() > 1e-3 for g in gradients(model).values())


def test_bad_features_in_one_process_stop_both(tmp_path):
    messages = in_processes(refuse, (4, 4), "V-A", tmp_path)
    assert all("NaN or infinity in 4 of 8 rows, first in row 4" in message for message in messages)
