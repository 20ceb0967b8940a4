"""Thousands of odd and hostile inputs, each read in a process that may die; close with a table.

python tests/fuzz.py                     10,000 inputs over all kinds; writes the table
python tests/fuzz.py --inputs 200        fewer
python tests/fuzz.py --only "csv"        kinds whose name contains this, nothing written
python tests/fuzz.py --show NAME SEED    one input again, with what came of it

A kind of input is a function in a file tests/fuzz_*.py:

    @kind("csv: stray quotes")
    def stray_quotes(rng: random.Random, folder: Path) -> Case:
        ...write something below `folder`, from `rng` alone...
        return Case(path, meant=corpus)

`folder` is empty and belongs to the input. What the function returns says what has to come of it:

- `meant=corpus`: reading gives this corpus, or refuses; a difference has to be said (`said`);
- `meant=REFUSED`: reading refuses;
- `meant=SAFE`: nobody can know (a flipped bit): no harm is all that is asked.

Refusing is a ValueError or OSError of at most 4,000 characters that names the file (or one of
`names`).
"""

from __future__ import annotations

import argparse
import csv
import importlib
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parent
TABLE = TESTS.parent / "results" / "fuzz" / "table.csv"
REFUSED, SAFE = "refused", "safe"
CANARY = (
    "MSA_LIT_CANARY"  # an environment variable, and the name of a file beside the input's folder
)

# what one input may cost: a constant, and a multiple of its own size
SECONDS, SECONDS_PER_MB = 1.5, 8.0
MEMORY, MEMORY_PER_BYTE = 48 << 20, 100
LIMIT_SECONDS, LIMIT_MEMORY = 30, 3 << 30  # beyond this the process is ended
MAKE_SECONDS = 300  # making the first input of a kind may train a model


@dataclass(frozen=True)
class Case:
    "One input and what has to come of it."

    path: Path  # what is handed to the reader
    meant: object = SAFE  # a Corpus, REFUSED or SAFE
    options: dict = field(default_factory=dict)  # for the reader
    said: str = ""  # pattern: a difference is fine where a notice or note says this
    names: tuple = ()  # a refusal names one of these; by default the file
    also: str = ""  # pattern that every refusal must contain, for instance the field
    read: Callable | None = None  # (path, **options) -> result; by default `read_corpus`
    differ: Callable | None = None  # (meant, result) -> what differs; by default `differences`


@dataclass(frozen=True)
class Outcome:
    "What came of one input."

    kind: str
    seed: int
    fate: str  # read, refused, silent, unclear, executed, costly, death
    why: str = ""  # for everything but read and refused
    seconds: float = 0.0
    memory: int = 0  # bytes beyond what the process had before
    size: int = 0  # bytes of the input


KINDS: dict[str, Callable] = {}


def kind(name):
    "Register a function that makes inputs of this kind."

    def keep(make):
        if name in KINDS:
            raise ValueError(f"two kinds are called {name!r}")
        KINDS[name] = make
        return make

    return keep


def load_kinds():
    "Import all tests/fuzz_*.py."
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    for path in sorted(TESTS.glob("fuzz_*.py")):
        importlib.import_module(path.stem)
    return KINDS


# ---------------------------------------------------- in the worker: watch, measure, judge

WATCH = {"on": False, "home": "", "seen": []}
NEVER = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "os.putenv",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "ctypes.dlopen",
    "pty.spawn",
    "webbrowser.open",
    "urllib.Request",
    "ftplib.connect",
    "smtplib.connect",
)
WRITES = {
    "os.mkdir": 2,
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.symlink": 2,
    "os.link": 2,
    "os.chmod": 2,
    "shutil.rmtree": 9,
    "shutil.move": 9,
    "shutil.copyfile": 9,
    "os.truncate": 9,
}


def _hook(event, args):
    "Python calls this for everything that touches the world."
    if not WATCH["on"]:
        return
    if event in NEVER:
        WATCH["seen"].append(f"{event} {str(args)[:80]}")
    elif event == "exec" and _foreign(getattr(args[0], "co_filename", "")):
        WATCH["seen"].append(f"exec of {args[0].co_filename}")
    elif event in WRITES and not _relative(event, args) and not _own(args[0]):
        WATCH["seen"].append(f"{event} {str(args[0])[:80]}")
    elif event == "open" and _opens_to_write(args) and not _own(args[0]):
        WATCH["seen"].append(f"writes {str(args[0])[:80]}")


