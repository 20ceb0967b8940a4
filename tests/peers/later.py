"""Later baselines against the public code of their own papers: weights copied, outputs and
gradients on one batch; and what that code does where our pages say so.

python tests/peers/later.py CLONES FILE   writes results/peers/later.json; `make peers` calls it

CLONES holds ALMT, ConFEDE, DMD and CubeMLP at the commits of COMMITS. Double precision, evaluation
mode, clips that fill their batch. Nothing of theirs is kept in this repository.
"""
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
import torch.nn.functional as F
from judging import all_of, bolder, copied, gap, judged

from msa_lit.baselines.almt import ALMT, ALMTOptions
from msa_lit.baselines.cubemlp import cube_block
from msa_lit.baselines.decoupling import DistillGraph, margin_loss
from msa_lit.data.corpus import Batch, Padded
from msa_lit.model.encoders import positions
from msa_lit.model.losses import pair_contrast
from msa_lit.model.options import ModelOptions, ModelSpec

COMMITS = {"ALMT": "da94610", "ConFEDE": "c048fad", "DMD": "516d4e1", "CubeMLP": "49f75bd"}
WIDTHS = {"text": 12, "audio": 5, "vision": 20}
CLIPS, FRAMES, TOKENS, D, HEADS = 5, 6, 8, 128, 2  # its heads are 64 wide: 2 for 128


@contextlib.contextmanager
def of(folder):
    "Modules of a clone, gone afterwards: two clones have packages of one name."
    before, place = set(sys.modules), os.getcwd()
    sys.path.insert(0, str(folder))
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)  # ConFEDE makes folders where it stands
        try:
            yield import_module
        finally:
            os.chdir(place)
            sys.path.remove(str(folder))
            for name in set(sys.modules) - before:
                if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                    del sys.modules[name]


class Words(torch.nn.Module):
    "In BERT's place: states that are given."
    def __init__(self, **_): super().__init__()

    def forward(self, states): return states


def almt_peer(clones):
    with of(clones / "ALMT") as load:
        module = load("models.almt")
        module.BertTextEncoder = Words
        model = SimpleNamespace(
            bert_pretrained="", token_len=TOKENS, token_dim=D, token_length=TOKENS,
            proj_input_dim=D, proj_depth=2, proj_heads=HEADS, proj_mlp_dim=D, l_enc_heads=HEADS,
            l_enc_mlp_dim=D, AHL_depth=3, ahl_heads=HEADS, ahl_dim_head=D // HEADS, ahl_droup=0.0,
            fusion_heads=HEADS, fusion_mlp_dim=D, fusion_layer_depth=2,
            **{f"{k}_proj_dst_dim": D for k in "lav"},
            **{f"{k}_input_length": FRAMES for k in "lav"},
            **{f"{k}_input_dim": w for k, w in zip("lav", WIDTHS.values(), strict=True)})
        return module.ALMT(SimpleNamespace(model=model))


def place(peer):
    "Its learned positions are ours; its norms stay as they begin, so that none has to be folded."
    norms = {id(p) for m in peer.modules() if isinstance(m, torch.nn.LayerNorm)
             for p in m.parameters()}
    with torch.no_grad():
        for name, p in peer.named_parameters():
            if "pos_embedding" in name: p.copy_(positions(*p.shape[1:]))
            elif id(p) not in norms: p.mul_(0.5 / p.std().clamp(min=1e-3)) if p.dim() > 1 else None
        for name, p in peer.named_parameters():
            if "extra_token" in name or name == "h_hyper": p.normal_()


def layer_pairs(ours, theirs):
    "Our cross layers, whose query, key and value have biases that stay 0, and theirs."
    found = []
    for mine, (attend, feed) in zip(ours, theirs, strict=True):
        with torch.no_grad():
            for part in (mine.q, mine.k, mine.v): part.bias.zero_()
        found += [(mine.q.weight, attend.fn.to_q.weight, None),
                  (mine.k.weight, attend.fn.to_k.weight, None),
                  (mine.v.weight, attend.fn.to_v.weight, None),
                  *all_of(mine.out, attend.fn.to_out[0]), *all_of(mine.norm_feed, feed.norm),
                  *all_of(mine.feed, feed.fn.net)]
    return found


