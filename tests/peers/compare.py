"""Our baselines against MMSA's: its weights copied into ours, outputs and gradients on one batch.

python tests/peers/compare.py FILE    writes results/peers/baselines.json; `make peers` calls it

Runs where MMSA==2.2.1 is installed, with this checkout first on the path. Both sides compute in
double precision and in evaluation mode, on clips that fill their batch, so that nothing but the
formula is compared. What differs by design is in the notebooks.
"""
import contextlib
import json
import sys
from importlib import import_module
from types import SimpleNamespace
from unittest.mock import patch

import torch
from judging import all_of, bolder, copied, gap, judged
from MMSA.models.singleTask.EF_LSTM import EF_LSTM
from MMSA.models.singleTask.Graph_MFN import Graph_MFN
from MMSA.models.singleTask.LF_DNN import LF_DNN
from MMSA.models.singleTask.LMF import LMF as PeerLMF
from MMSA.models.singleTask.MFM import MFM as PeerMFM
from MMSA.models.singleTask.MFN import MFN as PeerMFN
from MMSA.models.singleTask.MULT import MULT as PeerMulT
from MMSA.models.singleTask.TFN import TFN as PeerTFN
from MMSA.trains.singleTask.MISA import CMD, MSE, DiffLoss
from MMSA.trains.singleTask.MISA import MISA as PeerTraining

from msa_lit.baselines.ef_lstm import EFLSTM, EFLSTMOptions
from msa_lit.baselines.graph_mfn import GraphMFN, GraphMFNOptions
from msa_lit.baselines.lf_dnn import LFDNN
from msa_lit.baselines.lmf import LMF, LMFOptions
from msa_lit.baselines.mag_bert import AdaptationGate
from msa_lit.baselines.mfm import MFM, MFMOptions
from msa_lit.baselines.mfn import MFN, MFNOptions
from msa_lit.baselines.misa import MISA, MISAOptions
from msa_lit.baselines.mmim import MMIM, MMIMOptions
from msa_lit.baselines.mult import MulT, MulTOptions
from msa_lit.baselines.tfn import TFN
from msa_lit.data.corpus import Batch, Padded
from msa_lit.model.encoders import positions
from msa_lit.model.options import ModelOptions, ModelSpec

peer_misa = import_module("MMSA.models.singleTask.MISA")  # its package calls the class so, too
peer_mmim = import_module("MMSA.models.singleTask.MMIM")
peer_mag = import_module("MMSA.models.singleTask.BERT_MAG")
WIDTHS = {"text": 12, "audio": 5, "vision": 20}
HIDDEN = {"text": 16, "audio": 7, "vision": 9}
TEXT_OUT, BEHIND, FRAMES, CLIPS = 8, 10, 6, 5  # LMF's text_out is half of the words' hidden
PARTS = {"audio": "audio_subnet", "vision": "video_subnet"}


def settings():
    "What the peers read from their file of settings."
    return SimpleNamespace(
        feature_dims=tuple(WIDTHS.values()), hidden_dims=tuple(HIDDEN.values()), num_classes=1,
        train_mode="regression", text_out=TEXT_OUT, post_fusion_dim=BEHIND, rank=3,
        dropouts=(0.0, 0.0, 0.0, 0.0))


def spec():
    "The same for ours."
    sizes = {f"{m}_hidden": h for m, h in HIDDEN.items()}
    model = ModelOptions(text="features", text_width=TEXT_OUT, fusion_width=BEHIND, dropout=0.0,
                         **sizes)
    return ModelSpec(tuple(WIDTHS), WIDTHS, 100, 3.0, None, model)


