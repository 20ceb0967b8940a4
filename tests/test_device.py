"""Every method on a GPU that is none: it computes on the CPU, says it is elsewhere, and refuses
what CUDA refuses. In a process of its own, which it changes for good."""
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
pretended = pytest.importorskip("torch.utils.backend_registration", reason="an older torch")
if not hasattr(pretended, "_setup_privateuseone_for_python_backend"):
    pytest.skip("this torch knows no devices written in python", allow_module_level=True)


def run(*command):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=TESTS)
    return done.returncode, done.stdout + done.stderr[-2000:]


PAPERS = ("late_fusion", "self_mm", "ugf", "spil", "mug", "mfon")  # `make device` has the rest
HALF = ("misa:bf16", "mfon:bf16")  # torch's own attention in half precision, training and answering


def test_the_papers_methods_train_on_a_device():
    code, said = run("device.py", *PAPERS, *HALF)
    assert code == 0, "\n".join(x for x in said.splitlines() if not x.startswith("passed"))


FAULTS = """
import torch
from pretend import HERE, Generator, device
from torch.nn.utils.rnn import pack_padded_sequence

def refused(what, error, call):
    try: call()
    except error as said: print("refused:", what, "|", str(said)[:60])
    else: raise SystemExit(f"{what} passed")

with device():
    x, cpu = torch.randn(3, 4).to(HERE), torch.ones(3, 4)
    rnn = torch.nn.LSTM(4, 2, batch_first=True).to(HERE)
    refused("two devices", RuntimeError, lambda: x + cpu)
    refused("two devices in a list", RuntimeError, lambda: torch.cat([x, cpu]))
    refused("an index on the GPU into the CPU", RuntimeError, lambda: cpu[torch.arange(2).to(HERE)])
    refused("numpy", (RuntimeError, TypeError), lambda: x.numpy())
    refused("lengths on the GPU", RuntimeError, lambda: pack_padded_sequence(
        x[None], torch.tensor([3]).to(HERE), batch_first=True))
    refused("a generator elsewhere", RuntimeError, lambda: torch.randn(
        3, generator=torch.Generator(), device=HERE))
    def evaluated():
        rnn.eval()(x[None])[0].sum().backward()
        torch.zeros(1)  # told with the next call
    refused("a gradient in evaluation", RuntimeError, evaluated)
    rnn.zero_grad()
    assert x[torch.arange(2)].device == HERE and (x + torch.tensor(1.0)).device == HERE
    assert torch.randn(3, generator=torch.Generator(HERE), device=HERE).device == HERE
    rnn.train()(x[None])[0].sum().backward()
    assert rnn.weight_hh_l0.grad.device == HERE
with device(), torch.autocast("pretend", torch.bfloat16):  # types inside attention, as CUDA's
    query = torch.randn(2, 3, 4).to(HERE)
    attend = torch.nn.MultiheadAttention(4, 2, batch_first=True).to(HERE)
    seen = []
    plain_attention = torch.nn.functional.scaled_dot_product_attention
    def attention(q, *args, **kwargs):
        seen.append(q.dtype)
        return plain_attention(q, *args, **kwargs)
    torch.nn.functional.scaled_dot_product_attention = attention
    out = attend(query, query, query, need_weights=False)[0]
    torch.nn.functional.scaled_dot_product_attention = plain_attention
    assert seen == [torch.bfloat16] and out.dtype == torch.bfloat16, (seen, out.dtype)
    assert torch.is_autocast_enabled() and not torch.is_autocast_enabled("cpu")
plain = torch.nn.LSTM(4, 2, batch_first=True)
plain.load_state_dict({k: v.detach().inner for k, v in rnn.state_dict().items()})
plain(x.inner[None])[0].sum().backward()
torch.testing.assert_close(plain.weight_hh_l0.grad, rnn.weight_hh_l0.grad.inner)
print("7 refused")
"""


def test_the_device_refuses_what_cuda_refuses():
    code, said = run("-c", FAULTS)
    assert code == 0 and said.strip().splitlines()[-1] == "7 refused", said
