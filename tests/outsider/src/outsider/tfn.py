"Tensor fusion (Zadeh et al., 2017): every product of words, voice and face."
import torch
from msa_lit.model.common import CommonModel
from msa_lit.model.contract import method
from torch import nn


class Products(nn.Module):
    "Outer product of narrowed vectors, each led by a constant one."

    def __init__(self, widths, hidden, width, dropout):
        super().__init__()
        self.narrow = nn.ModuleDict({m: nn.Linear(w, hidden) for m, w in widths.items()})
        total = (hidden + 1) ** len(widths)
        self.read = nn.Sequential(nn.Dropout(dropout), nn.Linear(total, width), nn.ReLU())
        self.last = nn.Linear(width, 1)

    def forward(self, encoded):  # {modality: [N, h]} -> [N, width], [N]
        product = None
        for m, x in encoded.items():
            h = nn.functional.pad(torch.relu(self.narrow[m](x)), (1, 0), value=1.0)
            product = h if product is None else torch.einsum("ni,nj->nij", product, h).flatten(1)
        feature = self.read(product)
        return feature, self.last(feature).squeeze(-1)


@method("out_tfn")
class TFN(CommonModel):
    "Tensor fusion network."

    probe_only = True

    def build_fusion(self):
        return Products(self.widths, 8, self.spec.model.fusion_width, self.spec.model.dropout)

    def fuse(self, encoded):
        return self.fusion(encoded)
