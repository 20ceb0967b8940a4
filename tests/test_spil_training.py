"A training step of `spil` split over two processes has the gradient of the same step in one."
import os

import torch
import torch.multiprocessing as mp
from torch.testing import assert_close

from msa_lit.data import make_batch
from msa_lit.fusion import ModelSpec
from msa_lit.runs import build, choose, read
from msa_lit.simulate import simulate
from msa_lit.training import Loop, train_step

ROWS = list(range(12))


def step(rows):
    "Gradients and label memory after one step on these rows."
    chosen = choose("spil", dict(modes="V-A/T+A", shared_weight=100.0, dropout=0.0))
    ready, words = read(simulate(n=(24, 12, 12), seed=2), chosen["model"])
    model = build("spil", ModelSpec.of(ready, chosen["model"], words), chosen, seed=3).calibrate(ready)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout): module.p = 0.0
    loop = Loop(model, ready.without("test"), chosen["train"], seed=3, progress=False)
    loop.set_up()
    model.begin("main", loop.corpus)
    terms = train_step(loop, make_batch(ready.splits["train"], rows))
    return terms, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, model.generator.visits


def process(rank, folder, port):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), ACCELERATE_USE_CPU="1")
    torch.save(step(ROWS[rank::2]), f"{folder}/{rank}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_two_processes_train_like_one(tmp_path):
    mp.spawn(process, (tmp_path, free_port()), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    terms, grads, visits = step(ROWS)
    for found_terms, found, seen in parts:
        for name in ("shared_vision_audio", "private_text_audio"): assert abs(found_terms[name] - terms[name]) < 1e-5 * abs(terms[name]) + 1e-9
        for name, grad in grads.items(): assert_close(found[name], grad, rtol=1e-3, atol=1e-6, msg=name)
        assert torch.equal(seen, visits)
    assert all(any(grads[n].any() for n in grads if n.startswith(f"encoders.{m}")) for m in ("text", "audio", "vision"))
