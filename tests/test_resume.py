"A run that is killed from outside, at any moment, ends in the same bits as one that was not."
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from msa_lit.runs import load_run

SCRIPT = """
import json, sys, torch
torch.set_num_threads(1)
from msa_lit.runs import fit
from msa_lit.simulate import simulate
fit(sys.argv[1], simulate(n=(96, 24, 24), seed=3), seed=1, folder=sys.argv[2], save_seconds=float(sys.argv[3]), progress=False, epochs=4, batch_size=16, **json.loads(sys.argv[4]))
"""
EARLIER = {"mug": dict(b=4, pretrain_epochs=2, meta_epochs=3), "mfon": dict(teacher_epochs=2)}  # short earlier stages


def start(method, folder, save_seconds=0.0):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, method, str(folder), str(save_seconds), json.dumps(EARLIER.get(method, {}))], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(method, folder):
    process = start(method, folder)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said[-3000:]
    return load_run(folder)


def kill_when(process, ready):
    "SIGKILL as soon as `ready()` says so; the process must still have been running."
    until = time.monotonic() + 120
    while not ready():
        assert process.poll() is None, process.stderr.read()[-3000:]
        assert time.monotonic() < until, "the run never got so far"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("method", ["late_fusion", "self_mm", "ugf", "spil", "mug", "mfon"])
def test_killed_runs_end_in_the_same_bits(method, tmp_path):
    whole = finish(method, tmp_path / "whole")
    cut, checkpoint = tmp_path / "cut", tmp_path / "cut" / "checkpoint.pt"
    process = start(method, cut)
    kill_when(process, checkpoint.exists)                     # in the first steps
    stamp = checkpoint.stat().st_mtime_ns
    for later in (3, 8):                                      # and twice more, some steps further on
        process, seen = start(method, cut), {stamp}

        def moved_on():
            seen.add(checkpoint.stat().st_mtime_ns)
            return len(seen) > later

        kill_when(process, moved_on)
        stamp = checkpoint.stat().st_mtime_ns
    resumed = finish(method, cut)
    assert resumed.state.keys() == whole.state.keys()
    for name, value in whole.state.items():
        assert torch.equal(value, resumed.state[name]), name
    assert resumed.scores == whole.scores
    assert not checkpoint.exists() and not list(cut.glob("*.tmp"))


def test_killed_before_the_first_checkpoint(tmp_path):
    process = start("late_fusion", tmp_path / "cut", save_seconds=1e9)
    kill_when(process, (tmp_path / "cut" / "run.json").exists)
    assert not (tmp_path / "cut" / "checkpoint.pt").exists()
    finish("late_fusion", tmp_path / "cut")
