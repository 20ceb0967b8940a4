"MISA (Hazarika et al., 2020): a shared and a private part of every modality."
from dataclasses import dataclass

import torch
from msa_lit.model.common import CommonModel
from msa_lit.model.contract import method
from torch import nn


@dataclass(frozen=True)
class MISAOptions:
    "Options of `out_misa`."
    part: int = 16  # width of the shared and of the private part
    apart: float = 0.3  # weight of the orthogonality of both parts
    alike: float = 1.0  # weight of the distance between shared parts
    back: float = 1.0  # weight of the reconstruction


class Parts(nn.Module):
    "Projections, decoders and a transformer over all parts."
    def __init__(self, widths, part, width):
        super().__init__()
        self.own = nn.ModuleDict({m: nn.Linear(w, part) for m, w in widths.items()})
        self.common = nn.ModuleDict({m: nn.Linear(w, part) for m, w in widths.items()})
        self.decode = nn.ModuleDict({m: nn.Linear(part, w) for m, w in widths.items()})
        self.attend = nn.TransformerEncoderLayer(part, 2, 2 * part, 0.0, batch_first=True)
        self.read = nn.Sequential(nn.Linear(2 * len(widths) * part, width), nn.ReLU())
        self.last = nn.Linear(width, 1)

    def split(self, encoded):  # -> private, shared, {m: [N, part]}, and decoded, {m: [N, h]}
        own = {m: self.own[m](x) for m, x in encoded.items()}
        common = {m: self.common[m](x) for m, x in encoded.items()}
        return own, common, {m: self.decode[m](own[m] + common[m]) for m in encoded}

    def forward(self, encoded):
        own, common, _ = self.split(encoded)
        parts = torch.stack([*own.values(), *common.values()], 1)  # [N, 2 M, part]
        feature = self.read(self.attend(parts).flatten(1))
        return feature, self.last(feature).squeeze(-1)


@method("out_misa")
class MISA(CommonModel):
    "Modality-invariant and -specific representations."
    Options, probe_only = MISAOptions, True

    def build_fusion(self):
        return Parts(self.widths, self.options.part, self.spec.model.fusion_width)

    def fuse(self, encoded):
        return self.fusion(encoded)

    def losses(self, batch, out):
        o, (own, common, back) = self.options, self.fusion.split(out.encoded)
        apart = sum((own[m].T @ common[m]).square().mean() for m in own)
        mean = sum(common.values()).mean(0) / len(common)
        alike = sum((c.mean(0) - mean).square().sum() for c in common.values())
        again = sum((back[m] - x).square().mean() for m, x in out.encoded.items())
        terms = {"apart": o.apart * apart, "alike": o.alike * alike, "back": o.back * again}
        return super().losses(batch, out) | terms
