"""The registry as a whole: the names agreed on, a fresh process, broken modules, the lists it
was made from."""
import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import msa_lit
from msa_lit.papers import equations as book

ROOT = Path(__file__).parents[1]

# What was agreed before anything was written: equations, function, its first arguments.
EXPECTED = [
    ("UGF-3", "msa_lit.ugf.uncertainty.joint_loss", "pred unimodal_preds target"),
    ("UGF-4", "msa_lit.ugf.uncertainty.confidence", "pred target alpha"),
    ("UGF-5", "msa_lit.ugf.uncertainty.running_mean", "previous value t"),
    ("UGF-6 UGF-9", "msa_lit.ugf.uncertainty.relative_confidence", "scores"),
    ("UGF-8", "msa_lit.ugf.uncertainty.modulation_factor", "history batch"),
    ("UGF-7", "msa_lit.ugf.modulation.modulate_gradients", "encoders factors"),
    ("UGF-10", "msa_lit.ugf.masking.discard_probability", "factors form p_max"),
    ("UGF-11", "msa_lit.ugf.masking.mask_features", "features probabilities training"),
    ("SPIL-12 SPIL-13", "msa_lit.spil.covariance.covariance", "features"),
    ("SPIL-14 SPIL-33", "msa_lit.spil.covariance.covariance_alignment", "a v"),
    ("SPIL-15 SPIL-16", "msa_lit.spil.covariance.covariance_alignment_grad", "a v"),
    (" ".join(f"SPIL-{n}" for n in range(17, 30)), "msa_lit.spil.optimal_map.optimal_alignment",
     "cov_a cov_v"),
    ("SPIL-9", "msa_lit.selfmm.ulgm.shifted_label", "target delta_s delta_m bound"),
    ("SPIL-32", "msa_lit.selfmm.ulgm.unimodal_weight", "label_s label_m"),
    ("SPIL-34", "msa_lit.spil.method.spil_loss", "task unimodal alignment weight"),
    ("MUG-7", "msa_lit.mug.projection.ContrastiveProjection", ""),
    ("MUG-11 MFON-8", "msa_lit.model.losses.info_nce", "anchor positive temperature"),
    ("MUG-12", "msa_lit.mug.projection.stage1_loss", "task projected contrastive eta gamma"),
    ("MUG-13 MUG-19", "msa_lit.mug.mucn.MUCN", "feature_dim rho"),
    ("MUG-28", "msa_lit.mug.mucn.bounded_residual", "noisy_label correction rho"),
    ("MUG-15", "msa_lit.mug.meta.inner_step", "params loss lr"),
    ("MUG-17", "msa_lit.mug.denoising.mixed_target", "previous target lam"),
    ("MUG-18", "msa_lit.mug.denoising.mixing_weight", "epoch lambda_init start"),
    ("MUG-20", "msa_lit.mug.denoising.multimodal_denoising_loss",
     "mucn params features noisy target"),
    ("MUG-21", "msa_lit.mug.denoising.corrupt", "pred std generator"),
    ("MUG-22 MUG-23", "msa_lit.mug.meta.meta_update",
     "mucn params unimodal_task multimodal_task inner_lr outer_lr"),
    ("MUG-27", "msa_lit.mug.method.stage3_loss", "task unimodal beta"),
    ("MFON-4", "msa_lit.mfon.prompt.add_prompt", "features prompt"),
    ("MFON-5", "msa_lit.mfon.attention.prompt_attention", "text prompted w_q w_k w_v mask"),
    ("MFON-6", "msa_lit.mfon.distillation.distillation", "student teacher direction"),
    ("MFON-7", "msa_lit.model.losses.score", "text other"),
    ("MFON-13", "msa_lit.mfon.method.mfon_loss", "task distillation contrast alpha beta"),
    ("MUG-6 MUG-9 MUG-25 MUG-26 SPIL-30", "torch.nn.functional.l1_loss", "input target"),
    ("MFON-12", "torch.nn.functional.mse_loss", "input target"),
]
BY_ID = {id: (name, arguments.split()) for ids, name, arguments in EXPECTED for id in ids.split()}


