"""What stood in msa_lit.data before it became a shelf is in `corpus`, and still found here."""

from importlib import import_module


def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return getattr(import_module(f"{__name__}.corpus"), name)
