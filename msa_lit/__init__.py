"A literate research library for multimodal sentiment analysis."

__version__ = "0.1.0"

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

_PUBLIC = {  # name -> module that has it; "" where the name is a module
    "load_corpus": "runs", "simulate": "simulate", "examine": "doctor", "convert": "readers",
    "fit": "runs", "load_run": "runs", "predict_with": "runs", "options_of": "catalogue",
    "compare": "comparison", "table": "comparison", "write_report": "report",
    "evaluate": "metrics", "passport": "passport",
    "EQUATIONS": "equations", "verdicts": "claims.verdict", "reported": "",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name):
    "Import the public names, and modules, on first use, so that `import msa_lit` stays instant."
    if name in _PUBLIC:
        home = import_module(f"{__name__}.{_PUBLIC[name] or name}")
        return home if _PUBLIC[name] in ("", name) else getattr(home, name)
    if not name.startswith("_"):
        if find_spec(f"{__name__}.{name}"):
            return import_module(f"{__name__}.{name}")
        from .catalogue import near
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; {near(name, __all__)}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *(k for k in globals() if k.startswith("__"))})


class _Package(ModuleType):
    "A module that is called like its own function, such as `simulate`, can be called like it, too."
    def __setattr__(self, name, value):  # Python's import binds every submodule so
        if _PUBLIC.get(name) == name and isinstance(value, ModuleType):
            function = getattr(value, name)
            value.__class__ = type(name, (ModuleType,), {"__call__": staticmethod(function)})
            value.__signature__, value.__wrapped__ = _signature(function), function
        super().__setattr__(name, value)


def _signature(function):
    from inspect import signature
    return signature(function)


sys.modules[__name__].__class__ = _Package
