"Every option of every method and piece is read by its code; none stands there for show."
from dataclasses import fields

import pytest

from msa_lit.base.catalogue import names, options_of
from msa_lit.model.contract import parse, wear
from msa_lit.model.options import ModelOptions, ModelSpec
from msa_lit.simulate.world import simulate
from msa_lit.train.loop import Loop, TrainOptions, seed_everything, train
from msa_lit.train.runs import read

SHORT = dict(epochs=1, pretrain_epochs=1, meta_epochs=2, teacher_epochs=1, b=1)
# settings under which an option counts that by default nothing asks for
WHEN = {"mmim": [{"bound": "steps"}],                # weights: by default not in its first pass
        "mug_mlc": [{"label_draws": 2}],             # noise: on the labels that are averaged
        "self_mm+ufm": [{"form": "random", "rate": 0.2}]}  # rate: of that form
WITH = {"dgm": "self_mm", "ufm": "self_mm", "align": "self_mm"}  # a method that wears the piece


@pytest.fixture(scope="module")
def ready():
    corpus = simulate((48, 16, 16), seed=3)
    found, words = read(corpus.without("test"), ModelOptions())
    return found, ModelSpec.of(found, ModelOptions(), words)


def recorded(options, seen):
    "The same options; each look at a field is taken down. Checks when they are made do not count."
    own, known = type(options), {f.name for f in fields(options)}

    def look(self, name):
        if name in known: seen.add(name)
        return object.__getattribute__(self, name)

    def unchecked(self): pass
    kind = type(own.__name__, (own,), {"__getattribute__": look, "__post_init__": unchecked})
    return kind(**{f.name: object.__getattribute__(options, f.name) for f in fields(options)})


def read_by(name, changes, ready):
    "The fields that a method, or the piece it wears, reads in all of its stages."
    corpus, spec = ready
    cls, pieces = parse(name)
    kinds = {f.name for f in fields(cls.Options)}
    seen = {owner: set() for owner in ("method", *pieces)}
    made = cls.Options(**{k: v for k, v in (SHORT | changes).items() if k in kinds})
    seed_everything(0)
    method = cls(spec, recorded(made, seen["method"])).calibrate(corpus)
    for k, piece in pieces.items():
        kinds = {f.name for f in fields(piece.Options)}
        own = piece.Options(**{f: v for f, v in changes.items() if f in kinds})
        wear(method, k, piece(spec, recorded(own, seen[k])))
    train(Loop(method, corpus, TrainOptions(epochs=1, batch_size=12), 0, progress=False))
    return seen


def unread(name, owner, ready):
    cls, pieces = parse(name)
    options = cls.Options if owner == "method" else pieces[owner].Options
    left = {f.name for f in fields(options)}
    for changes in [{}, *WHEN.get(name, [])]:
        left -= read_by(name, changes, ready)[owner]
    return sorted(left)


@pytest.mark.parametrize("name", names("method"))
def test_a_method_reads_every_option_it_has(name, ready):
    assert unread(name, "method", ready) == []


@pytest.mark.parametrize("name", names("piece"))
def test_a_piece_reads_every_option_it_has(name, ready):
    assert unread(f"{WITH.get(name, 'self_mm')}+{name}", name, ready) == []


BAD = {"int": (0, -1), "float": (-1.0, 2.0, float("nan"), float("inf")), "tuple": ((0,), (-1,))}


def bad_values(kind):
    return [v for k, values in BAD.items() if k in kind.replace("|", " ").split() for v in values]


def said_of(name, option, value, ready):
    "The error of choosing an option and building a model with it, or None."
    from msa_lit.train.runs import build, choose
    try:
        chosen = choose(name, {option: value})
        build(name, ModelSpec.of(ready[0], chosen["model"], ready[1].words), chosen, 1)
    except Exception as error: return error


@pytest.mark.parametrize("name", [*names("method"), *(f"{WITH.get(p, 'self_mm')}+{p}"
                                                      for p in names("piece"))])
def test_a_number_that_makes_no_sense_is_refused_by_the_options_name(name, ready):
    "Before anything trains, and never by what happens to fail inside."
    wrong, refused = {}, 0
    for flat, option in options_of(name).items():
        if "+" in name and option.owner in ("method", "model", "train"): continue
        if option.owner in ("model", "train") and name != "self_mm": continue
        for value in bad_values(option.type):
            error = said_of(name, flat, value, ready)
            refused += error is not None
            if error is None: continue
            if not isinstance(error, ValueError) or option.field not in str(error):
                wrong[f"{flat}={value}"] = f"{type(error).__name__}: {error}"
            if value != value or value == float("inf"): assert "finite" in str(error)
    assert not wrong
    assert refused or not any(bad_values(o.type) for o in options_of(name).values()
                              if o.owner not in ("model", "train"))