def _foreign(file):
    return file.startswith("<") and not file.startswith(("<frozen", "<__array", "<attrs"))


def _relative(event, args):
    "Relative to an open folder, as shutil does it below a folder it named before."
    return any(type(a) is int and a >= 0 for a in args[WRITES[event] :])


def _own(path):
    "Inside the input's folder, or not a path at all."
    if not isinstance(path, (str, bytes, os.PathLike)):
        return True
    return os.path.abspath(os.fsdecode(path)).startswith(WATCH["home"])


def _opens_to_write(args):
    mode, flags = args[1], args[2]
    if isinstance(mode, str):
        return any(c in mode for c in "wax+")
    return bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))


def _status(key):
    "A number of /proc/self/status in bytes; 0 where there is none."
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"{key}:\s+(\d+) kB", text)
    return int(found[1]) << 10 if found else 0


def _reset_peak():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def size_of(path):
    "Bytes of a file or of everything in a folder."
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_size for p in files)


def default_read(path, **options):
    from msa_lit.data.readers import read_corpus

    return read_corpus(path, **options)


def default_differ(meant, got):
    from msa_lit.data.soundness import differences

    return differences(meant, got)


def attempt(case):
    "Read an input under watch: (result or None, error or None, notices, seconds, bytes)."
    from msa_lit.base.notices import collect

    read = case.read or default_read
    result = error = None
    _reset_peak()
    before = _status("VmRSS")
    WATCH.update(on=True, seen=[])
    began = time.process_time()  # of the processor: other programs do not count
    with collect() as notices:
        try:
            result = read(case.path, **case.options)
        except Exception as e:
            error = e
    seconds = time.process_time() - began
    WATCH["on"] = False
    return result, error, notices, seconds, max(0, _status("VmHWM") - before)


def judge_refusal(case, error):
    "Why a refusal is unclear; '' when it is clear."
    text = str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    if not isinstance(error, (ValueError, OSError)):
        return f"{type(error).__name__} at {place}: {text[:200]}"
    if len(text) > 4000:
        return f"{type(error).__name__} at {place}: {len(text)} characters"
    names = case.names or (
        case.path.name,
        *(p.name for p in case.path.glob("*") if case.path.is_dir()),
    )
    if not any(n in text for n in names):
        return f"names none of {names[:5]} ({place}): {text[:200]}"
    if case.also and not re.search(case.also, text):
        return f"says nothing of {case.also!r}: {text[:200]}"
    return ""


def judge_result(case, result, notices):
    "Why a result is silently wrong; '' when it is as meant, or said."
    if case.meant is SAFE:
        return ""
    if case.meant is REFUSED:
        wrong = ["it was to be refused"]
    else:
        wrong = (case.differ or default_differ)(case.meant, result)
    said = "\n".join([*notices, *map(str, getattr(result, "notes", ()))])
    return "" if not wrong or (case.said and re.search(case.said, said)) else "; ".join(wrong)[:200]


def judge(name, seed, place, made=lambda: None):
    "Make one input, call `made`, read the input and say what came of it."
    home = Path(place) / f"{zlib.crc32(name.encode())}-{seed}"
    shutil.rmtree(home, ignore_errors=True)
    (home / "in").mkdir(parents=True)
    os.environ.pop(CANARY, None)
    WATCH["home"] = str(home / "in")
    case = KINDS[name](random.Random(f"{name} {seed}"), home / "in")
    size = size_of(case.path)
    made()
    result, error, notices, seconds, memory = attempt(case)
    seen = WATCH["seen"] + [CANARY] * (CANARY in os.environ or (home / CANARY).exists())
    why = judge_refusal(case, error) if error else judge_result(case, result, notices)
    fate = "refused" if error else "read"
    too_long = seconds > SECONDS + SECONDS_PER_MB * size / 1e6
    if too_long or memory > MEMORY + MEMORY_PER_BYTE * size:
        fate, why = "costly", f"{seconds:.1f} s and {memory / 1e6:.0f} MB for {size} bytes"
    elif why:
        fate = "unclear" if error else "silent"
    if seen:
        fate, why = "executed", "; ".join(seen)
    result = error = case = None
    shutil.rmtree(home, ignore_errors=True)
    return Outcome(name, seed, fate, why, seconds, memory, size)


