"What both scripts of this folder do: weights that show, copies, and a row of the result."
import torch


def bolder(peer):
    "Weights large enough that a wrong one shows."
    with torch.no_grad():
        for p in peer.parameters():
            if p.requires_grad: p.normal_(0, 0.4)


def gap(a, b): return float((a - b).detach().abs().max())


def judged(name, loss, predictions, pairs):
    "A row of the result; loss and predictions are (ours, theirs)."
    for value in loss: value.backward()
    gradients = [gap(m.grad, turned(t.grad) if turned else t.grad) for m, t, turned in pairs]
    moved = [float(m.grad.abs().max()) for m, _, _ in pairs]
    return {"method": name, "outputs": gap(*predictions), "loss": gap(*loss),
            "gradients": max(gradients), "tensors": len(pairs),
            "tensors with a gradient": sum(g > 0 for g in moved),
            "spread of outputs": float(predictions[1].detach().std()),
            "largest gradient": max(moved)}


def copied(pairs):
    "The peer's weights into ours."
    with torch.no_grad():
        for mine, theirs, turned in pairs: mine.copy_(turned(theirs) if turned else theirs)


def all_of(mine, theirs):
    "Every parameter of two modules, in their order."
    return [(a, b, None) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True)]
