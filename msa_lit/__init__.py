"A literate research library for multimodal sentiment analysis."

__version__ = "0.1.0"

from importlib import import_module

_PUBLIC = {
    "load_corpus": "runs", "fit": "runs", "compare": "runs", "load_run": "runs", "EQUATIONS": "equations",
}
__all__ = list(_PUBLIC)


def __getattr__(name):
    "Import the public names on first use, so that `import msa_lit` stays instant."
    if name in _PUBLIC:
        return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
