"Shared settings: one thread, no display, no network, the same seed before every test."
import os
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", MPLBACKEND="agg", HF_HUB_OFFLINE="1",
                  TOKENIZERS_PARALLELISM="false")

import pytest
import torch
from hypothesis import settings

ROOT = Path(__file__).parents[1]


settings.register_profile("repeatable", derandomize=True)  # `--hypothesis-profile default` explores
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1111)


@pytest.fixture(scope="session")
def papers():
    """The folder with our reading of the four papers; tests that compare with it are skipped
    where it is absent."""
    folder = Path(os.environ.get("MSA_LIT_PAPERS", "absent"))
    if not folder.is_dir(): pytest.skip("set MSA_LIT_PAPERS to the folder with our reading")
    return folder


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also the tests that take minutes")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; only with --slow")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"): return
    for item in items:
        if "slow" in item.keywords: item.add_marker(pytest.mark.skip(reason="slow: --slow"))
