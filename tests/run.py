"""Run every notebook and every test; close with counts.

python tests/run.py             notebooks under nbdev's rules (flags gpu, slow are skipped), then pytest
python tests/run.py --flags gpu  also the cells with this flag
python tests/run.py --execute   run notebooks in place, keep their outputs and note their times
python tests/run.py --only 07   only notebooks whose name starts so, no pytest
"""
import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT / "nbs"
ENVIRONMENT = {"IN_TEST": "1", "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1",
               "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
               "PYTHONWARNINGS": "ignore:IProgress not found"}  # tqdm asks for ipywidgets and names its own place on disk


def notebooks(only):
    "The book's notebooks, large ones first so that no worker is left with a long one at the end."
    found = [p for p in NBS.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts and not p.name.startswith("_") and p.name.startswith(only)]
    return sorted(found, key=lambda p: -p.stat().st_size)


def check_one(path, flags):
    "In a process of its own: nbdev's test of one notebook."
    from nbdev.test import test_nb
    os.chdir(path.parent)
    passed, _ = test_nb(path, skip_flags=[f for f in ("gpu", "slow") if f not in flags], force_flags=flags, basepath=ROOT)
    return 0 if passed else 1


def execute_one(path, flags):
    "In a process of its own: run a notebook in place, keep outputs, clean metadata. Cells whose flag is not asked for stay as they are."
    import nbformat
    from nbclient import NotebookClient

    class Flagged(NotebookClient):
        async def async_execute_cell(self, cell, *args, **kw):
            first = cell.source.lstrip().partition("\n")[0].split()
            if first[:1] == ["#|"] and set(first[1:]) & {"gpu", "slow"} - set(flags): return cell
            return await super().async_execute_cell(cell, *args, **kw)

    nb = nbformat.read(path, as_version=4)
    Flagged(nb, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(nb, path)
    return subprocess.run(["nbdev_clean", "--fname", str(path)], cwd=ROOT, env=child_environment()).returncode


def child_environment(**more):
    return {**os.environ, **ENVIRONMENT, **more, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def start(path, args):
    "Run one notebook in a fresh process; print its fate as soon as it is known."
    began = time.monotonic()
    backend = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"} if args.execute else {}
    command = [sys.executable, __file__, "--one", str(path), "--flags", *args.flags] + ["--execute"] * args.execute
    try:
        done = subprocess.run(command, env=child_environment(**backend), cwd=ROOT, capture_output=True, text=True, timeout=args.timeout)
        passed, said = done.returncode == 0, done.stdout + done.stderr
    except subprocess.TimeoutExpired as e:
        passed, said = False, f"stopped after {e.timeout:.0f} s"
    seconds = time.monotonic() - began
    print(f"{'passed' if passed else 'FAILED'}  {seconds:5.1f} s  {path.name}", flush=True)
    if not passed:
        print(said[-6000:], flush=True)
    return passed, seconds


def note_times(found, fates):
    "Keep how long each notebook ran, for the map in the README."
    path = ROOT / "results" / "notebook_times.csv"
    known = dict(line.split(",") for line in path.read_text().splitlines()[1:]) if path.exists() else {}
    known |= {p.stem: f"{seconds:.1f}" for p, (passed, seconds) in zip(found, fates) if passed}
    there = {p.stem for p in notebooks("")}
    path.write_text("notebook,seconds\n" + "".join(f"{k},{v}\n" for k, v in sorted(known.items()) if k in there))


def run_pytest():
    "pytest over tests/, counted from its own report."
    report = ROOT / ".pytest_cache" / "report.xml"
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "tests", f"--junitxml={report}"], cwd=ROOT, env=child_environment())
    if not report.exists():
        return 0, 1, 0
    suite = ElementTree.parse(report).getroot().find("testsuite")
    total, failed, skipped = int(suite.get("tests")), int(suite.get("failures")) + int(suite.get("errors")), int(suite.get("skipped"))
    return total - failed - skipped, failed or int(done.returncode not in (0, 5)), skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--flags", nargs="*", default=[])
    parser.add_argument("--execute", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=900)
    args = parser.parse_args()
    if args.one:
        return execute_one(args.one, args.flags) if args.execute else check_one(args.one, args.flags)
    found = notebooks(args.only)
    if not found:
        print(f"no notebook under {NBS} starts with {args.only!r}")
        return 1
    with ThreadPoolExecutor(args.workers) as pool:
        fates = list(pool.map(lambda p: start(p, args), found))
    passed = sum(ok for ok, _ in fates)
    failed, skipped = len(fates) - passed, 0
    if args.execute:
        note_times(found, fates)
    if not args.execute and not args.only:
        more = run_pytest()
        passed, failed, skipped = passed + more[0], failed + more[1], skipped + more[2]
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
