"""The examiner of every exercise is examined: ours, the blank, and all that is broken in one place.

python tests/examine_all.py OUT.json [KEY ...]   in a process of its own: chapters register methods
"""
import json
import os
import sys

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from msa_lit.book.exercises import blank_answer, examine_answer, exercises, our_answer, read_answer
from msa_lit.book.exercises import wrong_answers


def wrong_lines(e, text, stop=True):
    "What the examiner holds against an answer; a file that cannot be read counts."
    try:
        theirs = read_answer(e, text, "answer")
    except ValueError as error:
        return [str(error)]
    return [c.line for c in examine_answer(e, theirs, stop) if not c.passed and not c.refusal]


def examined(e):
    ours = read_answer(e, our_answer(e), "ours")
    lines = examine_answer(e, ours)
    return {"ours": [f"{c.cell}: {c.line}: {c.computed} {c.says}" for c in lines
                     if not (c.passed or c.refusal)],
            "checks": sum(not c.refusal for c in lines),
            "blank": wrong_lines(e, blank_answer(e)),
            "wrong": {done: bool(wrong_lines(e, text)) for done, text in wrong_answers(e)}}


def main(out, *keys):
    torch.set_num_threads(1)
    fates, known = {}, {}
    for key, e in exercises().items():
        if keys and key not in keys: continue
        if e.function not in known: known[e.function] = examined(e)
        fates[key] = known[e.function]
    with open(out, "w", encoding="utf8") as file: json.dump(fates, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