def pairs_of_encoders(ours, peer):
    "(our parameter, the peer's, how its columns go into ours) below the fusion; norms are folded."
    text, words = ours.encoders["text"], peer.text_subnet
    rnn = text.inner.rnn
    found = [(p, dict(words.rnn.named_parameters())[n], None) for n, p in rnn.named_parameters()]
    with torch.no_grad():
        text.inner.out.weight.copy_(torch.eye(HIDDEN["text"]))
        text.inner.out.bias.zero_()
    found += [(text.out.weight, words.linear_1.weight, None),
              (text.out.bias, words.linear_1.bias, None)]
    for m, name in PARTS.items():
        net, theirs = ours.encoders[m], getattr(peer, name)
        norm = theirs.norm
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        with torch.no_grad():
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()
            scale = (norm.running_var + norm.eps).sqrt() / norm.weight
            net.frames.scaler.scale.copy_(scale)
            net.frames.scaler.mean.copy_(norm.running_mean - norm.bias * scale)
        for k, layer in enumerate(net.layers[1::2], 1):
            other = getattr(theirs, f"linear_{k}")
            found += [(layer.weight, other.weight, None), (layer.bias, other.bias, None)]
    return found


def behind(read, peer, columns):
    "The same for the two layers and the answer."
    layers = (read.layers[1], read.layers[3], read.out)
    others = [getattr(peer, f"post_fusion_layer_{k}") for k in (1, 2, 3)]
    found = [(layers[0].weight, others[0].weight, columns)]
    found += [(a.weight, b.weight, None) for a, b in list(zip(layers, others, strict=True))[1:]]
    return found + [(a.bias, b.bias, None) for a, b in zip(layers, others, strict=True)]


def tensor_columns(weight):
    "MMSA's products run voice, face, words; ours words, voice, face."
    a, v, t = HIDDEN["audio"] + 1, HIDDEN["vision"] + 1, TEXT_OUT + 1
    return weight.view(-1, a, v, t).permute(0, 3, 1, 2).flatten(1)


def joined_columns(weight):
    "The same for vectors side by side."
    a, v, t = weight.split([HIDDEN["audio"], HIDDEN["vision"], TEXT_OUT], 1)
    return torch.cat([t, a, v], 1)


def factor_pairs(fusion, peer):
    "The factors, and the weights over the rank."
    names = {"text": "text_factor", "audio": "audio_factor", "vision": "video_factor"}
    found = [(fusion.factors[m], getattr(peer, n), None) for m, n in names.items()]
    return [*found, (fusion.out.weight, peer.fusion_weights, None),
            (fusion.out.bias, peer.fusion_bias, lambda b: b[0])]


def batch_of(widths, clips=CLIPS):
    "Clips that fill their batch."
    full = torch.full((clips,), FRAMES)
    inputs = {m: Padded(torch.randn(clips, FRAMES, w, dtype=torch.double), full)
              for m, w in widths.items()}
    return Batch(torch.arange(clips), tuple(map(str, range(clips))), inputs,
                 {"multimodal": torch.randn(clips, dtype=torch.double)})


def row(name, ours, peer, fusion_pairs):
    "Copy, run both on one batch, compare."
    bolder(peer)
    ours, peer = ours.double().eval(), peer.double().eval()
    pairs = pairs_of_encoders(ours, peer) + fusion_pairs(ours.fusion, peer)
    copied(pairs)
    batch = batch_of(WIDTHS)
    out, x = ours(batch), {m: p.values for m, p in batch.inputs.items()}
    there = peer(x["text"], x["audio"].mean(1, keepdim=True), x["vision"].mean(1, keepdim=True))
    theirs = there["M"].flatten()
    loss = ours.losses(batch, out)["task"], torch.nn.L1Loss()(theirs, batch.labels["multimodal"])
    return judged(name, loss, (out.predictions["multimodal"], theirs), pairs)


class Words(torch.nn.Module):
    "In BERT's place: states that are given."
    def __init__(self, **_): super().__init__()

    def forward(self, text): return self.states


