"What notebooks that share a process could leave to each other; see `tests/run.py --shuffle`."
import importlib
import os
import subprocess
import sys
import warnings
from types import ModuleType

OF_LIBRARIES = ("KMP_", "TORCHINDUCTOR_", "IN_TEST")      # set by scikit-learn, torch, nbdev
OF_SHELLS = ("backend", "interactive")                    # set by nbdev for every notebook
OF_PYTHON = ("__doc__", "__annotations__", "__slotnames__")  # made when somebody looks
PANDAS = ("width", "max_colwidth", "max_rows", "max_columns", "precision", "float_format")


def patched():
    "id of every attribute of our modules and classes: a name that somebody patched and left so."
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "msa_lit" or not isinstance(module, ModuleType): continue
        for key, value in vars(module).items():
            if not key.startswith("__"): found[f"{name}.{key}"] = id(value)
            if isinstance(value, type) and value.__module__ == name:
                own = {k: v for k, v in vars(value).items() if k not in OF_PYTHON}
                found |= {f"{name}.{key}.{k}": id(v) for k, v in own.items()}
    return found


def of_torch():
    import torch
    return {"default dtype": torch.get_default_dtype(), "device": torch.get_default_device(),
            "threads": torch.get_num_threads(), "gradients": torch.is_grad_enabled(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "anomaly": torch.is_anomaly_enabled(), "autocast": torch.is_autocast_enabled("cpu"),
            "distributed": torch.distributed.is_initialized()}


def of_display():
    import matplotlib
    import matplotlib.pyplot as plt
    import numpy as np
    import pandas as pd
    from transformers.utils import logging
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rc = {f"matplotlib's {k}": v for k, v in matplotlib.rcParams.items()
              if not k.startswith(OF_SHELLS)}
    tables = {f"pandas' display.{k}": pd.get_option(f"display.{k}") for k in PANDAS}
    return rc | tables | {"open figures": plt.get_fignums(), "numpy's print": np.get_printoptions(),
                        "numpy's errors": np.geterr(), "transformers' bars": logging._tqdm_active}


def of_process(root, temporary):
    filters = [f[:2] for f in warnings.filters if f[2].__module__ == "builtins"]
    status = ["git", "status", "--porcelain"]
    tree = subprocess.run(status, cwd=root, capture_output=True, text=True)
    files = sorted(n for n in os.listdir(temporary) if not n.startswith("torchinductor"))
    known = {f"environment {k}": v for k, v in os.environ.items() if not k.startswith(OF_LIBRARIES)}
    return known | {"folder": os.getcwd(), "warnings filters": filters, "temporary files": files,
                    "recursion limit": sys.getrecursionlimit(), "working tree": tree.stdout,
                    "import path": sorted(set(sys.path))}


def of_registries():
    from msa_lit.model import contract as methods
    from msa_lit.papers.equations import _FUNCTIONS
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # as the next notebook will see them
    try: seen = {"methods": sorted(methods.METHODS), "pieces": sorted(methods.PIECES)}
    finally: sys.modules["__main__"] = before
    return seen | {"equations": sorted((k, module) for k, (_, module) in _FUNCTIONS.items())}


class State:
    "The process as it is, heavy modules imported, and what has changed since it was asked last."
    def __init__(self, root, temporary):
        for name in ("accelerate", "optuna", "scipy.stats", "seaborn", "sklearn", "transformers"):
            importlib.import_module(name)
        from msa_lit.papers import equations
        from msa_lit.model import contract as methods
        methods.import_all()
        equations._load_package()
        sys.path[:0] = [str(root), str(root / "nbs")]  # as nbdev does
        self.root, self.temporary = root, temporary
        self.now = self.look()

    def look(self):
        process = of_process(self.root, self.temporary)
        return process | of_torch() | of_display() | of_registries() | patched()

    def differences(self):
        "One line for each thing that is not as it was."
        before, self.now = self.now, self.look()
        both = before.keys() | self.now.keys()
        changed = sorted(k for k in both if before.get(k) != self.now.get(k))
        return [f"{k}: {str(before.get(k))[:150]} -> {str(self.now.get(k))[:150]}" for k in changed]
