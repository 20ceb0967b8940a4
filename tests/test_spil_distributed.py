"Covariance alignment with two processes equals one process that holds the whole batch."
import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from msa_lit.data.corpus import make_batch
from msa_lit.model.common import ModelSpec
from msa_lit.train.runs import build, choose, read
from msa_lit.simulate.world import simulate
from msa_lit.spil.modes import CommonWidth, gather_features, mode_losses
from msa_lit.train.loop import Loop, train_step

WIDTHS = {"text": 6, "audio": 3, "vision": 5}
SIZES = [(5, 3), (1, 1), (4, 0)]                                            # rows of each process
STEPS = [((5, 3), "V-A"), ((5, 3), "T-V/V+A"), ((1, 1), "T-A/T-V/V+A")]     # and the modes
ROWS = list(range(12))


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


def losses_and_gradients(sizes, modes, rank):
    model, inputs = setting(sum(sizes))
    model = DistributedDataParallel(model, find_unused_parameters=True)
    terms = mode_losses(model(part(inputs, sizes, rank)), modes)
    sum(terms.values()).backward()
    return {m: t.detach() for m, t in terms.items()}, gradients(model)


def gather_only(sizes, rank):
    rows = part({"x": torch.arange(3. * sum(sizes)).reshape(-1, 3)}, sizes,
                rank)["x"].requires_grad_()
    whole = gather_features(rows)
    weight = torch.arange(1., whole.numel() + 1).reshape(whole.shape)
    ((rank + 1) * whole * weight).sum().backward()
    return whole.detach(), rows.grad


def refuse(rank):
    model, inputs = setting(8)
    if rank == 1: inputs["audio"] = inputs["audio"] * torch.nan
    try: mode_losses(model(part(inputs, (4, 4), rank)), "V-A")
    except ValueError as error: return str(error)


def training_step(rows):
    """One step of `spil` in the training loop: terms, gradients, which utterances the label
    memory has seen."""
    chosen = choose("spil", dict(modes="V-A/T+A", shared_weight=100.0))
    ready, words = read(simulate(n=(24, 12, 12), seed=2), chosen["model"])
    model = build("spil", ModelSpec.of(ready, chosen["model"], words), chosen,
                  seed=3).calibrate(ready)
    for module in model.modules():
        if isinstance(module, (nn.Dropout, nn.MultiheadAttention)):
            setattr(module, "p" if isinstance(module, nn.Dropout) else "dropout", 0.0)
    loop = Loop(model, ready.without("test"), chosen["train"], seed=3, progress=False)
    loop.begin()
    terms = train_step(loop, make_batch(ready.splits["train"], rows))
    return (terms, {n: p.grad for n, p in model.named_parameters() if p.grad is not None},
            model.generator.visits)


def process(rank, folder):
    "Everything that needs two processes, in one go."
    torch.set_num_threads(1)
    # the group exists already when accelerate looks for it
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1",
                      MASTER_PORT="0",
                      ACCELERATE_USE_CPU="1")
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.save({"gathered": [gather_only(sizes, rank) for sizes in SIZES], "refused": refuse(rank),
                "steps": [losses_and_gradients(sizes, modes, rank) for sizes, modes in STEPS],
                "trained": training_step(ROWS[rank::2])}, f"{folder}/{rank}.pt")
    dist.barrier()  # nobody leaves while the other is still listening
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    mp.spawn(process, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("case", range(len(SIZES)), ids=map(str, SIZES))
def test_rows_arrive_in_order_and_gradients_return(found, case):
    (whole_0, grad_0), (whole_1, grad_1) = (f["gathered"][case] for f in found)
    rows = torch.arange(3. * sum(SIZES[case])).reshape(-1, 3)
    assert_close(whole_0, rows)
    assert_close(whole_1, rows)
    weight = torch.arange(1., rows.numel() + 1).reshape(rows.shape)
    # process 0 asks for it once, process 1 twice
    assert_close(torch.cat([grad_0, grad_1]), 3 * weight)


@pytest.mark.parametrize("case", range(len(STEPS)), ids=map(str, STEPS))
def test_two_processes_give_the_gradient_of_one(found, case):
    sizes, modes = STEPS[case]
    model, inputs = setting(sum(sizes))
    terms = mode_losses(model(inputs), modes)
    sum(terms.values()).backward()
    for there_terms, there in (f["steps"][case] for f in found):
        for name, term in terms.items(): assert_close(there_terms[name], term.detach())
        for name, grad in gradients(model).items():
            if grad is None: assert there[name] is None or not there[name].any(), name
            else: assert_close(there[name], grad)
    assert any(g is not None and g.abs().sum() > 1e-3 for g in gradients(model).values())


def test_bad_features_in_one_process_stop_both(found):
    assert all("NaN or infinity in 4 of 8 rows, first in row 4" in f["refused"] for f in found)


def test_two_processes_train_like_one(found):
    terms, grads, visits = training_step(ROWS)
    for there_terms, there, seen in (f["trained"] for f in found):
        for name in ("shared_vision_audio", "private_text_audio"):
            assert there_terms[name] == pytest.approx(terms[name], rel=1e-4, abs=1e-9)
        for name, grad in grads.items(): assert_close(there[name], grad, rtol=1e-3, atol=1e-6)
        assert torch.equal(seen, visits)
    assert all(any(grads[n].any() for n in grads if n.startswith(f"encoders.{m}"))
               for m in ("text", "audio", "vision"))