def misa_row(width=6):
    "MISA on given states of the words: LSTMs, spaces, fusion, and the four losses."
    widths = {"text": 768, "audio": 5, "vision": 20}
    peer_misa.BertTextEncoder = Words
    peer = peer_misa.MISA(SimpleNamespace(
        feature_dims=tuple(widths.values()), num_classes=1, train_mode="regression", dropout=0.0,
        hidden_size=width, rnncell="lstm", use_bert=True, use_cmd_sim=True, use_finetune=True,
        transformers="bert", pretrained="", reverse_grad_weight=1.0))
    bolder(peer)
    model = ModelOptions(text="random:bert", freeze_text=True, pooling="mean", dropout=0.0,
                         audio_hidden=5, vision_hidden=20)
    ours = MISA(ModelSpec(tuple(widths), widths, 100, 3.0, None, model),
                MISAOptions(common_width=width))
    ours, peer = ours.double().eval(), peer.double().eval()
    pairs = misa_pairs(ours, peer)
    copied(pairs)
    batch = batch_of(widths)
    out, x = ours(batch), {m: p.values for m, p in batch.inputs.items()}
    peer.bertmodel.states = x["text"]
    text = torch.ones(CLIPS, 3, FRAMES, dtype=torch.double)
    theirs = peer(text, x["audio"], x["vision"])["M"].flatten()
    training = SimpleNamespace(args=SimpleNamespace(use_cmd_sim=True), loss_diff=DiffLoss(),
                               model=SimpleNamespace(Model=peer), loss_recon=MSE(), loss_cmd=CMD())
    loss = torch.nn.MSELoss()(theirs, batch.labels["multimodal"])
    loss = loss + 0.1 * PeerTraining.get_diff_loss(training)
    loss = loss + 0.3 * PeerTraining.get_cmd_loss(training)
    loss = loss + 1.0 * PeerTraining.get_recon_loss(training)
    total = sum(ours.losses(batch, out).values())
    return judged("misa", (total, loss), (out.predictions["multimodal"], theirs), pairs)


def misa_pairs(ours, peer):
    "As above; MMSA's six vectors run words, face, voice, ours words, voice, face."
    found = all_of(ours.spaces.shared, peer.shared)
    found += all_of(ours.fusion.attend, peer.transformer_encoder.layers[0])
    for m, letter in (("text", "t"), ("audio", "a"), ("vision", "v")):
        for kind, name in (("project", "project"), ("private", "private"), ("rebuild", "recon")):
            found += all_of(getattr(ours.spaces, kind)[m], getattr(peer, f"{name}_{letter}"))
        if m == "text": continue
        net = ours.encoders[m]
        for part, name in ((net.first, "rnn1"), (net.second, "rnn2"), (net.norm, "layer_norm")):
            found += all_of(part, getattr(peer, f"{letter}{name}"))

    def columns(weight): return weight.unflatten(1, (6, -1))[:, [0, 2, 1, 3, 5, 4]].flatten(1)
    first, last = peer.fusion.fusion_layer_1, peer.fusion.fusion_layer_3
    return found + [(ours.fusion.layer.weight, first.weight, columns),
                    (ours.fusion.layer.bias, first.bias, None), *all_of(ours.fusion.out, last)]


def mmim_models(width=8, hidden=6):
    "MMSA's MMIM and ours, with one set of weights; what is drawn for the entropy included."
    widths = {"text": 768, "audio": 5, "vision": 20}
    peer_mmim.BertTextEncoder = Words
    peer = peer_mmim.MMIM(SimpleNamespace(
        feature_dims=tuple(widths.values()), num_classes=1, train_mode="regression", use_bert=True,
        use_finetune=True, transformers="bert", pretrained="", need_data_aligned=False, add_va=True,
        d_vh=hidden, d_ah=hidden, d_vout=width, d_aout=width, n_layer=1, bidirectional=True,
        mmilb_mid_activation="ReLU", mmilb_last_activation="Tanh", d_prjh=BEHIND, cpc_layers=1,
        cpc_activation="Tanh", dropout_prj=0.0))
    bolder(peer)
    sizes = {f"{m}_{what}": n for m in ("audio", "vision")
             for what, n in (("hidden", hidden), ("width", width))}
    model = ModelOptions(text="random:bert", freeze_text=True, pooling="first", dropout=0.0,
                         fusion_width=BEHIND, **sizes)
    ours = MMIM(ModelSpec(tuple(widths), widths, 100, 3.0, None, model),
                MMIMOptions(face_and_voice=True))
    return ours.double().eval(), peer.double().eval(), widths


