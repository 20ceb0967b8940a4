"Two processes that train together end where one process with the same global batches ends."
import os
import subprocess
import sys

import pytest
import torch

from msa_lit.train.runs import load_run

SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from msa_lit.train.runs import fit
from msa_lit.simulate.world import simulate
fit(sys.argv[1], simulate(n=(96, 24, 24), seed=3), seed=1, folder=sys.argv[2], progress=False,
    epochs=3, batch_size=32, dropout=0.0)
"""


def train(method, folder, processes, script):
    launch = ["-m", "torch.distributed.run", "--standalone",
              f"--nproc_per_node={processes}"] if processes > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *launch, str(script), method, str(folder)],
                          env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return load_run(folder)


@pytest.mark.parametrize("method", ["late_fusion", "self_mm"])
def test_two_processes_end_where_one_does(method, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    one, two = (train(method, tmp_path / str(n), n, script) for n in (1, 2))
    for name, value in one.state.items():
        torch.testing.assert_close(two.state[name], value, atol=2e-4, rtol=1e-3,
                                   msg=lambda m, name=name: f"{name}: {m}")
    assert abs(one.metrics["mae"] - two.metrics["mae"]) < 1e-3
