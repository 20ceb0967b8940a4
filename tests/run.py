"""Run every notebook and every test; close with counts.

python tests/run.py             nbdev_test, as anybody's CI would run it, then pytest
python tests/run.py --only 07   only notebooks whose name starts so, no pytest
python tests/run.py --flags slow  also the cells with this flag (gpu, slow); with gpu nothing is
                                  cut off after a time, and what is lacking is said first
python tests/run.py --shuffle 7  notebooks one after the other in one process, in an order drawn
                                 with this seed; each must leave it as it found it; no pytest
python tests/run.py --execute   run notebooks in place, keep their outputs and note their times
"""
import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT / "nbs"
BIN = Path(sys.executable).parent
FLAGS = ("gpu", "slow")  # as in settings.ini: tst_flags
# What may be set from outside: the right-hand side is for whoever has set nothing.
DEFAULTS = {"MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false", "PYTHONDONTWRITEBYTECODE": "1",
            # tqdm asks for ipywidgets and names its own place on disk
            "PYTHONWARNINGS": "ignore:IProgress not found"}


def environment(**more):
    "The caller's environment, our defaults where it is silent, this checkout first on the path."
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {**DEFAULTS, **os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **more}


def notebooks(only):
    "The notebooks nbdev itself finds."
    from nbdev.doclinks import nbglob
    return sorted(nbglob(file_glob=f"{only}*.ipynb", as_path=True))


# -- nbdev_test --------------------------------------------------------------------------------

def follow(command, timeout):
    "Run a command, pass on its words with times in place of plumbing; (exit status, all it said)."
    shown = environment(PYTHONUNBUFFERED="1")
    process = subprocess.Popen(command, cwd=ROOT, env=shown, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
    clock = threading.Timer(timeout or 0, os.killpg, (process.pid, signal.SIGKILL))
    if timeout: clock.start()
    said, began = [], {}
    for line in process.stdout:
        said.append(line)
        for name in re.findall(r"Starting (\S+\.ipynb)", line): began[name] = time.monotonic()
        ended = re.findall(r"- Completed (\S+\.ipynb)", line)
        for name in ended:
            print(f"ran {time.monotonic() - began[name]:6.1f} s  {Path(name).name}", flush=True)
        if line.strip() and not ended and "Starting " not in line: print(line, end="", flush=True)
    clock.cancel()
    return process.wait(), "".join(said)


def failures(found, status, said):
    "Names of the notebooks that nbdev_test does not vouch for: listed as failed, or never ended."
    completed = {Path(p).name for p in re.findall(r"- Completed (\S+\.ipynb)", said)}
    listed = said.partition("Tests Failed On The Following Notebooks:")[2]
    listed = set(re.findall(r"^\s+(\S+\.ipynb)\s*$", listed, re.M))
    if status == 0 and "Success." in said and not listed: return set(found) - completed
    if status == 1 and listed: return (set(found) - completed) | listed
    print(f"nbdev_test ended with status {status} and no verdict: no notebook counts as passed")
    return set(found)


def run_nbdev_test(found, args):
    "The command users run; (passed, failed, exit status)."
    command = [str(BIN / "nbdev_test"), "--n_workers", str(args.workers), "--do_print",
               "--file_glob", f"{args.only}*.ipynb", "--flags", " ".join(args.flags)]
    status, said = follow(command, args.timeout)
    failed = failures([p.name for p in found], status, said)
    return len(found) - len(failed), len(failed), status


# -- one process, shuffled ---------------------------------------------------------------------

def run_shuffled(found, args):
    "Notebooks in one process in a drawn order, with the state compared after each; as above."
    os.environ.update(environment())
    from nbdev.test import test_nb
    from state import State
    random.Random(args.shuffle).shuffle(found)
    skipped, failed = [f for f in FLAGS if f not in args.flags], 0
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder  # what is left there was left by notebooks
        os.chdir(NBS)
        state = State(ROOT, folder)
        for path in found:
            fine, seconds = test_nb(path.absolute(), skip_flags=skipped, basepath=ROOT)
            left = state.differences()
            for line in left: print(f"  {path.name} changed {line}")
            word = "passed" if fine and not left else "FAILED"
            print(f"{word} {seconds:6.1f} s  {path.name}", flush=True)
            failed += word == "FAILED"
        tempfile.tempdir = None
    return len(found) - failed, failed, int(failed > 0)


# -- in place, with outputs --------------------------------------------------------------------

def execute_one(path, flags):
    "In a process of its own: run a notebook in place, keep outputs; flagged cells stay as is."
    sys.path.insert(0, str(ROOT))
    from msa_lit.book.cells import cell_flags, run_notebook, save_notebook
    left_aside = set(FLAGS) - set(flags)
    book = run_notebook(path, lambda name, source: not cell_flags(source) & left_aside,
                        limit=None if "gpu" in flags else 1200)
    save_notebook(book, path)


def start(path, args):
    "Run one notebook in a fresh process; print its fate as soon as it is known."
    began = time.monotonic()
    shown = environment(IN_TEST="1", MPLBACKEND="module://matplotlib_inline.backend_inline")
    command = [sys.executable, __file__, "--one", str(path), "--flags", *args.flags]
    try:
        done = subprocess.run(command, env=shown, cwd=ROOT, capture_output=True, text=True,
                              timeout=args.timeout)
        passed, said = done.returncode == 0, done.stdout + done.stderr
    except subprocess.TimeoutExpired as e:
        passed, said = False, f"stopped after {e.timeout:.0f} s"
    seconds = time.monotonic() - began
    print(f"{'passed' if passed else 'FAILED'}  {seconds:5.1f} s  {path.name}", flush=True)
    if not passed:
        print(said[-6000:], flush=True)
    return passed, seconds


def run_in_place(found, args):
    "Every notebook executed, a process each, large ones first; as above."
    found = sorted((p.absolute() for p in found), key=lambda p: -p.stat().st_size)
    with ThreadPoolExecutor(args.workers) as pool:
        fates = list(pool.map(lambda p: start(p, args), found))
    note_times(found, fates)
    passed = sum(fine for fine, _ in fates)
    return passed, len(fates) - passed, int(passed < len(fates))


def note_times(found, fates):
    "Keep how long each notebook ran, for the map in the README."
    path = ROOT / "results" / "notebook_times.csv"
    lines = path.read_text().splitlines()[1:] if path.exists() else []
    known = dict(line.split(",") for line in lines)
    known |= {p.stem: f"{seconds:.1f}"
              for p, (passed, seconds) in zip(found, fates, strict=True) if passed}
    there = {p.stem for p in notebooks("")}
    lines = [f"{k},{v}\n" for k, v in sorted(known.items()) if k in there]
    path.write_text("notebook,seconds\n" + "".join(lines))


# -- pytest, and all together ------------------------------------------------------------------

def run_pytest():
    "pytest over tests/, counted from its own report; (passed, failed, skipped)."
    report = ROOT / ".pytest_cache" / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "tests", f"--junitxml={report}"]
    done = subprocess.run(command, cwd=ROOT, env=environment(IN_TEST="1"))
    if not report.exists():
        return 0, 1, 0
    suite = ElementTree.parse(report).getroot().find("testsuite")
    total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    return total - failed - skipped, failed or int(done.returncode not in (0, 5)), skipped


