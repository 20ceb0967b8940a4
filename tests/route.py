"""The route of an hour: its pages, as the index names them, run one after the other and timed.

python tests/route.py           run them, each in a kernel of its own, and print the times
python tests/route.py --write   also keep the times in results/route_times.csv
"""
import argparse
import json
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a program it starts in tests/

from msa_lit.book.cells import run_notebook  # noqa: E402

NBS, TIMES = ROOT / "nbs", ROOT / "results" / "route_times.csv"
LIMIT = 600  # seconds for all pages on two cores


def route_pages():
    "The notebooks of the route, in order, from the page that opens the book."
    cells = json.loads((NBS / "index.ipynb").read_text(encoding="utf8"))["cells"]
    routes = next("".join(c["source"]) for c in cells if c["id"] == "routes")
    hour = routes.partition("**An hour.**")[2].partition("\n\n**")[0]
    return [NBS / name for name in re.findall(r"\]\(([\w.]+\.ipynb)\)", hour)]


def run_page(path):
    "Run a notebook from top to bottom; seconds. Nothing is saved, an error is raised."
    settings = {"IN_TEST": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT),
                "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    began = time.monotonic()
    run_notebook(path, limit=LIMIT, settings=settings)
    return time.monotonic() - began


def run_route(say=print):
    "All pages in order -> name -> seconds."
    seconds = {}
    for path in route_pages():
        seconds[path.stem] = run_page(path)
        say(f"{seconds[path.stem]:6.1f} s  {path.name}")
    say(f"{sum(seconds.values()):6.1f} s  in all, of {LIMIT} s")
    return seconds


def recorded():
    "The times that were kept -> name -> seconds."
    lines = TIMES.read_text(encoding="utf8").splitlines()[1:]
    return {name: float(s) for name, s in (line.split(",") for line in lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    seconds = run_route()
    if asked.write:
        rows = "".join(f"{name},{s:.1f}\n" for name, s in seconds.items())
        TIMES.write_text("notebook,seconds\n" + rows, encoding="utf8")
    return int(sum(seconds.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
