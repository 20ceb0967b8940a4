"Eight of the accidents of tests/torture.py: kills, interrupts and full disks end in the same bits."
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]


def test_eight_accidents_end_well():
    done = subprocess.run([sys.executable, "tests/torture.py", "--few"], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "8 accidents, 0 not well" in done.stdout


def test_the_committed_table_has_no_accident_that_ended_badly():
    table = pd.read_csv(ROOT / "results" / "torture" / "table.csv")
    assert len(table) >= 150 and table.outcome.str.endswith("same bits").all()
    assert set(table.accident) == {"SIGKILL", "SIGINT", "full disk"} and table.method.nunique() >= 8
