"""What stood in msa_lit.cli before it became a shelf is in `program`, and still found here."""

from importlib import import_module


def __getattr__(name):
    if name.startswith("__"): raise AttributeError(name)
    return getattr(import_module(f"{__name__}.program"), name)
