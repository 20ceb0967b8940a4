"""Kill runs, interrupt them, fill their disk; each must end in the bits of an undisturbed run.

python tests/torture.py          all accidents, rows into results/torture/table.csv (make torture)
python tests/torture.py --few    eight of them, nothing is written (part of the tests)

An accident happens in a process of its own, forked from this one after the imports, which patches
one function and has the accident when that function is called. The library knows nothing of it.
Afterwards the same call is repeated, as the library advises, and its files are compared with those
of a run that had no accident. A full disk is a real one where a small tmpfs can be mounted, and a
limit on the size of files elsewhere.
"""
import argparse
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from random import Random

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402
import torch  # noqa: E402

from msa_lit.base import files  # noqa: E402
from msa_lit.base.notices import MsaWarning  # noqa: E402
from msa_lit.data import store  # noqa: E402
from msa_lit.simulate.world import simulate  # noqa: E402
from msa_lit.train import comparison, folders, report, runs, series  # noqa: E402
from msa_lit.train import loop as training  # noqa: E402

TABLE = ROOT / "results" / "torture" / "table.csv"
METHODS = {  # method -> options that make its earlier stages short
    "late_fusion": {}, "self_mm": {}, "ugf": dict(pretrain_epochs=1), "spil": {},
    "mug": dict(b=2, pretrain_epochs=1, meta_epochs=1),
    "mug_mlc": dict(b=2, pretrain_epochs=1, meta_epochs=1), "mfon": dict(teacher_epochs=1),
    "self_mm+dgm": {}}
MOMENTS = {  # moment -> (module, name of a function in it, at which call)
    "claiming the folder": (folders, "write_record", 1),
    "a step": (training, "train_step", 4),
    "writing a checkpoint": (training._Sealed, "write", 3000),
    "between stages": (training.Progress, "next_stage", 1),
    "before the result": (runs, "finish", 1),
    "scoring": (runs, "evaluate", 3),
    "writing weights": (folders, "_save", 1),
    "writing predictions": (folders, "write_table", 2),
    "between two renames": (files.os, "replace", "result")}
OTHER = {  # what is not one run -> its moment
    "results.csv of compare": (comparison, "replace_files", 2),
    "a page of report": (report, "write_text", 1),
    "converting a corpus": (store.np, "save", 5),
    "a row of a series": (series, "write_rows", 2)}
ACCIDENTS = ("SIGKILL", "SIGINT", "full disk")


