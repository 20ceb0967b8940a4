"""Ensembles as users meet them: from a comparison to a report, a bundle and its curves; members
that read words differently; what is refused at the door."""
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from msa_lit import (compare, ensemble, fit, load_bundle, load_run, predict_with, save_bundle,
                     simulate)
from msa_lit.train.comparison import ensemble_rows, read_results, table
from msa_lit.train.members import ENSEMBLE
from msa_lit.train.report import write_report
from msa_lit.use.missing import nothing_of, predict_subset, unknown_word
from msa_lit.use.robustness import measure_curves

QUICK = dict(epochs=2, batch_size=16, progress=False)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def corpus(): return simulate(n=(60, 30, 30), seed=5)


@pytest.fixture(scope="module")
def runs(corpus): return [fit("late_fusion", corpus, seed, **QUICK) for seed in (1, 2, 3)]


def test_a_row_a_page_and_a_folder_for_the_mean_of_seeds(corpus, tmp_path):
    asked = ["late_fusion", "self_mm"], corpus, (1, 2, 3), tmp_path
    found = compare(*asked, ensembles=True, **QUICK)
    name = "ensemble of late_fusion 1..3"
    row, plain = table(found).loc[name, "mae"], table(found).loc["late_fusion", "mae"]
    assert "(±" in row and " ± " not in row and " ± " in plain
    means = found[(found.method == name) & (found.split == "test") & (found.metric == "mae")]
    rows = found[(found.method == "late_fusion") & (found.split == "test")
                 & (found.metric == "mae") & (found["head"] == "multimodal")]
    mean = means[means["head"] == "multimodal"].value.item()
    assert mean <= rows.value.mean() + 1e-6  # convexity
    kept = load_run(tmp_path / "ensembles" / name)
    assert [m.seed for m in kept.members] == [1, 2, 3] and kept.state is None
    page = write_report(tmp_path).read_text(encoding="utf8")
    assert name in page and "without late_fusion" not in page
    back = read_results(tmp_path)
    assert ensemble_rows(back).sum() == ensemble_rows(found).sum() > 0


def test_a_second_call_with_other_seeds_has_an_ensemble_of_its_own(corpus, tmp_path):
    for seeds in ((1, 2), (2, 3)):
        compare(["late_fusion"], corpus, seeds, tmp_path, ensembles=True, **QUICK)
    names = {p.parent.name for p in tmp_path.glob("ensembles/*/run.json")}
    assert names == {"ensemble of late_fusion 1 2", "ensemble of late_fusion 2 3"}


def test_subsets_curves_and_intervals_are_those_of_the_mean(corpus, runs):
    run, nothing = ensemble(runs), nothing_of(corpus)
    for present in (("text",), ("audio", "vision")):
        found = predict_subset(run, corpus, present, nothing).multimodal.to_numpy()
        alone = [predict_subset(r, corpus, present, nothing).multimodal.to_numpy() for r in runs]
        np.testing.assert_allclose(found, np.mean(alone, 0), atol=1e-6)
    curves = measure_curves(run, corpus, ("fixed",), draws=1)
    single = [measure_curves(r, corpus, ("fixed",), draws=1).predictions for r in runs]
    np.testing.assert_allclose(curves.predictions, np.mean(single, 0), atol=1e-6)


def small_bert(corpus, folder):
    "An untrained BERT of sixteen numbers a word, with the corpus's words."
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
    said = {w for s in corpus.splits.values() for t in s.text for w in t.split()}
    words = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted(said)])}
    BertModel(BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1,
                         num_attention_heads=2, intermediate_size=32)).save_pretrained(folder)
    splitter = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    splitter.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=splitter, pad_token="[PAD]", unk_token="[UNK]",
                            cls_token="[CLS]", sep_token="[SEP]").save_pretrained(folder)
    return str(folder)


def test_members_with_other_words_and_other_sizes_are_read_each_in_its_way(corpus, tmp_path):
    small = fit("late_fusion", corpus, 1, tmp_path / "a", text_width=8, max_tokens=5, **QUICK)
    network = small_bert(corpus, tmp_path / "bert")
    other = fit("mult", corpus, 1, tmp_path / "b", text=network, **QUICK)
    mean = ensemble([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    assert mean.options["model"]["text"] == f"tiny; {tmp_path / 'bert'}"
    assert mean.spec["members"]["2"]["words"] is None  # it has no vocabulary of its own
    bundle = load_bundle(save_bundle(mean, corpus, tmp_path / "bundle"))
    said = bundle.predict(corpus, "test")
    alone = [predict_with(r, corpus).multimodal.to_numpy() for r in (small, other)]
    np.testing.assert_allclose(said.prediction, np.mean(alone, 0), atol=2e-6)
    assert unknown_word(bundle.run)
    assert set(said) >= {"late_fusion 1", "mult 1"}


def test_a_member_that_was_trained_anew_makes_another_ensemble(corpus, runs, tmp_path):
    first = ensemble(runs[:2], tmp_path)
    again = fit("late_fusion", corpus, 2, **QUICK | {"epochs": 1})
    second = ensemble([runs[0], again], tmp_path)
    marks = [r.options[ENSEMBLE]["weights"] for r in (first, second)]
    assert marks[0][0] == marks[1][0] and marks[0][1] != marks[1][1]
    assert load_run(tmp_path).options[ENSEMBLE]["weights"] == marks[1]


def test_from_the_shell_with_refusals(corpus, runs, tmp_path):
    def shell(*words):
        return subprocess.run([sys.executable, "-m", "msa_lit", *words], cwd=tmp_path,
                              capture_output=True, text=True)
    for r in runs: r.save(tmp_path / str(r.seed))
    done = shell("ensemble", "1", "2", "3", "--out", "mean", "--stack", "--label", "three")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("three, simulated-mosi test, selected on valid MAE of each")
    assert "written: mean" in done.stdout
    record = json.loads((tmp_path / "mean/run.json").read_text(encoding="utf8"))
    assert record["method"] == "three" and record["options"][ENSEMBLE]["stacked"] is True
    for words, why in ((("1", "1"), "is given twice"), (("1",), "two members or more"),
                       (("1", "mean"), "is an ensemble itself"), (("1", "nowhere"), "no run at")):
        done = shell("ensemble", *words, "--out", "refused")
        assert done.returncode == 2 and why in done.stderr, done.stderr
        assert not (tmp_path / "refused").exists()
    table = pd.read_csv(tmp_path / "mean/predictions.csv")
    assert {"late_fusion 1", "late_fusion 2", "late_fusion 3"} <= set(table)