def almt_pairs(ours, peer):
    found = [(ours.hyper, peer.h_hyper, lambda p: p[0])]
    for m, letter in zip(WIDTHS, "lav", strict=True):
        reader, (line, stack) = ours.encoders[m], getattr(peer, f"proj_{letter}")
        found += all_of(reader.map, line)
        found += [(reader.tokens, stack.extra_token, lambda p: p[0])]
        found += layer_pairs(reader.layers, stack.encoder.layers)
    found += layer_pairs(ours.further, peer.l_encoder.encoder.layers)
    for mine, (theirs,) in zip(ours.asking, peer.h_hyper_layer.layers, strict=True):
        found += all_of(mine.ask[0], theirs.norm1) + all_of(mine.renorm, theirs.norm4)
        found += [(mine.ask[1].weight, theirs.fn.to_q.weight, None)]
        for m, norm, letter in (("audio", theirs.norm2, "a"), ("vision", theirs.norm3, "v")):
            found += all_of(mine.norms[m], norm)
            found += [(mine.keys[m].weight, getattr(theirs.fn, f"to_k_t{letter}").weight, None),
                      (mine.values[m].weight, getattr(theirs.fn, f"to_v_t{letter}").weight, None)]
        found += all_of(mine.out, theirs.fn.to_out[0])
    last = peer.fusion_layer
    found += [(ours.fusion.token, last.extra_token, lambda p: p[0])]
    found += layer_pairs(ours.fusion.layers, last.CrossTransformerEncoder.layers)
    return found + all_of(ours.fusion.out, peer.regression_layer[0])


def batch_of():
    full = torch.full((CLIPS,), FRAMES)
    inputs = {m: Padded(torch.randn(CLIPS, FRAMES, w, dtype=torch.double), full)
              for m, w in WIDTHS.items()}
    return Batch(torch.arange(CLIPS), tuple(map(str, range(CLIPS))), inputs,
                 {"multimodal": torch.randn(CLIPS, dtype=torch.double)})


def almt_row(clones):
    "ALMT, and two sentences over one clip whose voice and face have nothing to choose from."
    peer = almt_peer(clones)
    place(peer)
    spec = ModelSpec(tuple(WIDTHS), WIDTHS, 100, 3.0, None,
                     ModelOptions(text="features", dropout=0.0))
    ours = ALMT(spec, ALMTOptions(common_width=D, heads=HEADS, reader_layers=2, renorm=True))
    ours, peer = ours.double().eval(), peer.double().eval()
    pairs = almt_pairs(ours, peer)
    copied(pairs)
    batch = batch_of()
    x, y = {m: p.values for m, p in batch.inputs.items()}, batch.labels["multimodal"]
    out = ours(batch)
    theirs = peer(x["vision"], x["audio"], x["text"]).flatten()
    loss = ours.losses(batch, out)["task"], F.mse_loss(theirs, y)
    row = judged("almt", loss, (out.predictions["multimodal"], theirs), pairs)
    with torch.no_grad():
        def moved():
            a, b = (peer(x["vision"], x["audio"], t)
                    for t in (x["text"], torch.randn_like(x["text"])))
            return gap(a, b)
        free = moved()
        for stack in (peer.proj_a[1], peer.proj_v[1]):  # its tokens begin alike, at one place
            for p in (stack.extra_token, stack.pos_embedding[:, :TOKENS]):
                p.copy_(p[:, :1].clone())
        return row, {"other sentence, tokens to choose from": free,
                     "other sentence, tokens alike": moved()}


