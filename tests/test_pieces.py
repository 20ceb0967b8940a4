"""Pieces through whole runs: they act in the stages that let them, move answers, or are refused by
name before anything trains. The matrix of pieces and methods is in the notebook of the
examination; here are the pairs that once broke, and the faults a piece may have."""
import pytest

from msa_lit.model.common import CommonModel
from msa_lit.model.contract import METHODS, PIECES, Piece, Stage, method, piece
from msa_lit.simulate.world import simulate
from msa_lit.train.listeners import Listener
from msa_lit.train.runs import fit

pytestmark = pytest.mark.filterwarnings("ignore::msa_lit.base.notices.MsaWarning")
QUICK = dict(epochs=1, batch_size=8, progress=False)
SHORT = {"mug": dict(pretrain_epochs=1, meta_epochs=2, b=1), "mfon": dict(teacher_epochs=1),
         "ugf": dict(pretrain_epochs=1)}
SHORT["mug_mlc"] = SHORT["mug"]


def small():
    return simulate(n=(24, 8, 8), seed=1)


class Steps(Listener):
    "Counts the steps of every stage."
    def __init__(self): self.taken = {}

    def after_step(self, loop, batches, terms):
        self.taken[loop.stage.name] = self.taken.get(loop.stage.name, 0) + 1


@pytest.mark.parametrize("name, main", [("mug+align", "joint"), ("mug_mlc+align", "joint"),
                                        ("mfon+align", "main"), ("ugf+align", "fusion"),
                                        ("late_fusion+align", "main")])
def test_align_acts_in_the_main_stage_alone_and_moves_answers(name, main):
    base = name.partition("+")[0]
    options = QUICK | SHORT.get(base, {})
    run = fit(name, small(), **options, **{"align.shared_weight": 1e4})
    acted = run.history.set_index("stage")["train_align.shared_vision_audio"].notna()
    assert acted.to_dict() == {stage: stage == main for stage in run.history.stage}
    plain = fit(base, small(), **options)
    moved = (run.predictions["multimodal"] - plain.predictions["multimodal"]).abs().max()
    assert moved > 1e-5, moved


@pytest.mark.parametrize("name, main", [("mfon+dgm", "main"), ("mug+dgm", "joint")])
def test_modulation_counts_the_steps_of_the_main_stage(name, main):
    steps = Steps()
    run = fit(name, small(), **QUICK, **SHORT[name.partition("+")[0]], listeners=[steps])
    assert int(run.model.pieces["dgm"].judge.step) == steps.taken[main] == 3
    assert len(steps.taken) > 1  # there were other stages, and they do not count


class Untouched(Listener):
    def after_begin(self, loop): raise AssertionError("something has begun to train")


@pytest.fixture
def odd():
    "A method without heads, and one that has no stage for pieces; gone afterwards."
    @method("odd_headless")
    class Headless(CommonModel):
        def build_head(self, modality): return None

    @method("odd_busy")
    class Busy(CommonModel):
        def stages(self): return [Stage("main", pieces=False)]

    @piece("odd_hungry")
    class Hungry(Piece):
        needs = ("features",)
    yield
    for name in ("odd_headless", "odd_busy"): del METHODS[name]
    del PIECES["odd_hungry"]


@pytest.mark.parametrize("name, said", [
    ("odd_headless+dgm", "'dgm' does not fit 'odd_headless': it needs a head per modality"),
    ("odd_busy+ufm", "'ufm' does not fit 'odd_busy': pieces take part in none of its stages"),
    ("late_fusion+odd_hungry", "'odd_hungry' does not fit 'late_fusion': it needs features per"),
    ("ugf+dgm", "the method brings a piece 'dgm' of its own"),
])
def test_what_does_not_fit_is_refused_by_name_before_anything_trains(name, said, odd):
    with pytest.raises(ValueError, match=said):
        fit(name, small(), **QUICK, listeners=[Untouched()])
    if "headless" in name:  # vectors pass the pieces even so
        fit("odd_headless+align", small(), **QUICK)
