"The route of an hour can be walked: its pages run in order, in under ten minutes on two cores."
import re
from pathlib import Path

from route import LIMIT, NBS, recorded, route_pages, run_route

ROOT = Path(__file__).parents[1]


def minutes():
    "What README and index say, in minutes."
    texts = {"README.md": (ROOT / "README.md").read_text(encoding="utf8"),
             "index.ipynb": (NBS / "index.ipynb").read_text(encoding="utf8")}
    return {name: [int(m) for m in re.findall(r"all its cells take about (\d+) minutes?", text)]
            for name, text in texts.items()}


def test_the_route_has_pages_and_its_times_were_kept():
    pages = route_pages()
    assert len(pages) >= 6 and all(p.is_file() for p in pages)
    assert list(recorded()) == [p.stem for p in pages], "the route has changed: make route"
    assert sum(recorded().values()) < LIMIT


def test_readme_and_index_say_the_measured_minutes():
    measured = max(1, round(sum(recorded().values()) / 60))
    assert minutes() == {"README.md": [measured], "index.ipynb": [measured]}


def test_the_route_runs_from_top_to_bottom_in_ten_minutes():
    seconds = run_route(say=lambda _: None)
    assert list(seconds) == [p.stem for p in route_pages()]
    assert sum(seconds.values()) < LIMIT, seconds