class Disk:
    "A small disk of its own, or a folder where none can be mounted."
    def __init__(self, megabytes=24):
        self.place = Path(tempfile.mkdtemp(prefix="torture-"))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(self.place)]
        self.real = shutil.which("mount") and not subprocess.run(
            mount, capture_output=True).returncode

    def fill(self):
        "No byte is left; or no file may grow."
        if not self.real:
            return resource.setrlimit(resource.RLIMIT_FSIZE, (64, resource.RLIM_INFINITY))
        with open(self.place / "filler", "wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(b"0" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def empty(self):
        for path in self.place.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def remove(self):
        if self.real:
            subprocess.run(["umount", str(self.place)], check=True)
        shutil.rmtree(self.place, ignore_errors=True)


def have(accident, disk):
    if accident == "full disk":
        disk.fill()
    elif accident:
        os.kill(os.getpid(), getattr(signal, accident))


def plant(moment, accident, disk):
    "Patch the moment's function so that one call of it is the accident."
    owner, name, at = {**MOMENTS, **OTHER}[moment]
    real, calls = getattr(owner, name), [0]

    def instead(*args, **kw):
        due = at == "result" and Path(args[1]).name == "predictions.csv"
        calls[0] += 1
        if due or calls[0] == at:
            have(accident, disk)
        return real(*args, **kw)
    setattr(owner, name, instead)


CORPUS = simulate(n=(48, 16, 16), seed=3)
QUICK = dict(epochs=2, batch_size=16, progress=False)


def one_run(method, place, save_seconds=60):
    runs.fit(method, CORPUS, 1, place / "run", save_seconds=save_seconds, **QUICK,
             **METHODS[method])


def one_run_saved_often(method, place):
    one_run(method, place, save_seconds=0)


def whole_comparison(method, place):
    comparison.compare([method], CORPUS, [1, 2], place / "run", **QUICK, **METHODS[method])


def one_report(method, place):
    whole_comparison(method, place)
    report.write_report(place / "run")


def conversion(_, place):
    store.write_store(CORPUS, place / "run" / "store")


def one_series(_, place):
    jobs = [{"trial": t, "weight": w} for t in "ab" for w in (0.1234567, 1 / 3)]
    series.run_missing(place / "run" / "rows.csv", jobs, lambda t, w: {"value": w**2},
                       progress=False)


WORK = {"a step": one_run_saved_often, "writing a checkpoint": one_run_saved_often,
        "at any time": one_run_saved_often, "results.csv of compare": whole_comparison,
        "a page of report": one_report,
        "converting a corpus": conversion, "a row of a series": one_series}


def child(work, method, disk, moment=None, accident=None):
    "Do the work in a process of its own; what became of it: a signal, an error's text, or ''."
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(read)
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            warnings.simplefilter("ignore", MsaWarning)
            if moment:
                plant(moment, accident, disk)
            work(method, disk.place)
            said = ""
        except BaseException as error:
            notes = " ".join(getattr(error, "__notes__", ()))
            said = f"{type(error).__name__}: {error} {notes}"
            if not isinstance(error, (KeyboardInterrupt, OSError, ValueError)):
                said += traceback.format_exc()
        os.write(write, said.encode()[:60000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    _, status = os.waitpid(process, 0)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else said


def import_first(disk):
    "Import here what a run imports later, so that not every process does it again."
    def names(method, place):
        one_report(method, place)
        raise OSError(" ".join(sys.modules))
    for name in child(names, "late_fusion", disk).split()[1:]:
        with suppress(Exception):
            import_module(name)
    disk.empty()


def killed_from_outside(work, method, disk, seconds):
    "SIGKILL after a while, wherever the process is."
    process = os.fork()
    if process == 0:
        try:
            warnings.simplefilter("ignore", MsaWarning)
            work(method, disk.place)
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return "signal 9"


def content(place):
    "All files of the work, without what says when and how fast."
    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.is_dir():
            continue
        if path.name == "history.csv":
            table = pd.read_csv(path)
            found[name] = table.drop(columns="seconds").to_csv(index=False)
        elif path.name == "run.json":
            record = json.loads(path.read_text())
            found[name] = {k: v for k, v in record.items() if k not in ("files", "digest")}
        elif path.suffix == ".html":
            found[name] = len(path.read_bytes()) > 10_000
        else:
            found[name] = path.read_bytes()
    return found


def verdict(accident, said, after, again, wanted, got):
    "One word for what became of an accident, and whether it was well."
    if again:
        return f"the advised call failed: {again[:200]}", False
    if wanted != got:
        differ = sorted(k for k in wanted.keys() | got.keys() if wanted.get(k) != got.get(k))
        return f"OTHER BITS in {', '.join(differ[:3])}", False
    if accident == "SIGKILL":
        return "same bits", said == "signal 9"
    if not said:
        return "finished all the same, same bits", accident == "full disk"
    clear = {"SIGINT": "KeyboardInterrupt", "full disk": "DiskFull: no room to write"}[accident]
    if not said.startswith(clear):
        return f"unclear: {said[:300]}", False
    left = [p for p in after if p.endswith(".tmp")]
    return ("a sentence, then same bits", True) if not left else (f"left behind: {left}", False)


def suffer(method, moment, accident, disk, wanted):
    "One accident, the advised remedy, and what came of both."
    disk.empty()
    began, work = time.monotonic(), WORK.get(moment, one_run)
    (disk.place / "run").mkdir()
    if moment == "at any time":
        said = killed_from_outside(work, method, disk, accident)
        accident = "SIGKILL"
    else:
        said = child(work, method, disk, moment, accident)
    after = [p.name for p in disk.place.rglob("*")]
    (disk.place / "filler").unlink(missing_ok=True)
    again = child(work, method, disk)
    outcome, well = verdict(accident, said, after, again, wanted, content(disk.place))
    row = dict(method=method, moment=moment, accident=accident, outcome=outcome,
               seconds=round(time.monotonic() - began, 2))
    print("well  " if well else "NOT   ", *row.values(), sep=" | ", flush=True)
    return row, well


def undisturbed(work, method, disk):
    "What the work leaves when nothing happens, and how long it takes."
    disk.empty()
    (disk.place / "run").mkdir()
    began = time.monotonic()
    said = child(work, method, disk)
    if said:
        raise RuntimeError(f"{method} failed without an accident: {said}")
    return content(disk.place), time.monotonic() - began


FEW = [("late_fusion", "between two renames", "SIGKILL"), ("self_mm", "a step", "SIGINT"),
       ("ugf", "between stages", "SIGKILL"), ("mug", "before the result", "SIGKILL"),
       ("mfon", "writing a checkpoint", "full disk"), ("spil", "writing weights", "full disk"),
       ("late_fusion", "results.csv of compare", "full disk"),
       ("late_fusion", "converting a corpus", "full disk")]


def everything():
    plan = [(m, moment, a) for m in METHODS for moment in MOMENTS for a in ACCIDENTS]
    plan += [(m, "at any time", "SIGKILL") for m in METHODS for _ in range(2)]
    return plan + [("late_fusion", moment, a) for moment in OTHER for a in ACCIDENTS]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", action="store_true", help="eight accidents, nothing is written")
    few = parser.parse_args().few
    torch.set_num_threads(1)
    disk, rows, bad, known = Disk(), [], 0, {}
    random = Random(1)
    try:
        import_first(disk)
        for method, moment, accident in FEW if few else everything():
            key = (WORK.get(moment, one_run), method)
            if key not in known:
                known[key] = undisturbed(*key, disk)
            wanted, seconds = known[key]
            if moment == "at any time":
                accident = random.uniform(0.1, 0.95) * seconds
            row, well = suffer(method, moment, accident, disk, wanted)
            rows.append(row)
            bad += not well
    finally:
        disk.remove()
    print(f"{len(rows)} accidents, {bad} not well; the full disk was "
          f"{'real' if disk.real else 'a limit on the size of files'}")
    if not few:
        TABLE.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(TABLE, index=False, lineterminator="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
