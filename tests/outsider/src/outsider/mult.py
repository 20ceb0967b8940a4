"MulT (Tsai et al., 2019): every modality looks at the frames of every other one."
import torch
from msa_lit.model.common import CommonModel
from msa_lit.model.contract import method
from msa_lit.model.encoders import FrameTransformer
from torch import nn

WIDTH, HEADS = 16, 2


class Look(nn.Module):
    "One modality attends to another's frames, with a residual."

    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)
        wide = 2 * WIDTH
        self.feed = nn.Sequential(nn.Linear(WIDTH, wide), nn.ReLU(), nn.Linear(wide, WIDTH))

    def forward(self, x, other, mask):  # [N, T, d], [N, S, d], [N, S] True = real
        x = x + self.attend(x, other, other, ~mask, need_weights=False)[0]
        return x + self.feed(self.norm(x))


@method("out_mult")
class MulT(CommonModel):
    "Multimodal transformer for unaligned sequences."

    probe_only = True

    def build(self):
        super().build()
        names = self.spec.modalities
        widths = {m: e.state_width for m, e in self.encoders.items()}
        self.narrow = nn.ModuleDict({m: nn.Linear(w, WIDTH) for m, w in widths.items()})
        pairs = [f"{a}_at_{b}" for a in names for b in names if a != b or len(names) == 1]
        self.looks = nn.ModuleDict({pair: Look() for pair in pairs})

    def build_encoder(self, modality):
        if modality == "text" and "text" not in self.spec.widths:
            return super().build_encoder(modality)
        return FrameTransformer(self.spec.widths[modality], WIDTH)

    def encoded_widths(self):
        return dict.fromkeys(self.encoders, WIDTH * max(1, len(self.encoders) - 1))

    def encode(self, batch):
        states = {m: self.narrow[m](e.states(batch.inputs[m])) for m, e in self.encoders.items()}
        masks = {m: batch.inputs[m].mask for m in states}
        looked = {m: [] for m in states}
        for pair, look in self.looks.items():
            a, b = pair.split("_at_")
            looked[a].append(look(states[a], states[b], masks[b]))
        frames = {m: torch.cat(parts, -1) for m, parts in looked.items()}
        real = {m: masks[m].unsqueeze(-1) for m in frames}
        return {m: (f * real[m]).sum(1) / real[m].sum(1) for m, f in frames.items()}