def exists(dotted):
    "Whether the module of a dotted name is part of the package yet (torch always is)."
    module = dotted.rpartition(".")[0]
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture(scope="module")
def table():
    return book.index().set_index("id")


def test_the_expected_names_are_of_known_equations():
    assert len(BY_ID) == sum(len(ids.split()) for ids, _, _ in EXPECTED)
    assert set(BY_ID) <= set(book.EQUATIONS)
    # losses and torch: the test below cannot be empty
    assert sum(exists(name) for name, _ in BY_ID.values()) >= 9


@pytest.mark.parametrize("id", BY_ID)
def test_equation_has_the_agreed_function_or_says_not_yet(id, table):
    name, arguments = BY_ID[id]
    if not exists(name):
        assert table.loc[id, "function"] == "not yet" and table.loc[id, "notebook"] == ""
        assert book.EQUATIONS[id].function is None and "not yet" in book.describe(id)
        return
    assert table.loc[id, "function"].split(", ")[0] == name
    assert list(inspect.signature(book.EQUATIONS[id].function).parameters)[:len(
        arguments)] == arguments
    assert (ROOT / "nbs" / table.loc[id, "notebook"]).is_file() and name in book.describe(id)


def test_every_registered_function_can_be_imported_by_the_name_shown(table):
    for names in table.function[table.function != "not yet"]:
        for name in names.split(", "):
            parts = name.split(".")
            found = importlib.import_module(parts[0])
            for part in parts[1:]:
                found = getattr(found, part)
            assert callable(found), name


def test_every_function_of_the_package_stands_in_an_existing_notebook(table):
    ours = table[table.function.str.startswith("msa_lit.")]
    assert len(ours) >= 4
    for id, row in ours.iterrows():
        assert (ROOT / "nbs" / row.notebook).is_file(), id


