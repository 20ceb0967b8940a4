"""Several processes end where one ends; killed, they go on; one writes; what differs is refused.

In small; `make processes` examines all methods, pieces and options in two and three processes.
"""

import csv
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from msa_lit.base.catalogue import names
from msa_lit.model.processes import launched, together
from msa_lit.simulate.world import simulate
from msa_lit.train import runs
from msa_lit.train.listeners import Listener
from msa_lit.train.runs import fit, load_run
from msa_lit.train.together import Sitting, examine_processes

EVERY = [*names("method"), "self_mm+align+dgm+ufm"]
QUICK = dict(epochs=2, batch_size=12, dropout=0.2, seed=1, progress=False)


def test_every_method_ends_where_one_process_does():
    table = examine_processes([*EVERY, Sitting("self_mm", {"accumulate": 3})], processes=(3,))
    assert len(table) == len(EVERY) + 1
    assert table[["weights", "predictions", "history"]].max(axis=None) < 1e-9


def ahead_and_not():
    "The weights of a run with one batch ahead and of one without."
    def weights(prefetch): return fit("self_mm", simulate(n=(52, 16, 16), seed=3), accumulate=2,
                                      prefetch=prefetch, **QUICK).state
    plain, ahead = weights(False), weights(True)
    return len(plain), [k for k, v in plain.items() if not torch.equal(v, ahead[k])]


def test_a_batch_ahead_changes_no_bit_in_two_processes():
    found = together(ahead_and_not, 2, preload=("msa_lit.train.runs",))
    assert len(found) == 2
    for tensors, different in found: assert tensors > 20 and different == []


class Kill(Listener):
    "SIGKILL for process 1 in front of its n-th step."

    def __init__(self, n):
        self.left = n

    def before_step(self, loop, batches):
        self.left -= 1
        if self.left == 0 and loop.team.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def trained(folder, *listeners, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(
            "self_mm",
            simulate(n=(52, 16, 16), seed=3),
            folder=folder,
            save_seconds=0.0,
            listeners=listeners,
            **(QUICK | options),
        )


def refused(work):
    try:
        work()
    except (ValueError, OSError) as error:
        return str(error)
    return "not refused"


def afterwards(place):
    "The killed run goes on, another is undisturbed, and several that do not fit are refused."
    rank, place = launched()[0], Path(place)
    real, written = runs.save_run, []
    with patch.object(runs, "save_run", lambda *a: (written.append(rank), real(*a))):
        resumed, whole = trained(place / "killed"), trained(place / "whole")
    other = simulate(n=(52, 16, 16), seed=3 + rank)
    words = [
        refused(lambda: trained(None, seed=rank)),
        refused(lambda: trained(None, lr=1e-3 * (1 + rank))),
        refused(lambda: fit("late_fusion", other, **QUICK)),
        refused(lambda: trained(place / f"own{rank}" if rank else place / "whole")),
        refused(lambda: trained(None, batch_size=3)),
        refused(lambda: trained(place / "whole", seed=9)),
    ]
    return resumed.state, whole.state, written, words, trained(place / "whole").notices


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    with pytest.raises(RuntimeError, match="process 1 of 2 failed"):
        together(lambda: trained(place / "killed", Kill(7)), 2)
    assert (place / "killed" / "checkpoint.pt").exists()
    return place, together(afterwards, 2, str(place))


def test_killed_processes_go_on_to_the_same_bits(found):
    place, each = found
    for resumed, whole, *_ in each:
        for name, value in whole.items():
            assert torch.equal(resumed[name], value), name
            assert torch.equal(each[0][1][name], value), name
    assert load_run(place / "killed").metrics == load_run(place / "whole").metrics
    assert not (place / "killed" / "checkpoint.pt").exists()


def test_only_the_first_process_writes(found):
    _, each = found
    assert [written for _, _, written, *_ in each] == [[0, 0], []]


def test_what_differs_is_refused_by_all_in_the_same_words(found):
    _, each = found
    seed, rate, corpus, folder, small, taken = each[0][3]
    assert "disagree about this run: seed is 0 in process 0 and 1 in process 1" in seed
    assert "options.train.lr is 0.001 in process 0 and 0.002 in process 1" in rate
    assert "corpus.fingerprint is" in corpus
    assert (
        "holds: it is 'finished' in process 0 and 'free' in process 1; give a folder that all"
        in folder
    )
    assert "batch_size=3 leaves some of 2 processes with fewer than 2 utterances" in small
    assert "holds a run with seed=1, not 9" in taken
    first, second = (e[3] for e in each)
    assert [a for k, a in enumerate(first) if k != 3] == [b for k, b in enumerate(second) if k != 3]


def test_a_checkpoint_goes_on_with_another_number_of_processes(tmp_path):
    "One process begins, two go on: without dropout they end where one ends."

    class Stop(Listener):
        def after_epoch(self, loop, row):
            if loop.progress.epoch == 1:
                raise InterruptedError("enough")

    with pytest.raises(InterruptedError):
        trained(tmp_path / "run", Stop(), dropout=0.0)
    there = together(lambda: trained(tmp_path / "run", dropout=0.0), 2)[0]
    here = trained(None, dropout=0.0)
    assert (there.predictions.multimodal - here.predictions.multimodal).abs().max() < 1e-5


def test_accelerates_launcher_and_the_command_line(tmp_path):
    "One table on the screen, one result; a launcher with other plans is refused in words."
    call = [
        "-m",
        "msa_lit",
        "fit",
        "late_fusion",
        "--corpus",
        "simulated",
        "--n",
        "60,20,20",
        "--epochs",
        "1",
        "--out",
        str(tmp_path / "run"),
        "--quiet",
    ]
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--dynamo_backend",
        "no",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, "--mixed_precision", "no", *call],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("mae") == 1, done.stdout
    assert load_run(tmp_path / "run").method == "late_fusion"
    environment |= {"ACCELERATE_MIXED_PRECISION": "bf16"}
    done = subprocess.run(
        [sys.executable, *call[:-3], "--quiet"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2 and 'give the option precision="bf16" instead' in done.stderr


def test_the_full_examination_is_written_down():
    folder = Path(__file__).parents[1] / "results" / "processes"
    rows = list(csv.DictReader((folder / "table.csv").open()))
    itself = {r["method"]: r for r in csv.DictReader((folder / "rounding.csv").open())}
    assert {r["processes"] for r in rows} == {"2", "3"} and len(itself) < 5
    for kind in ("double", "single"):
        assert {r["method"] for r in rows if r["precision"] == kind} >= set(names("method"))
    for row in rows:
        double = row["precision"] == "double"
        for k in ("weights", "predictions", "history")[not double:]:
            own = 0.0 if double else 2 * float(itself.get(row["method"], {}).get(k, 0))
            assert not row["refused"] and float(row[k]) <= max(1e-5, own), row
