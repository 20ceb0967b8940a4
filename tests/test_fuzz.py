"Odd and hostile inputs of every kind, and a harness that would see them do harm."

import os

import fuzz
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

KINDS = fuzz.prepare()
INPUTS = int(os.environ.get("MSA_LIT_FUZZ", 500))  # over all kinds; `make fuzz` tries 10,000


@pytest.fixture(scope="module")
def worker():
    made = fuzz.Worker()
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_kind(worker, name):
    "Whatever the seed: read as meant or refused clearly, at a small price, nothing executed."

    @settings(
        max_examples=max(3, -(-INPUTS // len(KINDS))),
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(1 << 20, 1 << 40))
    def holds(seed):
        outcome = worker.judge(name, seed)
        assert outcome.fate not in fuzz.BAD, outcome

    holds()


def eats(path):
    return bytearray(200 << 20)


def hangs(path):
    while True:
        pass


def dies(path):
    os.kill(os.getpid(), 11)


def runs(path):
    os.system("true")


def executes(path):
    exec("1")


def marks(path):
    (path.parent.parent / fuzz.CANARY).touch()


def crashes(path):
    raise KeyError("odd")


def mumbles(path):
    raise ValueError("something is wrong")


def accepts(path):
    return "anything"


@pytest.mark.parametrize(
    "read, fate",
    [
        (eats, "costly"),
        (dies, "death"),
        (hangs, "death"),
        (runs, "executed"),
        (executes, "executed"),
        (marks, "executed"),
        (crashes, "unclear"),
        (mumbles, "unclear"),
        (accepts, "silent"),
    ],
)
def test_the_harness_sees(worker, monkeypatch, read, fate):
    "A reader that does this is found out."

    def make(rng, folder):
        (folder / "x.pkl").write_bytes(b"x")
        return fuzz.Case(folder / "x.pkl", fuzz.REFUSED, read=read)

    monkeypatch.setitem(fuzz.KINDS, "self-test", make)
    monkeypatch.setattr(fuzz, "LIMIT_SECONDS", 2)
    worker.stop()  # the next one is forked from here and knows the kind
    assert worker.judge("self-test", 0).fate == fate
