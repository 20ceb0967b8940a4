"""Break a line of the claims' code, see a check fail: the list, and how one is tried.

A mutation is a notebook, the cell that is broken, the text that is replaced, its replacement, and
the cells that are run afterwards (none: all of the notebook). It is caught when one of them raises.
    python tests/mutations.py            # all of them, as a table
"""

from __future__ import annotations  # also the flag that the cells are compiled with

import contextlib
import io
import json
import os
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

from msa_lit.model.contract import METHODS, PIECES
from msa_lit.papers import equations

NBS = Path(__file__).resolve().parent.parent / "nbs"
CORE, PROBES = "70_book.claims.core", "34_book.probes"

LIST = [  # (notebook, cell, from, to, cells that must notice; none: the whole notebook)
    # the four that an audit found alive
    ("23_ugf.method", "ugf", "weight_decay=self.pretrain_decay", "weight_decay=0.0", []),
    (
        PROBES,
        "measure",
        'linear_probe(x, known["shared"], test[m])',
        'linear_probe(test[m], asked["shared"], test[m])',
        ["probe", "probe-fit"],
    ),
    (
        "44_mug.method",
        "meta-training",
        "corrupt(learner.said[:, d], o.noise, stream)",
        "learner.said[:, d]",
        ["noise-proof"],
    ),
    (
        "45_mug.mlc",
        "learner",
        "(self.bridge[:, d], self.y[:, d])",
        "(self.x[:, d], self.y[:, d])",
        ["learner-proof"],
    ),
    # the rule of borders
    (
        CORE,
        "interval",
        "if -delta < low and high < delta",
        "if -delta < low or high < delta",
        ["interval-check"],
    ),
    (CORE, "interval", "if -delta < low and high < delta", "if False", ["interval-check"]),
    (CORE, "interval", "low, high = -high, -low", "low, high = -low, -high", ["interval-check"]),
    (CORE, "interval", "if low > 0: return", "if high > 0: return", ["interval-check"]),
    (
        CORE,
        "interval",
        'return "ruled out" if sign else "shown"',
        'return "ruled out"',
        ["interval-check"],
    ),
    (
        CORE,
        "interval",
        "state_of(low - null, high - null",
        "state_of(low, high",
        ["interval-check"],
    ),
    (CORE, "interval", "border, null, -1)", "border, null, 1)", ["few-check", "together-check"]),
    # power
    (CORE, "few", ">= SEEN_AT else (middle, high)", ">= 0.5 else (middle, high)", ["few-check"]),
    (
        CORE,
        "few",
        "return float(high * finding.sd / n**0.5)",
        "return float(high * finding.sd / n)",
        ["few-check"],
    ),
    (CORE, "few", "(edge + stats.t.ppf(0.5 + SEEN_AT / 2, n - 1))", "edge", ["few-check"]),
    # several findings
    (
        CORE,
        "together",
        "1 - ALPHA / (len(leaves) - k)",
        "1 - ALPHA",
        ["few-check", "together-check"],
    ),
    (
        CORE,
        "together",
        'if judged[i].state == "undecided": stopped = level',
        "pass",
        ["few-check", "together-check"],
    ),
    (
        CORE,
        "together",
        '("contradicted", "ruled out", "undecided", "shown").index',
        '("shown", "undecided", "ruled out", "contradicted").index',
        ["few-check", "together-check"],
    ),
    (CORE, "together", "p(finding.delta - gap)", "1.0", ["few-check", "together-check"]),
    # the word
    (
        CORE,
        "rule",
        'return "undecided" if set(states) == {"undecided"} else "fails"',
        'return "fails"',
        ["rule-check"],
    ),
    (
        CORE,
        "rule",
        '"holds" if set(states) == {"shown"} else "holds partly"',
        '"holds"',
        ["rule-check"],
    ),
    (CORE, "rule", "if finding.state != absent: return finding", "return finding", ["rule-check"]),
    (CORE, "rule", "if proof: return", "if False: return", ["rule-check"]),
    (CORE, "exact", "holds.all()", "holds.any()", ["exact-check"]),
    # rows, worlds, control
    (
        CORE,
        "judge",
        "if len(found) == 1: return words[0]",
        "return words[0]",
        WORLDS := ["claim-check", "judge-check"],
    ),
    (CORE, "rows", 'f"{id}@{world}.csv" if world else ', "", WORLDS),
    (
        CORE,
        "judge",
        'control is None or control.state != "shown"',
        "control is None",
        CONTROL := ["claim-check", "control-check"],
    ),
    (CORE, "judge", "c.control(rows) if c.control else None", "None", CONTROL),
    (
        CORE,
        "joined",
        "if self.beside is None: return rows",
        "return rows",
        ["claim-check", "joined-check"],
    ),
    # worlds as small entries, lent rows, the knob of the shared latent
    (CORE, "joined", 'f"@{name}.csv"', '".csv"', ["claim-check", "joined-check"]),
    (CORE, "joined", "changes | more", "more", ["claim-check", "joined-check"]),
    (
        CORE,
        "rows",
        "_own_rows(id, folder, world)\n    except",
        "_own_rows(id, folder, '')\n    except",
        ["claim-check", "rows-check"],
    ),
    (
        "02_simulate.world",
        "truth",
        "c * y / world.sigma_y",
        "c * truth['text'] / world.sigma_y",
        ["check-knob-check", "truth-check"],
    ),
    ("02_simulate.bayes", "design", "H[:, 0] += c * W[:, 1]", "pass", ["design-check"]),
    ("02_simulate.bayes", "design", "W[:, 1] *= (1 - c * c) ** 0.5", "pass", ["design-check"]),
]


def cells(notebook):
    "The code cells of a notebook, by id, in order."
    parts = json.loads((NBS / f"{notebook}.ipynb").read_text(encoding="utf8"))["cells"]
    return {c["id"]: "".join(c["source"]) for c in parts if c["cell_type"] == "code"}


def skipped(source):
    return source.startswith(("#| default_exp", "#| gpu", "#| slow")) or "__file__" in source


def tried(notebook, cell, old, new, checks):
    "Run a notebook with one line broken -> the error that noticed it, or an empty text."
    source = cells(notebook)
    assert source[cell].count(old) >= 1, f"{notebook}, {cell}: {old!r} is not there"
    source[cell] = source[cell].replace(old, new)
    return run_cells(source, cell, checks)


def run_cells(source, cell, checks):
    names, here = {"__name__": "__main__"}, os.getcwd()
    os.chdir(NBS)
    with contextlib.ExitStack() as back:  # what the cells register is theirs alone
        back.callback(os.chdir, here)
        for registered in (METHODS.written, PIECES.written, equations._FUNCTIONS):
            back.enter_context(patch.dict(registered))
        for name, text in source.items():
            needed = text.startswith("#| export") or name in ("test-imports", *checks) or not checks
            if skipped(text) or not needed:
                continue
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                try:
                    exec(compile(text, name, "exec", annotations.compiler_flag), names)
                except Exception as error:
                    return f"{name}: {type(error).__name__}"
    return ""


def main():
    "Try all mutations; say which live."
    alive = []
    for mutation in LIST:
        notebook, cell, old, new, _ = mutation
        noticed = tried(*mutation)
        alive += [] if noticed else [mutation]
        print(
            f"{notebook:22} {cell:10} {old[:44]:46} -> {new[:30]:32} {noticed or 'LIVES'}",
            flush=True,
        )
    print(f"{len(LIST) - len(alive)} of {len(LIST)} are caught")
    return len(alive)


if __name__ == "__main__":
    sys.exit(main())