FRESH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("nbdev", "fastcore", "execnb", "IPython", "jupyter_core"):
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Refuse())
from msa_lit.papers.equations import EQUATIONS, index
assert "msa_lit.model.losses" not in sys.modules
assert EQUATIONS["MFON-7"].function.__module__ == "msa_lit.model.losses"
assert EQUATIONS["MFON-7"].notebook == "06_model.losses.ipynb"
print(index().function.ne("not yet").sum())
"""


def test_a_fresh_process_without_notebook_tools_finds_the_functions(table):
    done = subprocess.run([sys.executable, "-c", FRESH], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (table.function != "not yet").sum()


@pytest.fixture
def extended(tmp_path, monkeypatch):
    "The package with a further folder of modules, and the registry as it was afterwards."
    book._load_package()
    before, modules = dict(book._FUNCTIONS), set(sys.modules)
    monkeypatch.setattr(msa_lit, "__path__", [*msa_lit.__path__, str(tmp_path)])
    book._load_package.cache_clear()
    yield tmp_path
    book._load_package.cache_clear()
    book._FUNCTIONS.clear()
    book._FUNCTIONS.update(before)
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize("file", ["zz_broken.py", "zz_broken/__init__.py"])
def test_a_module_that_cannot_be_imported_is_not_hidden(extended, file):
    (extended / file).parent.mkdir(exist_ok=True)
    (extended / file).write_text("import a_library_that_is_missing\n")
    for ask in (book.index, lambda: book.page("UGF")):
        with pytest.raises(ImportError, match="a_library_that_is_missing"):
            ask()
            book._load_package()


def test_a_second_function_for_an_equation_is_refused_when_its_module_is_imported(extended):
    (extended / "zz_second.py").write_text(
        "from msa_lit.papers.equations import equation\n@equation('MFON-7')\ndef other(): ...\n")
    with pytest.raises(ValueError, match="MFON-7 is computed by msa_lit.model.losses: score; "
                       "msa_lit.zz_second: other"):
        book._load_package()
    assert book.EQUATIONS["MFON-7"].function.__qualname__ == "score"


def test_command_line_and_private_modules_are_not_imported(extended):
    for name in ("cli", "_private", "__main__"):
        (extended / f"{name}.py").write_text("raise RuntimeError('imported')\n")
    book._load_package()


def test_a_module_may_run_again():
    import msa_lit.model.losses as losses
    old = book.EQUATIONS["MFON-8"].function
    importlib.reload(losses)
    assert book.EQUATIONS["MFON-8"].function is losses.info_nce is not old


def test_a_notebook_neither_displaces_nor_disturbs():
    def score(): ...
    score.__module__ = "__main__"
    book.equation("MFON-7")(score)
    assert book.EQUATIONS["MFON-7"].function.__module__ == "msa_lit.model.losses"


@pytest.mark.parametrize("ask", [book.find, book.describe, lambda id: book.equation(id)(print),
                                 lambda id: book.register(id, print, "here")])
def test_unknown_ids_are_refused_with_a_hint(ask):
    with pytest.raises(ValueError, match="UGF-1"):
        ask("UGF-12")


def test_kinds_agree_with_our_reading(papers):
    text = (papers / "equations.md").read_text(encoding="utf8")
    entries = re.findall(r"^### (\w+-\d+)\n(.*?)(?=^### |^## |\Z)", text, re.S | re.M)
    kinds = {id: re.search(r"Kind: \*\*(\w+?)(?:al)?\*\*", body)[1] for id, body in entries}
    assert kinds == {id: e.kind for id, e in book.EQUATIONS.items()}


def test_errata_agree_with_our_reading(papers):
    text = (papers / "errata.md").read_text(encoding="utf8")
    headings = re.findall(r"^### ((\w+)-E\d+) \([^)]*\) (.*)$", text, re.M)
    assert {id for e in book.EQUATIONS.values() for id in e.errata} <= {id for id, _, _ in headings}
    for paper, p in book.PAPERS.items():
        # some were found later
        assert 0 < sum(name == paper for _, name, _ in headings) <= p.errata
    checked = 0
    for id, paper, heading in headings:  # a heading such as "eqs 4 to 9: ..." names its equations
        named = re.match(r"eqs? ([\d, and to]+)", heading)
        if not named:
            continue
        numbers = [int(n) for n in re.findall(r"\d+", named[1])]
        if " to " in named[1]:
            numbers = range(numbers[0], numbers[-1] + 1)
        for n in numbers:
            assert id in book.EQUATIONS[f"{paper}-{n}"].errata, (id, n)
            checked += 1
    assert checked == 54  # counted by hand: UGF 15, MUG 11, MFON 8, SPIL 20


def test_errata_named_by_our_reading_are_named_by_the_entry(papers):
    text = (papers / "equations.md").read_text(encoding="utf8")
    for id, body in re.findall(r"^### (\w+-\d+)\n(.*?)(?=^### |^## |\Z)", text, re.S | re.M):
        assert set(re.findall(r"errata (\w+-E\d+)", body)) <= set(book.EQUATIONS[id].errata), id


def test_every_executable_equation_is_called_by_a_training_step(tmp_path):
    "Counted while all methods train, in their default and in their readable forms (notebook 76)."
    from msa_lit.book.calls import call_table, never_called, short_name
    from msa_lit.simulate.world import simulate

    table = call_table(simulate((60, 20, 20), seed=76), tmp_path)
    assert never_called(table) == []
    assert never_called(table[~table.id.isin(["UGF-3", "MUG-12"])]) == ["UGF-3", "MUG-12"]
    steps = table[table.stage != ""]
    ran = {(r.id, r.function) for r in steps.itertuples() if max(r.calls)}
    readable = {id: short_name(e.function) for id, e in book.EQUATIONS.items()
                if e.kind == "executable"}
    assert [id for id, f in readable.items() if (id, f) not in ran] == []
