"What notebooks that share a process could leave to each other; compared by `tests/run.py --shuffle`."
import os
import subprocess
import sys
import warnings
from types import ModuleType

OF_LIBRARIES = ("KMP_", "TORCHINDUCTOR_", "IN_TEST")  # set by torch, numpy's BLAS or nbdev themselves
OF_SHELLS = ("backend", "interactive")                # set by nbdev's shell for every notebook


def patched():
    "id of every attribute of our modules and classes: a name that somebody patched and left so."
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "msa_lit" or not isinstance(module, ModuleType): continue
        for key, value in vars(module).items():
            found[f"{name}.{key}"] = id(value)
            if isinstance(value, type) and value.__module__ == name:
                found |= {f"{name}.{key}.{k}": id(v) for k, v in vars(value).items() if k != "__doc__"}
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
        rc = {f"matplotlib's {k}": v for k, v in matplotlib.rcParams.items() if not k.startswith(OF_SHELLS)}
    told = {f"pandas' {k}": pd.get_option(k) for k in ("display.width", "display.max_colwidth", "display.precision",
                                                      "display.max_rows", "display.max_columns", "display.float_format")}
    return rc | told | {"open figures": plt.get_fignums(), "numpy's print": np.get_printoptions(),
                        "numpy's errors": np.geterr(), "transformers' bars": logging._tqdm_active}


def of_process(root, temporary):
    filters = [f[:2] for f in warnings.filters if f[2].__module__ == "builtins"]
    tree = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True).stdout
    known = {f"environment {k}": v for k, v in os.environ.items() if not k.startswith(OF_LIBRARIES)}
    return known | {"folder": os.getcwd(), "warnings filters": filters, "recursion limit": sys.getrecursionlimit(),
                    "working tree": tree, "import path": sorted(set(sys.path)),
                    "temporary files": sorted(n for n in os.listdir(temporary) if not n.startswith("torchinductor"))}


def of_registries():
    from msa_lit import methods
    from msa_lit.equations import _FUNCTIONS
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # as the next notebook will see them
    try: seen = {"methods": sorted(methods.METHODS), "pieces": sorted(methods.PIECES)}
    finally: sys.modules["__main__"] = before
    return seen | {"equations": sorted((k, module) for k, (_, module) in _FUNCTIONS.items())}


class State:
    "The process as it is, all heavy modules imported, and what has changed since somebody asked last."
    def __init__(self, root, temporary):
        import accelerate, optuna, scipy.stats, seaborn, sklearn.linear_model, transformers  # noqa: E401
        from msa_lit import equations, methods
        methods.import_all()
        equations._load_package()
        sys.path.insert(0, str(root / "nbs"))
        self.root, self.temporary = root, temporary
        self.now = self.look()

    def look(self):
        parts = of_process(self.root, self.temporary), of_torch(), of_display(), of_registries(), patched()
        return {k: v for part in parts for k, v in part.items()}

    def differences(self):
        "One line for each thing that is not as it was."
        before, self.now = self.now, self.look()
        both = before.keys() | self.now.keys()
        changed = sorted(k for k in both if k in before and before[k] != self.now.get(k) or k.startswith("environment") and k not in before)
        return [f"{k}: {str(before.get(k))[:150]} -> {str(self.now.get(k))[:150]}" for k in changed]