def ready_for_gpu(only):
    "Say what the flagged cells lack here; text networks may be fetched unless that is forbidden."
    DEFAULTS["HF_HUB_OFFLINE"] = os.environ.setdefault("HF_HUB_OFFLINE", "0")
    sys.path.insert(0, str(ROOT))
    from msa_lit.book.tables.gpu import JOBS, gpu_cells, lacks_here
    os.environ.setdefault("MSA_LIT_DATA", str(ROOT / "data"))
    jobs = [job for page, names in gpu_cells(NBS, only).items() for name in names
            for job in JOBS[page, name]()]
    gone = lacks_here(jobs) if jobs else []
    for line in gone: print(f"lacking: {line}")
    return not gone


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--flags", nargs="*", default=[])
    parser.add_argument("--execute", action="store_true")
    parser.add_argument("--shuffle", type=int, metavar="SEED")
    parser.add_argument("--only", default="")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: nbdev_test's own")
    parser.add_argument("--timeout", type=float,
                        help="seconds for nbdev_test, or for one notebook executed in place; "
                             "3600, and none with --flags gpu")
    args = parser.parse_args()
    os.chdir(ROOT)  # where nbdev looks for settings.ini
    if args.one: return execute_one(args.one, args.flags)
    if "gpu" in args.flags:
        if not ready_for_gpu(args.only): return 1
    elif args.timeout is None: args.timeout = 3600
    found = notebooks(args.only)
    if not found:
        print(f"no notebook under {NBS} starts with {args.only!r}")
        return 1
    run = run_in_place if args.execute else run_nbdev_test if args.shuffle is None else run_shuffled
    passed, failed, status = run(found, args)
    skipped = 0
    if run is run_nbdev_test and not args.only:
        more = run_pytest()
        passed, failed, skipped = passed + more[0], failed + more[1], skipped + more[2]
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return status or int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