def mmim_pairs(ours, peer):
    "(of q, of all the rest); the projection for the entropy is copied and trained by neither."
    letters = {"text": "t", "audio": "a", "vision": "v"}
    q, rest = [], []
    for name, mine in ours.conditionals.items():
        a, b = name.split()
        there = getattr(peer, f"mi_{letters[a]}{letters[b]}")
        q += all_of(mine.mean, there.mlp_mu) + all_of(mine.log_variance, there.mlp_logvar)
        copied(all_of(ours.spreads[name].project, there.entropy_prj[0]))
    for m, letter in letters.items():
        rest += all_of(ours.told[m], getattr(peer, f"cpc_z{letter}").net)
    for m, name in (("audio", "acoustic_enc"), ("vision", "visual_enc")):
        mine, there = ours.encoders[m], getattr(peer, name)
        rest += all_of(mine.inner.rnn, there.rnn) + all_of(mine.out, there.linear_1)
    fusion = peer.fusion_prj  # words, voice, face in both
    for mine, there in zip((*ours.fusion.layers[1::2], ours.fusion.out),
                           (fusion.linear_1, fusion.linear_2, fusion.linear_3), strict=True):
        rest += all_of(mine, there)
    return q, rest


def mmim_rows(clips=24):
    "Both phases; the second with an entropy over two batches."
    ours, peer, widths = mmim_models()
    q, rest = mmim_pairs(ours, peer)
    copied(q + rest)
    first, second = batch_of(widths, clips), batch_of(widths, clips)
    for batch in (first, second): batch.inputs["text"].values.mul_(0.05)  # there are 768 of them

    def there(batch, **more):
        peer.bertmodel.states, full = batch.inputs["text"].values, batch.inputs["text"].lengths
        return peer(None, *((batch.inputs[m].values, full) for m in ("audio", "vision")), **more)
    out, found = ours(second), there(second)
    alone = judged("mmim, first phase", (ours.losses(second, out)["conditionals"], -found["lld"]),
                   (out.predictions["multimodal"], found["M"].flatten()), q)
    ours.taken += 1  # one batch is a pass here
    past = there(first, y=first.labels["multimodal"], mem=dict.fromkeys(("tv", "ta", "va")))
    memory = {k: {side: [v.detach()] for side, v in pair.items()}
              for k, pair in past["pn_dic"].items()}
    ours.after_step(first, ours(first))
    ours.taken.fill_(1)
    peer.zero_grad()
    ours.zero_grad()
    out, found = ours(second), there(second, y=second.labels["multimodal"], mem=memory)
    theirs = torch.nn.L1Loss()(found["M"].flatten(), second.labels["multimodal"])
    theirs = theirs + 0.1 * found["nce"] - 0.1 * found["lld"] - 0.1 * found["H"]
    loss = sum(ours.losses(second, out).values()), theirs
    return [alone, judged("mmim, second phase", loss, (out.predictions["multimodal"],
                                                       found["M"].flatten()), rest)]


def two_each(mine, peer, name):
    "Our two layers with a dropout between them, MMSA's fc1 and fc2."
    return [*all_of(mine[0], getattr(peer, f"{name}_fc1")),
            *all_of(mine[-1], getattr(peer, f"{name}_fc2"))]


def memory_settings(memory, *names):
    "What MMSA's memories read: every hidden layer has a width of its own."
    nets = {n: {"drop": 0.0, "shapes": BEHIND + k} for k, n in enumerate(names)}
    return SimpleNamespace(
        feature_dims=tuple(WIDTHS.values()), num_classes=1, train_mode="regression", windowsize=2,
        hidden_dims=(TEXT_OUT, HIDDEN["audio"], HIDDEN["vision"]), memsize=memory, device="cpu",
        outConfig={"drop": 0.0, "shapes": BEHIND}, **nets)


