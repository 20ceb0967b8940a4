"The bench: sides take turns, and the committed numbers are what their own times say."
import json
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "bench"))
from turns import Side, alternate  # noqa: E402

WORKER = """
import sys, time
sys.path.insert(0, {bench!r})
from turns import Turn
turn = Turn()
print("what libraries print does not disturb the turns")
while True:
    turn.wait()
    time.sleep({seconds})
"""


def test_two_sides_take_turns_and_report_their_own_times():
    commands = {s: [sys.executable, "-c", WORKER.format(bench=str(HERE / "bench"), seconds=s)]
                for s in (0.02, 0.1)}
    sides = [Side(name, command, dict(os.environ)) for name, command in commands.items()]
    try: alternate(sides, rounds=3, warm=1)
    finally:
        for side in sides: side.end()
    assert [len(s.times) for s in sides] == [3, 3]
    for side in sides: assert all(t["wall"] >= side.name for t in side.times)
    assert all(side.process.returncode == 0 for side in sides)


def test_a_side_that_fails_says_why():
    with pytest.raises(RuntimeError, match="no such luck"):
        Side("broken", [sys.executable, "-c", "raise SystemExit('no such luck')"], dict(os.environ))


@pytest.mark.parametrize("path", sorted((ROOT / "results" / "bench").glob("*.json")),
                         ids=lambda p: p.stem)
def test_committed_numbers_agree_with_their_times(path):
    row = json.loads(path.read_text(encoding="utf8"))
    assert not any(word in json.dumps(row) for word in ("/home/", "/work/", "/tmp/"))
    for r in row.get("ratios", []):
        over, under = (row["times"][r[k]]["wall"][1] for k in ("over", "under"))
        assert r["ratio"] == pytest.approx(over / under, abs=1e-3)
        assert r["reached"] == (over / under <= r["target"])
    for r in row.get("limits", []): assert r["reached"] == (r["value"] < r["target"])
