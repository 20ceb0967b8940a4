"""Every preset runs: on tiny files in the published layout, with BERT and T5 folders made on the
spot."""
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from msa_lit.cli.program import main
from msa_lit.data.layouts import write_mmsa
from msa_lit.base.notices import MsaWarning
from msa_lit.train.presets import DATASETS, FOR, PRESETS, preset_options, preset_table, split_preset
from msa_lit.train.runs import fit, load_corpus, load_run
from msa_lit.simulate.world import simulate

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "</s>"]
SHORT = dict(epochs=1, pretrain_epochs=1, meta_epochs=1, teacher_epochs=1, b=1, batch_size=8,
             common_width=16, accumulate=2)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    "dataset -> a pickle in the published layout; SIMS has a label per modality."
    folder, paths = tmp_path_factory.mktemp("corpora"), {}
    for name in DATASETS:
        corpus = simulate(n=(24, 8, 8), scheme=name.lower(), seed=1)
        if name == "SIMS":
            labelled = {k: replace(s, labels=s.labels | {m: np.asarray(
                corpus.truth[k][m], np.float32) for m in s.sequences if m in corpus.truth[k]})
                        for k, s in corpus.splits.items()}
            corpus = replace(corpus, splits=labelled)
        paths[name] = folder / f"{name}_unaligned.pkl"
        write_mmsa(corpus, paths[name])
    return paths


@pytest.fixture(scope="module")
def networks(tmp_path_factory, files):
    "Folders with tiny untrained BERT and T5, tokenisers included."
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (BertConfig, BertModel, PreTrainedTokenizerFast, T5Config,
                              T5EncoderModel)
    words = sorted({w for p in files.values() for s in load_corpus(p).splits.values()
                    for t in s.text for w in t.split()})
    vocabulary = {w: i for i, w in enumerate(WORDS + words)}
    torch.manual_seed(0)
    made = {"bert": BertModel(BertConfig(vocab_size=len(vocabulary), hidden_size=16,
                                         num_hidden_layers=1, num_attention_heads=2,
                                         intermediate_size=32, max_position_embeddings=256)),
            "t5": T5EncoderModel(T5Config(vocab_size=len(vocabulary), d_model=16, d_kv=8, d_ff=32,
                                          num_layers=1, num_heads=2))}
    folders = {}
    for name, model in made.items():
        folders[name] = str(tmp_path_factory.mktemp(name))
        model.save_pretrained(folders[name])
        splitter = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        splitter.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        PreTrainedTokenizerFast(tokenizer_object=splitter, pad_token="[PAD]", unk_token="[UNK]",
                                cls_token="[CLS]", sep_token="[SEP]").save_pretrained(folders[name])
    return folders


def short(preset, method):
    "What makes a run short, as far as this method knows it."
    known = set(preset_options(preset, method)) | {"batch_size", "accumulate", "epochs"}
    own = {"ugf": {"pretrain_epochs"}, "mug": {"b", "pretrain_epochs", "meta_epochs"},
           "mug_mlc": {"pretrain_epochs", "meta_epochs"},
           "mfon": {"teacher_epochs", "common_width"}}.get(method, set())
    narrow = {"tfn": {"text_width": 8}, "misa": {"vision_hidden": 8},  # on SIMS they are wide
              "mult": {"common_width": 60, "layers": 1, "memory_layers": 1},
             "almt": {"common_width": 16, "patience": 1},
             "cubemlp": {"common_width": 16, "patience": 1, "steps": 10},
             "confede": {"audio_hidden": 8, "vision_hidden": 8, "patience": 1},
             "dmd": {"common_width": 60, "layers": 1, "memory_layers": 1}}.get(method, {})
    return {k: v for k, v in SHORT.items() if k in known | own} | narrow


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_runs_on_the_published_layout(preset, files, networks, tmp_path):
    paper, dataset = split_preset(preset)
    corpus = load_corpus(files[dataset], scheme=dataset.lower())
    overrides = short(preset, FOR[paper][0]) | {"text": networks["bert"]}
    run = fit(FOR[paper][0], corpus, folder=tmp_path / "run", preset=preset, progress=False,
              weights=False, **overrides)
    used = {k: v for part in run.options.values() for k, v in part.items()}
    expected = preset_options(preset) | overrides
    assert {k: used[k]
            for k in expected} == expected, "the record holds the preset's options, ours on top"
    assert np.isfinite(run.metrics["mae"])
    written = json.loads(json.dumps(run.options))  # a tuple comes back as a list
    assert load_run(tmp_path / "run").options == written


@pytest.mark.parametrize("dataset", DATASETS)
def test_mug_also_with_t5(dataset, files, networks):
    preset = f"MUG {dataset}"
    run = fit("mug", load_corpus(files[dataset], scheme=dataset.lower()), preset=preset,
              progress=False, weights=False, **short(preset, "mug"), text=networks["t5"])
    assert np.isfinite(run.metrics["mae"])


def test_a_preset_for_a_second_method(files, networks):
    run = fit("late_fusion", load_corpus(files["MOSI"]), preset="Self-MM MOSI", progress=False,
              weights=False,
              **short("Self-MM MOSI", "late_fusion"), text=networks["bert"])
    assert run.options["train"]["optimiser"] == "adam" and run.options["train"]["audio_lr"] == 1e-3


def test_the_command_line_says_the_same(files, networks, tmp_path, capsys):
    words = [f"--{k}={v}"
             for k, v in (short("SPIL MOSI", "spil") | {"text": networks["bert"]}).items()]
    assert main(["fit", "spil", "--corpus", str(files["MOSI"]), "--out", str(tmp_path / "run"),
                 "--quiet", "--preset", "SPIL MOSI", *words]) == 0
    options = load_run(tmp_path / "run").options
    assert options["model"]["head_depth"] == 1 and options["model"]["pooling"] == "first"
    assert main(["fit", "spil", "--corpus", str(files["MOSI"]), "--quiet", "--preset",
                 "SPLI MOSI"]) != 0
    assert "did you mean 'SPIL MOSI'" in capsys.readouterr().err


def test_own_labels_teach_only_where_there_are_any(files, networks):
    overrides = short("MFON release SIMS", "mfon") | {"text": networks["bert"]}
    with (pytest.raises(ValueError, match="no audio label for every clip"),
          pytest.warns(MsaWarning, match="settings for SIMS")):
        fit("mfon", load_corpus(files["MOSI"]), preset="MFON release SIMS",
            progress=False, **overrides)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_statement_is_used_or_explained(preset):
    table = preset_table(preset)
    assert ((table.used_as != "") != (table.why_not != "")).all()
    assert not table.duplicated(["kind", "name", "where"]).any()