def cube_row(clones):
    "One block of CubeMLP."
    sizes, out = (7, 3, 5), (4, 3, 2)
    with of(clones / "CubeMLP") as load:
        peer = load("MLPProcess").MLPsBlock(
            "gelu", sizes, out, out, (0.0, 0.0, 0.0), bias=True, ln_first=True, res_project=True)
    bolder(peer)
    ours, peer = cube_block(sizes, out).double().eval(), peer.double().eval()
    pairs = []
    for unit, k in zip(ours, "lkd", strict=True):
        mlp = getattr(peer, f"mlp_{k}")
        pairs += all_of(unit.norm, getattr(peer, f"ln_{k}"))
        pairs += [(unit.keep.weight, getattr(peer, f"res_projection_{k}").weight, None)]
        pairs += all_of(unit.mix[0], mlp.fc1) + all_of(unit.mix[2], mlp.fc2)
    copied(pairs)
    x = torch.randn(CLIPS, *sizes, dtype=torch.double)
    mine, theirs = ours(x), peer(x)
    return judged("cubemlp, a block", (mine.square().mean(), theirs.square().mean()),
                  (mine, theirs), pairs)


def graph_row(clones, names=("text", "vision", "audio"), width=6, hidden=4):
    "DMD's graph on answers and features; its order is text, face, voice."
    with of(clones / "DMD") as load:
        sys.modules.setdefault("pynvml", ModuleType("pynvml"))  # asks for the GPU's memory
        kernel = load("trains.singleTask.distillnets.get_distillation_kernel_homo")
        softmax = load("trains.singleTask.misc").softmax
        prior = softmax([0, 0, 1, 0, 1, 0], 0.25)
        places = [0, 1, 2]
        peer = kernel.DistillationKernel(1, width, hidden, places, places, prior, 10, [1, 10], "l1",
                                         1 / 8, None)
        bolder(peer)
        ours = DistillGraph(names, width, hidden, (("vision", "text"), ("audio", "text")))
        expected = gap(ours.prior.double(), torch.tensor(prior))
        ours, peer = ours.double(), peer.double()
        peer.gd_prior = ours.prior
        pairs = [*all_of(ours.answer, peer.W_logit), *all_of(ours.feature, peer.W_repr),
                 *all_of(ours.edge, peer.W_edge)]
        copied(pairs)
        answers = {m: torch.randn(CLIPS, dtype=torch.double) for m in names}
        features = {m: torch.randn(CLIPS, width, dtype=torch.double) for m in names}
        mine = ours(answers, features)
        logits = torch.stack([a[:, None] for a in answers.values()])
        theirs, _ = peer(logits, torch.stack(list(features.values())))
        surprise, taught, _ = peer.distillation_loss(logits, torch.stack(list(features.values())),
                                                     theirs)
        loss = ours.imitate(mine, answers) + 10 * ours.surprise(mine), taught + surprise
        row = judged("dmd, a graph", loss, (mine, theirs.T), pairs)
        return row, {"expected edges, largest difference": expected,
                     "features of one clip repel alike": repelled(load, ours, prior)}


def repelled(load, ours, prior):
    "The private graph's term for features, on one clip: theirs averages before it weighs."
    kernel = load("trains.singleTask.distillnets.get_distillation_kernel")
    places, names = [0, 1, 2], ("text", "vision", "audio")
    peer = kernel.DistillationKernel(1, 6, 4, places, places, prior, 10, [1, 10], "l1", 1 / 8, None)
    peer.gd_prior = ours.prior
    one = {m: torch.randn(1, 6, dtype=torch.double) for m in names}
    edges = torch.rand(1, 6, dtype=torch.double).softmax(1)
    said = torch.zeros(3, 1, 1, dtype=torch.double)
    theirs = peer.distillation_loss(said, torch.stack(list(one.values())), edges.T)[2]
    return gap(10 * ours.repel(edges, one), theirs)


