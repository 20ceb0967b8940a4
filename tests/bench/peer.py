"""The other side: MMSA on the same file, made to wait before every batch of training.

python peer.py steps FILE FOLDER FINETUNE    steps of Self-MM, by turns (see turns.py)
python peer.py first FILE FOLDER FINETUNE    everything to the end of the first step, then out
python peer.py METHOD FILE FOLDER BATCH      steps of another method of MMSA's, by turns

FOLDER holds the BERT that both sides use, FINETUNE is 0 or 1. Nothing of MMSA is changed: its
loader is built with no workers and wrapped, its calls to a GPU do nothing, it steps once a batch
(`update_epochs`), as we do. MulT and MMIM ask torch's schedule for an option that it no longer
has; it is left out. MISA's map from BERT is 768 wide whatever the BERT; here it fits FOLDER's.
"""
import json
import os
import sys
import tempfile
import time

BEGAN = time.perf_counter()
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from turns import Turn  # noqa: E402


class Gate:
    "A loader that counts its passes: the first makes labels, the second is short, the third waits."

    def __init__(self, loader, turn, short=2):
        self.loader, self.turn, self.short, self.passes = loader, turn, short, 0

    def __len__(self): return len(self.loader)

    def __iter__(self):
        self.passes += 1
        if self.passes == 1: yield from self.loader
        elif self.passes == 2: yield from few(self.loader, self.short)
        else: yield from self.gated()

    def gated(self):
        while True:
            batches = iter(self.loader)
            for _ in range(len(self.loader) - 1):  # the last one may be smaller
                self.turn.wait()
                yield next(batches)


class Rest(Gate):
    "A loader that waits from its first pass on, or behind a short one: MMIM's bound has its own."

    def __iter__(self):
        self.passes += 1
        yield from few(self.loader, 2) if self.passes <= self.short else self.gated()


class First:
    "A loader that ends the process when its second training batch is asked for."

    def __init__(self, loader, turn): self.loader, self.turn, self.passes = loader, turn, 0

    def __len__(self): return len(self.loader)

    def __iter__(self):
        self.passes += 1
        if self.passes == 1: yield from self.loader
        else:
            ready = time.perf_counter(), time.process_time()
            yield next(iter(self.loader))
            now = time.perf_counter(), time.process_time()
            self.turn.say(wall=now[0] - BEGAN, cpu=now[1],
                          step_wall=now[0] - ready[0], step_cpu=now[1] - ready[1])
            os._exit(0)


def few(loader, n):
    for k, batch in enumerate(loader):
        if k == n: return
        yield batch


def settings(file, bert, finetune, folder):
    import torch
    from MMSA.config import get_config_regression
    torch.cuda.set_device = lambda *a, **k: None
    args = get_config_regression("self_mm", "mosi")
    args.update(featurePath=file, batch_size=32, update_epochs=1, text_out=384, pretrained=bert,
                use_finetune=finetune, custom_feature="", feature_T="", feature_A="", feature_V="",
                device=torch.device("cpu"), train_mode="regression", cur_seed=1,
                model_save_path=os.path.join(folder, "peer.pth"))
    return args


def without_verbose(make):
    def made(*args, verbose=None, **options): return make(*args, **options)
    return made


def baseline(method, file, bert, batch, folder, turn):
    "Steps of a method with MMSA's settings for MOSI; a step a batch."
    import torch
    from MMSA.config import get_config_regression
    from MMSA.data_loader import MMDataLoader
    from MMSA.models import AMIO
    from MMSA.trains import ATIO
    from MMSA.utils import setup_seed
    torch.cuda.set_device = lambda *a, **k: None
    args = get_config_regression(method, "mosi")
    args.update(featurePath=file, batch_size=int(batch), pretrained=bert, custom_feature="",
                feature_T="", feature_A="", feature_V="", device=torch.device("cpu"),
                train_mode="regression", cur_seed=1, update_epochs=1,
                model_save_path=os.path.join(folder, "peer.pth"))
    setup_seed(1111)
    loaders = MMDataLoader(args, 0)
    if args.get("use_bert"): args["feature_dims"][0] = width_of(bert)
    loaders["train"] = Rest(loaders["train"], turn, int(method == "mmim"))
    model, training = AMIO(args), ATIO().getTrain(args)
    if method == "misa":
        model.Model.project_t[0] = torch.nn.Linear(width_of(bert), args["hidden_size"])
    module = sys.modules[type(training).__module__]
    if hasattr(module, "ReduceLROnPlateau"):
        module.ReduceLROnPlateau = without_verbose(module.ReduceLROnPlateau)
    training.do_train(model, loaders)


def width_of(bert):
    with open(os.path.join(bert, "config.json"), encoding="utf8") as file:
        return json.load(file)["hidden_size"]


def main(what, file, bert, finetune):
    turn = Turn()
    import torch
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    import MMSA  # noqa: F401  what a user imports
    import transformers
    from MMSA.data_loader import MMDataLoader
    from MMSA.models import AMIO
    from MMSA.trains import ATIO
    from MMSA.utils import setup_seed
    with tempfile.TemporaryDirectory() as folder:
        if what not in ("steps", "first"): return baseline(what, file, bert, finetune, folder, turn)
        args = settings(file, bert, finetune == "1", folder)
        setup_seed(1111)
        loaders = MMDataLoader(args, 0)
        kind = {"steps": Gate, "first": First}[what]
        loaders["train"] = kind(loaders["train"], turn)
        loaders["valid"] = list(few(loaders["valid"], 2))
        model = AMIO(args)
        ATIO().getTrain(args).do_train(model, loaders)
    return torch, transformers


if __name__ == "__main__": main(*sys.argv[1:])
