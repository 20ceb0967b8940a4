"A literate research library for multimodal sentiment analysis."

__version__ = "0.1.0"

import gc
import sys
from importlib import import_module as _import_module
from importlib.util import find_spec
from types import ModuleType

_PUBLIC = {  # name -> module that has it
    "load_corpus": "train.runs", "examine": "data.doctor", "convert": "data.readers",
    "from_arrays": "data.arrays", "from_frame": "data.arrays", "import_corpus": "data.foreign",
    "save_bundle": "use.bundle", "load_bundle": "use.bundle", "fit_with_gaps": "use.missing",
    "ensemble": "train.ensembles",
    "fit": "train.runs", "load_run": "train.runs", "predict_with": "train.runs",
    "options_of": "base.catalogue", "compare": "train.comparison", "table": "train.comparison",
    "write_report": "train.report", "evaluate": "measure.metrics",
    "EQUATIONS": "papers.equations", "verdicts": "book.claims.verdict",
}
_MODULES = {"simulate": "simulate", "passport": "measure.passport", "reported": "papers.reported"}
_CALLED = ("simulate", "passport")  # modules that are called like their own function, too
__all__ = ["__version__", *_PUBLIC, *_MODULES]  # pyright: ignore[reportUnsupportedDunderAll]


def import_module(name):
    """Import a module while Python's search for garbage waits: it would walk through all that torch
    makes, again and again, and find nothing; a tenth of the time to a first result. What torch has
    made stays out of later searches, too (`gc.freeze`), where it was not there before."""
    was, alone = gc.isenabled(), "torch" not in sys.modules
    gc.disable()
    try: return _import_module(name)
    finally:
        if alone and "torch" in sys.modules: gc.freeze()
        if was: gc.enable()


def __getattr__(name):
    "Import the public names, and modules, on first use, so that `import msa_lit` stays instant."
    if name in _PUBLIC: return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    if name in _MODULES:
        setattr(sys.modules[__name__], name, import_module(f"{__name__}.{_MODULES[name]}"))
        return globals()[name]
    if not name.startswith("_"):
        if find_spec(f"{__name__}.{name}"): return import_module(f"{__name__}.{name}")
        from .base.catalogue import near
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; "
                             f"{near(name, __all__)}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *(k for k in globals() if k.startswith("__"))})


class _Package(ModuleType):
    "Makes a module callable when Python binds it, so that `msa_lit.simulate(...)` always works."
    def __setattr__(self, name, value):
        if name in _CALLED and isinstance(value, ModuleType): _make_callable(value, name)
        super().__setattr__(name, value)


def _make_callable(module, name):
    def signature(self):
        from inspect import signature
        return signature(getattr(self, name))

    def call(self, *args, **options): return getattr(self, name)(*args, **options)

    module.__class__ = type(name, (ModuleType,),
                            {"__call__": call, "__signature__": property(signature)})


sys.modules[__name__].__class__ = _Package
import_module(f"{__name__}.base.moved").forward_names()