def margin_gap(clones):
    "DMD's margin over nine vectors of three labels."
    with of(clones / "DMD") as load:
        peer = load("trains.singleTask.HingeLoss").HingeLoss()
    labels = torch.tensor([1.0, 1, 1, -2, -2, -2, 0.4, 0.4, 0.4], dtype=torch.double)
    vectors = torch.randn(9, 4, dtype=torch.double)
    return gap(margin_loss(vectors, labels), peer(labels[:, None], vectors))


def contrasts(clones):
    "ConFEDE's contrast on its own pairs of one clip and six others: 42 vectors."
    with of(clones / "ConFEDE" / "MOSI") as load:
        peer = load("util.metrics").cont_NTXentLoss(temperature=0.5)
    own = [7 * k for k in range(3)]
    drawn = [(a, a + j) for a in own for j in (1, 2)]
    drawn += [(j, j + a) for j in range(7) for a in own[1:]]
    pushed = [(a, a + j) for a in own for j in (3, 4, 5, 6)]
    pushed += [(j, 21 + j + a) for j in range(7) for a in own]
    x = torch.randn(42, 5, dtype=torch.double)
    masks = []
    for pairs in (drawn, pushed):
        mask = torch.zeros(42, 42, dtype=torch.bool)
        mask[tuple(torch.tensor(pairs).T)] = True
        masks.append(mask)
    tuples = (*torch.tensor(drawn).T, *torch.tensor(pushed).T)
    theirs = peer(x, torch.zeros(42), indices_tuple=tuples)
    return {"largest difference": gap(pair_contrast(x, x, *masks, 0.5), theirs),
            "its value": float(theirs)}


def sampled(clones, clips=400, width=8):
    "What ConFEDE's loader keeps as likest clips of the same class."
    import numpy as np
    rng = np.random.default_rng(0)
    labels = np.round(rng.normal(0, 1.3, clips).clip(-3, 3))
    x = F.normalize(torch.from_numpy(labels[:, None] + rng.normal(0, 1, (clips, width))), dim=1)
    likeness = x @ x.T
    rank = likeness.argsort(1, descending=True)
    with of(clones / "ConFEDE" / "MOSI") as load:
        loader = load("dataloader.MOSI").MOSIDataset
        kept = loader._MOSIDataset__pre_sample(SimpleNamespace(size=clips), rank.float(), labels)
    def told(chosen):
        same = np.mean([labels[i] == labels[j] for i, c in enumerate(chosen) for j in c])
        near = np.mean([float(likeness[i, j]) for i, c in enumerate(chosen) for j in c])
        return {"of the same class": float(same), "mean cosine": near}
    meant = [[int(rank[i, j]) for j in c] for i, c in enumerate(kept["ss"])]
    chance = [[j for j in range(clips) if j != i] for i in range(clips)]
    return {"as it samples": told(kept["ss"]), "as it means": told(meant), "any clip": told(chance)}


def commits(clones):
    "Short names of what lies there. Raises ValueError where it is not what was compared."
    found = {}
    for name, wanted in COMMITS.items():
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clones / name, text=True,
                              capture_output=True, check=True).stdout.strip()
        if not head.startswith(wanted): raise ValueError(f"{name} is at {head}, not {wanted}")
        found[name] = wanted
    return found


def main(folder, file):
    clones = Path(folder).resolve()
    torch.manual_seed(2)
    torch.Tensor.cuda = lambda self, *_: self  # DMD sends its priors there, whatever the machine
    almt, silent = almt_row(clones)
    graph, more = graph_row(clones)
    result = {
        "peers": commits(clones), "rows": [almt, cube_row(clones), graph],
        "almt": silent, "dmd": more | {"margin": margin_gap(clones)},
        "confede": {"contrast": contrasts(clones), "likest of the same class": sampled(clones)}}
    text = json.dumps(result, indent=1)
    assert not math.isnan(sum(r["outputs"] for r in result["rows"]))
    Path(file).write_text(text + "\n")
    print(text)


if __name__ == "__main__": main(*sys.argv[1:])