def memory_row(name, ours, peer, gates):
    "LSTMs, a gated memory over them and the two layers at the end, on aligned steps."
    bolder(peer)
    ours, peer, pairs = ours.double().eval(), peer.double().eval(), gates
    for m, letter in (("text", "l"), ("audio", "a"), ("vision", "v")):
        pairs += all_of(ours.fusion.cells[m], getattr(peer, f"lstm_{letter}"))
    pairs += all_of(ours.fusion.layer[0], peer.out_fc1) + all_of(ours.fusion.out, peer.out_fc2)
    copied(pairs)
    batch = batch_of(WIDTHS)
    out = ours(batch)
    theirs = peer(*(p.values for p in batch.inputs.values()))["M"].flatten()
    loss = ours.losses(batch, out)["task"], torch.nn.L1Loss()(theirs, batch.labels["multimodal"])
    return judged(name, loss, (out.predictions["multimodal"], theirs), pairs)


NETS = ("NN1Config", "NN2Config", "gamma1Config", "gamma2Config")
FOUR = tuple(BEHIND + k for k in range(4))


def attended_pairs(gates, peer):
    "The four networks around MFN's memory."
    nets = {"att1": gates.attend, "att2": gates.propose, "gamma1": gates.keep, "gamma2": gates.take}
    return [pair for name, net in nets.items() for pair in two_each(net, peer, name)]


def mfn_row(memory=6):
    "The attention over two steps' cells."
    peer = PeerMFN(memory_settings(memory, *NETS))
    ours = MFN(spec(), MFNOptions(memory=memory, gate_widths=FOUR))
    return memory_row("mfn", ours, peer, attended_pairs(ours.fusion.gates, peer))


def same_draw(like, *_, **__):
    "In place of a random draw: the same numbers for the same shape, in both."
    shape = torch.Size(like) if isinstance(like, torch.Size) else like.shape
    n = torch.arange(shape.numel(), dtype=torch.double).reshape(shape)
    return torch.sin(12.9898 * (n + 1)) * 1.4


def mfm_row(memory=6):
    "Factors behind an MFN without its end; what they tell back, and the distance to a prior."
    latents, factors = {"y": 5, "l": 6, "a": 7, "v": 8}, {"y": 9, "l": 4, "a": 3, "v": 5}
    settings = memory_settings(memory, *NETS)
    for k in latents:
        vars(settings).update({f"z{k}_size": latents[k], f"f{k}_size": factors[k],
                               f"z{k}_to_f{k}_dropout": 0.0})
    vars(settings).update(fy_to_y_dropout=0.0, lda_xl=0.5, lda_xa=0.2, lda_xv=0.3)
    peer = PeerMFM(settings)
    bolder(peer)
    ours = MFM(spec(), MFMOptions(
        memory=memory, gate_widths=FOUR, latents=tuple(latents.values()), prior=10.0,
        factors=tuple(factors.values()), retell=(0.5, 0.2, 0.3))).double().eval()
    peer = peer.double().eval()
    pairs = mfm_pairs(ours.fusion, peer)
    copied(pairs)
    batch = batch_of(WIDTHS)
    with patch("torch.randn", same_draw), patch("torch.randn_like", same_draw):
        out = ours(batch)
        theirs, told, prior, _ = peer(*(p.values for p in batch.inputs.values()))
        loss = torch.nn.L1Loss()(theirs.flatten(), batch.labels["multimodal"]) + told + 10 * prior
        total = sum(ours.losses(batch, out).values())
    return judged("mfm", (total, loss), (out.predictions["multimodal"], theirs.flatten()), pairs)