def serve(pipe, place):
    "The worker: judge one input after the other until told to stop."
    import faulthandler
    import warnings
    import torch

    warnings.simplefilter("ignore")  # notices are collected
    faulthandler.disable()  # pytest's; a death is counted, not shown
    torch.set_num_threads(1)
    have = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if have:
        resource.setrlimit(resource.RLIMIT_AS, (have + LIMIT_MEMORY, have + LIMIT_MEMORY))
    sys.addaudithook(_hook)
    while (job := pipe.recv()) is not None:
        try:
            pipe.send(judge(*job, place, lambda: pipe.send(None)))
        except Exception as e:
            text = "".join(traceback.format_exception(e)[-4:])
            pipe.send(Outcome(*job, "broken", f"the generator failed: {text[-600:]}"))


# ---------------------------------------------------------------- outside: a worker that may die


class Worker:
    "A process that judges inputs; a new one is started when it dies or hangs."

    def __init__(self):
        memory = Path("/dev/shm")  # quicker than a disk, where there is one
        where = memory if os.access(memory, os.W_OK) else None
        self.place = tempfile.mkdtemp(prefix="fuzz-", dir=where)
        self.process = None

    def start(self):
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.place), daemon=True)
        self.process.start()
        theirs.close()

    def judge(self, name, seed):
        if self.process is None or not self.process.is_alive():
            self.start()
        self.pipe.send((name, seed))
        fate = "broken"  # until the input is made and read
        for seconds in (MAKE_SECONDS, LIMIT_SECONDS):
            try:
                if not self.pipe.poll(seconds):
                    why = f"no end after {seconds} s"
                    break
                if (outcome := self.pipe.recv()) is not None:
                    return outcome
            except (EOFError, ConnectionError):
                self.process.join(5)
                why = f"the process ended with status {self.process.exitcode}"
                break
            fate = "death"
        self.stop()
        return Outcome(name, seed, fate, why)

    def stop(self):
        if self.process is not None and self.process.is_alive():
            self.process.kill()
        if self.process is not None:
            self.process.join()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)


def prepare():
    "Import in the parent what every worker needs, so that starting one is quick."
    os.environ.update(
        OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg"
    )
    import pandas  # noqa: F401
    import torch  # noqa: F401

    import msa_lit.data.doctor  # noqa: F401
    import msa_lit.data.readers  # noqa: F401
    import msa_lit.train.runs  # noqa: F401

    return load_kinds()


def summary(outcomes):
    "One row per kind."
    rows = []
    for name in dict.fromkeys(o.kind for o in outcomes):
        mine = [o for o in outcomes if o.kind == name]
        count = {f: sum(o.fate == f for o in mine) for f in FATES}
        slowest, largest = max(o.seconds for o in mine), max(o.memory for o in mine)
        rows.append(
            {
                "kind": name,
                "inputs": len(mine),
                **count,
                "slowest_s": f"{slowest:.2f}",
                "memory_mb": f"{largest / 1e6:.0f}",
            }
        )
    return rows


FATES = ("read", "refused", "executed", "silent", "unclear", "costly", "death", "broken")
BAD = FATES[2:]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=10_000, help="over all kinds")
    parser.add_argument("--each", type=int, default=0, help="instead: for every kind")
    parser.add_argument("--only", default="", help="part of a kind's name")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--show", nargs=2, metavar=("NAME", "SEED"), help="one input again")
    args = parser.parse_args()
    names = [n for n in prepare() if args.only in n]
    worker = Worker()
    if args.show:
        print(worker.judge(args.show[0], int(args.show[1])))
        return worker.close()
    each = args.each or -(-args.inputs // len(names))
    outcomes = []
    for name in names:
        mine = [worker.judge(name, seed) for seed in range(args.first, args.first + each)]
        outcomes += mine
        row = summary(mine)[0]
        shown = [f"{k} {v}" for k, v in row.items() if k != "kind" and v not in (0, "0")]
        print(f"{name:42s}", *shown, flush=True)
        for o in [o for o in mine if o.fate in BAD][:3]:
            print(f"    seed {o.seed}: {o.fate}: {o.why}", flush=True)
    worker.close()
    bad = sum(o.fate in BAD for o in outcomes)
    if not args.only:
        TABLE.parent.mkdir(parents=True, exist_ok=True)
        with open(TABLE, "w", newline="", encoding="utf8") as f:
            table = csv.DictWriter(f, fieldnames=list(summary(outcomes)[0]))
            table.writeheader()
            table.writerows(summary(outcomes))
    print(f"{len(outcomes)} inputs of {len(names)} kinds, {bad} faults")
    return 1 if bad else 0


if __name__ == "__main__":
    import fuzz  # the module that the kinds import, not this second copy of it

    sys.exit(fuzz.main())
