"""Measure msa_lit, and another library on the same file, by turns; one row, one result file.

python tests/bench/run.py                  every row, under twenty minutes
python tests/bench/run.py --only steps     one row, or several
python tests/bench/run.py --resume         only rows that have no result yet
python tests/bench/run.py --only whole     the nightly row: a whole run on MOSEI's size
python tests/bench/run.py --only suite     how long all notebooks and all tests take

The other side is MMSA in an environment of its own (`make bench` makes it). Every comparison is a
ratio of medians of one run, in which the two sides took turns.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]
from turns import Side, alternate  # noqa: E402

OURS = [sys.executable, str(HERE / "ours.py")]
ROWS, NIGHTLY = {}, ("whole", "suite", "cold")


def row(what):
    "A function that measures one row; its name is the row's, `what` says it in words."
    def keep(function):
        ROWS[function.__name__] = what, function
        return function
    return keep


class Bench:
    "Where things lie, and how many threads each side has."

    def __init__(self, args):
        self.data, self.peer, self.threads = args.data.resolve(), args.peer, args.threads
        self.rounds = args.rounds
        self.data.mkdir(parents=True, exist_ok=True)
        threads = {k: str(self.threads) for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        compiled = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.environment = {**compiled, **threads, "OMP_WAIT_POLICY": "passive",
                            "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
                            "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1",
                            "PYTHONWARNINGS": "ignore",
                            "MSA_LIT_CACHE": str(self.data / "text")}

    def mosi(self):
        "The MOSI-shaped corpus as a store and as the file that both sides can read."
        import shapes
        from msa_lit.data.layouts import write_mmsa
        from msa_lit.data.store import write_store
        store, file = self.data / "mosi", self.data / "mosi.pkl"
        corpus = None if store.exists() and file.exists() else shapes.corpus("mosi")
        if not file.exists(): write_mmsa(corpus, file)
        if not store.exists(): write_store(corpus, store)
        return store, file

    def vectors(self, aligned=False):
        "A quarter of the MOSI-shaped corpus as the file both sides read, with vectors for words."
        import shapes
        from msa_lit.data.layouts import write_mmsa
        file = self.data / f"vectors_{'aligned' if aligned else 'unaligned'}.pkl"
        if not file.exists():
            write_mmsa(shapes.corpus("mosi", 0.25, vectors=768, aligned=aligned), file, aligned)
        return file

    def mosei(self):
        "The MOSEI-shaped corpus as a store."
        import shapes
        from msa_lit.data.store import write_store
        store = self.data / "mosei"
        if not store.exists(): write_store(shapes.corpus("mosei"), store)
        return store

    def ours(self, corpus, method, stage=-1, what="steps", **options):
        words = [f"{k}={json.dumps(v)}" for k, v in options.items()]
        return [*OURS, what, str(corpus), method, str(stage), *words]

    def theirs(self, file, finetune, what="steps"):
        from msa_lit.model.packaged import packaged_folder
        bert = packaged_folder("minilm")
        script = [str(self.peer), str(HERE / "peer.py")]
        return [*script, what, str(file), str(bert), str(int(finetune))]

    def baseline(self, name, batch, aligned):
        "The two commands for a baseline with MMSA's settings for MOSI; its BERT is MiniLM here."
        from msa_lit.model.packaged import packaged_folder
        file, paper = self.vectors(aligned), BASELINES[name]
        more = {"text": "minilm", "text_lr": 5e-5} if name in ("misa", "mmim") else {}
        if name in ("misa", "mult"): more["accumulate"] = 1
        if name == "mmim": more["ahead"] = 10  # a pass of the bound alone: MMSA's is over, too
        bert = str(packaged_folder("minilm"))
        theirs = [str(self.peer), str(HERE / "peer.py"), name, str(file), bert, str(batch)]
        return {name: self.ours(file, name, preset=f"{paper} MOSI", batch_size=batch, **more),
                f"MMSA's {name}": theirs}

    def side(self, name, command): return Side(name, command, self.environment)

    def once(self, command):
        "A command that ends by itself, and what it said last."
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode: raise RuntimeError(done.stderr[-3000:])
        return json.loads(done.stdout.splitlines()[-1])


def walls(times): return [t["wall"] for t in times]


def spread(times):
    "Median and quartiles of wall and processor time, and every single time."
    def three(values):
        values = sorted(values)
        return [values[len(values) // 4], median(values), values[3 * len(values) // 4]]
    seconds = {k: three([t[k] for t in times]) for k in ("wall", "cpu")}
    return {k: [round(v, 5) for v in three] for k, three in seconds.items()} | {
        "n": len(times), "walls": [round(w, 5) for w in walls(times)]}


def by_turns(bench, commands, rounds, warm=2):
    "Median times of several commands that took turns."
    sides = [bench.side(name, command) for name, command in commands.items()]
    try: alternate(sides, rounds, warm)
    finally:
        for side in sides: side.end()
    return {side.name: spread(side.times) for side in sides}


def ratio(times, over, under, target):
    "A quotient of medians beside its target; by processor time as well."
    of = {k: times[over][k][1] / times[under][k][1] for k in ("wall", "cpu")}
    return {"over": over, "under": under, "ratio": round(of["wall"], 4), "target": target,
            "ratio_cpu": round(of["cpu"], 4), "reached": of["wall"] <= target}


def held_to(told, limits):
    "Values beside the targets that they must stay under; by processor time as well, where known."
    def cpu(name): return {"cpu": told[name]} if name in told else {}
    return [{"what": k, "value": told[k], "target": v, "reached": told[k] < v}
            | cpu(k.removesuffix("_s") + "_cpu") for k, v in limits.items()]


# -- the rows ----------------------------------------------------------------------------------

@row("Self-MM's step, text fine-tuned and text frozen, over MMSA's")
def steps(bench):
    store, file = bench.mosi()
    common = dict(text="minilm", batch_size=32)
    times = by_turns(bench, {
        "ours": bench.ours(store, "self_mm", **common),
        "ours, frozen": bench.ours(store, "self_mm", freeze_text=True, **common),
        "MMSA": bench.theirs(file, True),
        "MMSA, frozen": bench.theirs(file, False)}, bench.rounds)
    return {"times": times, "ratios": [ratio(times, "ours", "MMSA", 0.45),
                                       ratio(times, "ours, frozen", "MMSA", 0.06),
                                       ratio(times, "ours, frozen", "MMSA, frozen", 1.0)]}


BASELINES = {"tfn": "TFN", "lmf": "LMF", "misa": "MISA", "mfn": "MFN", "graph_mfn": "Graph-MFN",
             "mmim": "MMIM", "mult": "MulT"}


@row("A step of seven baselines over MMSA's, with its settings for MOSI")
def baselines(bench):
    times = {}
    for name in BASELINES:
        batch, most = (8, 3) if name == "mult" else (32, 8)  # a pass of MMIM's is ten batches
        aligned = name in ("mfn", "graph_mfn")
        print(f"  {name} ...", flush=True)
        times |= by_turns(bench, bench.baseline(name, batch, aligned), min(bench.rounds, most))
    return {"times": times,
            "ratios": [ratio(times, n, f"MMSA's {n}", 0.6) for n in BASELINES]}


@row("First result: import, open, prepare and the first step on MOSI, over MMSA's")
def first(bench):
    store, file = bench.mosi()
    common = dict(text="minilm", batch_size=32)
    commands = {"ours": bench.ours(store, "self_mm", what="first", **common),
                "ours, from the pickle": bench.ours(file, "self_mm", what="first", **common),
                "MMSA": bench.theirs(file, True, "first"),
                "torch alone": [sys.executable, "-c", TORCH_ALONE]}
    times = {name: [] for name in commands}
    for k in range(-1, max(5, bench.rounds // 3)):  # the first round leaves compiled modules
        for name in list(commands) if k % 2 else list(commands)[::-1]:
            took = bench.once(commands[name])
            if k >= 0: times[name].append(took)
    for name in ("ours", "MMSA"):
        times[f"{name}, its first step"] = [
            {k: t[f"step_{k}"] for k in ("wall", "cpu")} for t in times[name]]
        times[f"{name}, without torch"] = without(times[name], times["torch alone"])
    times = {name: spread(t) for name, t in times.items()}
    return {"times": times, "ratios": [
        ratio(times, "ours", "MMSA", 0.3), ratio(times, "ours, from the pickle", "MMSA", 0.3),
        ratio(times, "ours, without torch", "MMSA, without torch", 0.3)]}


TORCH_ALONE = """
import json, time
began = time.perf_counter()
import torch
print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time()}))
"""


def without(times, part):
    "Times less the median of a part that all of them contain."
    less = {k: median(t[k] for t in part) for k in ("wall", "cpu")}
    return [{k: t[k] - less[k] for k in less} for t in times]


@row("The last stage of each method over the common model, MiniLM text")
def methods(bench):
    store, _ = bench.mosi()
    targets = {"ugf": 1.05, "spil": 1.03, "mfon": 1.3, "mug": 1.05}
    names = ["late_fusion", "self_mm", *targets]
    times = by_turns(bench, {m: bench.ours(store, m, text="minilm", batch_size=32) for m in names},
                     bench.rounds)
    return {"times": times, "ratios": [ratio(times, m, "late_fusion", t)
                                       for m, t in targets.items()]}


@row("Opening MOSEI after conversion, and memory while training on it")
def mosei(bench):
    told = bench.once([sys.executable, str(HERE / "large.py"), str(bench.mosei())])
    limits = {"open_s": 0.5, "private_mb": 300, "loading_share": 0.05,
              "loading_ahead_share": 0.05}
    return told | {"limits": held_to(told, limits)}


@row("The same, where text vectors are computed first, in the same process")
def cold(bench):
    kept = bench.environment["MSA_LIT_CACHE"]
    with tempfile.TemporaryDirectory(dir=bench.data) as empty:
        bench.environment["MSA_LIT_CACHE"] = empty
        try: return mosei(bench)
        finally: bench.environment["MSA_LIT_CACHE"] = kept


@row("200 finished runs in a folder: table and report")
def folder(bench):
    told = bench.once([sys.executable, str(HERE / "folder.py"), str(bench.data / "runs")])
    limits = {"table_s": 2, "report_s": 5}
    return told | {"limits": held_to(told, limits)}


@row("Batches of like length: time and test error over seeds, with pools and without")
def like_length(bench):
    return bench.once([sys.executable, str(HERE / "like_length.py")])


@row("Cost against clips, frames, width and batch, with fitted exponents")
def growth(bench):
    return bench.once([sys.executable, str(HERE / "growth.py")])


@row("A run on MOSEI's size from the pickle to the saved result, with its memory")
def whole(bench):
    file, store = bench.data / "mosei.pkl", bench.mosei()
    large = [sys.executable, str(HERE / "large.py")]
    if not file.exists(): bench.once([*large, str(store), "pickle", str(file)])
    converted = bench.once([*large, str(file), "convert", str(bench.data / "converted")])
    told = converted | bench.once([*large, str(store), "end-to-end"])
    return told | {"limits": held_to(told, {"private_mb": 300})}


def piece(bench, what): return bench.once([sys.executable, str(HERE / "pieces.py"), what])


@row("bfloat16 over float32: a product, and a training pass of the text network")
def precision(bench): return piece(bench, "precision")


@row("torch.compile of the text network over ours")
def compiled(bench): return piece(bench, "compile")


@row("What a step costs outside of model and optimiser")
def overhead(bench): return piece(bench, "overhead")


@row("All notebooks and all tests, one after the other")
def suite(bench):
    told, whole = {}, {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}  # a user's
    nbdev = [str(Path(sys.executable).with_name("nbdev_test")), "--do_print"]
    for name, command in {"nbdev_test": nbdev,
                          "pytest": [sys.executable, "-m", "pytest", "-q", "tests"]}.items():
        print(f"  {name} ...", flush=True)
        began = time.monotonic()
        done = subprocess.run(command, env=whole, cwd=ROOT, capture_output=True, text=True)
        told[f"{name}_s"] = round(time.monotonic() - began)
        told[f"{name}_passed"] = not done.returncode
        if done.returncode: print(done.stdout[-4000:], done.stderr[-1000:], flush=True)
    minutes = (told["nbdev_test_s"] + told["pytest_s"]) / 60
    return told | {"minutes": round(minutes, 1)} | {
        "limits": held_to({"minutes": round(minutes, 1)}, {"minutes": 20})}


# -- all of it ---------------------------------------------------------------------------------

def hardware(bench):
    "What a time depends on; names and versions, no places."
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").split("\n") if info.exists() else []
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
    flags = next((x.partition(":")[2].split() for x in lines if x.startswith("flags")), [])
    known = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags]
    return {"processor": model or platform.machine(), "cores": os.cpu_count(), "flags": known,
            "threads": bench.threads, "load": [round(v, 2) for v in os.getloadavg()],
            "python": platform.python_version(),
            **{p: version(p) for p in ("torch", "transformers", "numpy")}}


def peer_versions(bench):
    code = ("import json; from importlib.metadata import version as v; print(json.dumps("
            "{p: v(p) for p in ('MMSA', 'torch', 'transformers', 'numpy')}))")
    try: return json.loads(subprocess.check_output([str(bench.peer), "-c", code], text=True))
    except (OSError, subprocess.CalledProcessError): return None


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], choices=[*ROWS])
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "bench")
    parser.add_argument("--data", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--peer", type=Path, default=ROOT / ".venv-bench" / "bin" / "python")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    bench = Bench(args)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.only or [r for r in ROWS if r not in NIGHTLY]:
        what, function = ROWS[name]
        path = args.out / f"{name}.json"
        if args.resume and path.exists(): continue
        print(f"{name}: {what} ...", flush=True)
        before, began = hardware(bench), time.monotonic()
        found = function(bench)
        about = {"row": name, "what": what, "date": str(date.today()),
                 "seconds": round(time.monotonic() - began), "hardware": before,
                 "peer": peer_versions(bench), "load_after": round(os.getloadavg()[0], 2)}
        path.write_text(json.dumps(about | found, indent=1, ensure_ascii=False) + "\n")
        print(f"{name}: {about['seconds']} s", flush=True)
        for r in found.get("ratios", []):
            print(f"  {r['over']} / {r['under']}: {r['ratio']} (target {r['target']})")
        for r in found.get("limits", []):
            print(f"  {r['what']}: {r['value']} (target {r['target']})")


if __name__ == "__main__": main()