def mfm_pairs(ours, peer):
    "MMSA keeps the last two layers of its MFN here and reads them nowhere: they have no partner."
    pairs = attended_pairs(ours.memory.gates, peer.mfn_encoder)
    for k, letter in (("shared", "y"), ("text", "l"), ("audio", "a"), ("vision", "v")):
        pairs += two_each(ours.factor[k][0], peer, f"z{letter}_to_f{letter}")
        if k == "shared": continue
        there = getattr(peer, f"encoder_{letter}")
        pairs += all_of(ours.memory.cells[k], getattr(peer.mfn_encoder, f"lstm_{letter}"))
        pairs += all_of(ours.hear[k], there.lstm) + all_of(ours.sum_up[k], there.fc1)
        there = getattr(peer, f"decoder_{letter}")
        pairs += all_of(ours.retell[k].cell, there.lstm) + all_of(ours.retell[k].out, there.fc1)
    return [*pairs, *all_of(ours.shared, peer.last_to_zy_fc1),
            *all_of(ours.layer[0], peer.fy_to_y_fc1), *all_of(ours.out, peer.fy_to_y_fc2)]


def graph_row(memory=6, node=4):
    "The graph over all subsets; the networks of its inner vertices stand in no list of MMSA's."
    settings = memory_settings(memory, "NNConfig", "gamma1Config", "gamma2Config")
    settings.inner_node_dim = node
    peer = Graph_MFN(settings)
    inner = peer.graph_mfn.networks
    for net in inner.values(): bolder(net.double())
    ours = GraphMFN(spec(), GraphMFNOptions(
        memory=memory, node=node, gate_widths=tuple(BEHIND + k for k in range(3))))
    gates, pairs = ours.fusion.gates, []
    for net, name in ((gates.propose, "att2"), (gates.keep, "gamma1"), (gates.take, "gamma2")):
        pairs += two_each(net, peer, name)
    for net, letter in zip(gates.singles, "lav", strict=True):
        pairs += all_of(net, getattr(peer, f"{letter}_transform"))
    graph, there = gates.graph, peer.graph_mfn
    for vertex, net in zip(graph.sources, graph.nets, strict=True):
        pairs += all_of(net, inner[vertex])
    pairs += all_of(graph.top, there.t_network) + all_of(graph.weigh, there.efficacy_model)
    return memory_row("graph_mfn", ours, peer, pairs) | {"unseen": unseen(peer, inner.values())}


def unseen(peer, nets):
    "How many tensors of these networks MMSA's `parameters()` does not name."
    known = {id(p) for p in peer.parameters()}
    return sum(id(p) not in known for net in nets for p in net.parameters())


def gate_row():
    "MAG-BERT's gate alone: its text network cannot be built with the transformers of today."
    others = {m: w for m, w in WIDTHS.items() if m != "text"}
    peer = peer_mag.MAG(SimpleNamespace(hidden_size=WIDTHS["text"]), SimpleNamespace(
        feature_dims=tuple(WIDTHS.values()), beta_shift=0.7, device="cpu", dropout_prob=0.0))
    bolder(peer)
    ours = AdaptationGate(WIDTHS["text"], others, 0.7, bias=True).double().eval()
    peer, pairs = peer.double().eval(), all_of(ours.norm, peer.LayerNorm)
    for m, letter in (("audio", "a"), ("vision", "v")):
        pairs += all_of(ours.open[m], getattr(peer, f"W_h{letter}"))
        pairs += all_of(ours.move[m], getattr(peer, f"W_{letter}"))
    copied(pairs)
    x = {m: p.values for m, p in batch_of(WIDTHS).inputs.items()}
    mine = ours(x["text"], {m: x[m] for m in others})
    theirs = peer(x["text"], x["vision"], x["audio"])
    loss = mine.square().sum(), theirs.square().sum()
    return judged("mag_bert, its gate", loss, (mine, theirs), pairs)


@contextlib.contextmanager
def all_double():
    "Nothing goes down to single precision: ours before its LSTM, MMSA in its softmax."
    with patch.object(torch.Tensor, "float", lambda self: self): yield


def ef_lstm_row(layers=2):
    """MMSA's batch norm has a scale and a shift per *time step*, which no map of features can be:
    its steps are given to ours as its norm leaves them. Second: how far apart without that."""
    peer = EF_LSTM(SimpleNamespace(
        feature_dims=tuple(WIDTHS.values()), seq_lens=FRAMES, hidden_dims=BEHIND, dropout=0.0,
        num_layers=layers, num_classes=1, train_mode="regression"))
    bolder(peer)
    peer.norm.running_mean.normal_()
    peer.norm.running_var.uniform_(0.5, 2)
    ours = EFLSTM(spec(), EFLSTMOptions(lstm_layers=layers)).double().eval()
    peer, own = peer.double().eval(), ours.fusion
    pairs = [*all_of(own.rnn, peer.lstm), *all_of(own.layer[1], peer.linear),
             *all_of(own.out, peer.out)]
    copied(pairs)
    batch = batch_of(WIDTHS)
    x = [p.values for p in batch.inputs.values()]
    with torch.no_grad(): normed = peer.norm(torch.cat(x, -1)).split(tuple(WIDTHS.values()), -1)
    as_it_leaves_them = Batch(batch.index, batch.ids, {
        m: Padded(v, batch.inputs[m].lengths) for m, v in zip(WIDTHS, normed, strict=True)},
        batch.labels)
    with all_double():
        out, plain = ours(as_it_leaves_them), ours(batch).predictions["multimodal"]
    theirs = peer(*x)["M"].flatten()
    loss = ours.losses(batch, out)["task"], torch.nn.L1Loss()(theirs, batch.labels["multimodal"])
    return judged("ef_lstm", loss, (out.predictions["multimodal"], theirs), pairs), gap(
        plain, theirs)


class Places(torch.nn.Module):
    "Our positions for MMSA's encoder, which asks with one feature of each step, [N, T]."
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x): return positions(x.shape[1], self.width).to(x)[None]


def mult_models(kernels, future, width=8, heads=2, layers=2):
    "MMSA's MulT as it builds it and ours, with one set of weights."
    peer = PeerMulT(SimpleNamespace(
        feature_dims=tuple(WIDTHS.values()), dst_feature_dim_nheads=(width, heads), nlevels=layers,
        use_bert=False, attn_mask=future, num_classes=1, train_mode="regression",
        **{f"conv1d_kernel_size_{k}": n for k, n in zip("lav", kernels, strict=True)},
        **dict.fromkeys(("attn_dropout", "attn_dropout_a", "attn_dropout_v", "relu_dropout",
                         "embed_dropout", "res_dropout", "output_dropout", "text_dropout"), 0.0)))
    bolder(peer)
    ours = MulT(spec(), MulTOptions(
        common_width=width, heads=heads, layers=layers, memory_layers=max(layers, 3),
        future=future, **{f"{m}_kernel": n for m, n in zip(WIDTHS, kernels, strict=True)}))
    ours, peer = ours.double().eval(), peer.double().eval()
    pairs, keys = mult_pairs(ours, peer)
    copied(pairs + keys)
    return ours, peer, pairs


def stack_pairs(ours, peer):
    "(all of a stack, the keys' biases: no softmax feels them, so their gradient is only rounding)."
    found, keys = all_of(ours.norm, peer.layer_norm), []
    for mine, theirs in zip(ours.layers, peer.layers, strict=True):
        attend = theirs.self_attn
        for k, part in enumerate((mine.q, mine.k, mine.v)):
            def third(w, k=k): return w.chunk(3)[k]
            found.append((part.weight, attend.in_proj_weight, third))
            (keys if part is mine.k else found).append((part.bias, attend.in_proj_bias, third))
        found += all_of(mine.out, attend.out_proj)
        found += all_of(mine.norm, theirs.layer_norms[0])
        found += all_of(mine.norm_feed, theirs.layer_norms[1])
        found += all_of(mine.feed[0], theirs.fc1) + all_of(mine.feed[-1], theirs.fc2)
    return found, keys


def mult_pairs(ours, peer):
    "The same for the whole model; targets and sources stand in one order in both."
    letters = {"text": "l", "audio": "a", "vision": "v"}
    pairs, keys = [], []
    for m, letter in letters.items():
        pairs += all_of(ours.convolve[m].map, getattr(peer, f"proj_{letter}"))
        stacks = [(f"with_{letters[s]}", stack) for s, stack in ours.cross[m].items()]
        for name, stack in [*stacks, ("mem", ours.memory[m])]:
            found, more = stack_pairs(stack, getattr(peer, f"trans_{letter}_{name}"))
            pairs, keys = pairs + found, keys + more
    own = ours.fusion
    pairs += all_of(own.block[0], peer.proj1) + all_of(own.block[-1], peer.proj2)
    return pairs + all_of(own.out, peer.out_layer), keys


def mult_row():
    """Convolutions of three widths, the future hidden. MMSA's shorten a clip, ours put zeros at its
    ends: MMSA is given these zeros. MMSA builds no positions: it is given ours. Second: how far
    apart without the positions."""
    kernels = (3, 1, 5)
    ours, peer, pairs = mult_models(kernels, True)
    batch = batch_of(WIDTHS)
    x = [torch.nn.functional.pad(p.values, (0, 0, k // 2, k // 2))
         for p, k in zip(batch.inputs.values(), kernels, strict=True)]
    stacks = [n for n in peer.children() if hasattr(n, "embed_positions")]
    built = sum(n.embed_positions is not None for n in stacks)
    with all_double():
        out, without = ours(batch), peer(*x)["M"].flatten()
        for n in stacks: n.embed_positions = Places(n.embed_dim)
        theirs = peer(*x)["M"].flatten()
    loss = ours.losses(batch, out)["task"], torch.nn.L1Loss()(theirs, batch.labels["multimodal"])
    mine = out.predictions["multimodal"]
    return judged("mult", loss, (mine, theirs), pairs), {
        "stacks": len(stacks), "of them with positions": built,
        "outputs apart without positions": gap(mine, without), **mult_shuffled()}


def mult_shuffled():
    "How far answers move when the face's frames before its last one change places."
    ours, peer, _ = mult_models((1, 1, 1), False)
    batch = batch_of(WIDTHS)
    face = batch.inputs["vision"]
    turned = torch.cat([face.values[:, :-1].flip(1), face.values[:, -1:]], 1)
    other = Batch(batch.index, batch.ids,
                  batch.inputs | {"vision": Padded(turned, face.lengths)}, batch.labels)
    def said(b): return peer(*(p.values for p in b.inputs.values()))["M"]
    with torch.no_grad(), all_double():
        return {"MMSA's answers, frames in another order": gap(said(batch), said(other)),
                "ours, frames in another order": gap(ours(batch).predictions["multimodal"],
                                                     ours(other).predictions["multimodal"])}


def left_out():
    "Names of the parameters that MMSA's list for LMF's optimiser never mentions."
    model = torch.nn.Module()
    model.Model = PeerLMF(settings())
    named = list(model.named_parameters())
    listed = {n for n, _ in named[:3] + named[5:]}
    return sorted(n.partition(".")[2] for n, _ in named if n not in listed)


def main(path):
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)  # MFN makes its zeros so
    rows = [row("tfn", TFN(spec()), PeerTFN(settings()),
                lambda f, p: behind(f.read, p, tensor_columns)),
            row("lmf", LMF(spec(), LMFOptions(rank=3, combine="learned")), PeerLMF(settings()),
                factor_pairs),
            row("lf_dnn", LFDNN(spec()), LF_DNN(settings()),
                lambda f, p: behind(f, p, joined_columns)),
            misa_row(), mfn_row(), mfm_row(), *mmim_rows(), gate_row(), graph_row()]
    (early, apart), (mult, places) = ef_lstm_row(), mult_row()
    found = {"peer": "MMSA 2.2.1", "torch": torch.__version__,
             "graph_mfn: tensors never trained": rows[-1].pop("unseen"),
             "lmf: never trained": left_out(),
             "ef_lstm: outputs apart without its norm over time": apart,
             "mult: positions": places, "rows": [*rows, early, mult]}
    with open(path, "w", encoding="utf8") as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    for r in found["rows"]: print(r)
    print(apart, places)


if __name__ == "__main__": main(sys.argv[1])
