"What is inside the files: text in any script, token ids, features; and nonsense that must be said."

import json
import resource
from dataclasses import fields, replace
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import regex
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from msa_lit.data.corpus import Ragged, pad
from msa_lit.model.encoders import (
    WordTokeniser,
    check_vocabulary,
    cut_tokens,
    network_limits,
    read_text,
    split_words,
    text_network,
)
from msa_lit.model.options import ModelOptions
from msa_lit.model.contract import parse
from msa_lit.base.notices import collect
from msa_lit.train import runs
from msa_lit.train.runs import build, choose, fit, predict_with
from msa_lit.train.runs import read as ready_for
from msa_lit.train.sanity import idle_options
from msa_lit.simulate.world import simulate
from msa_lit.data.soundness import CorpusError
from msa_lit.data.values import clean, repeated_clips, value_findings

pytestmark = pytest.mark.filterwarnings("ignore::msa_lit.base.notices.MsaWarning")
QUICK = dict(epochs=1, batch_size=8, progress=False)
INPUTS = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def small(seed=1, n=(24, 8, 8), **knobs):
    "A simulated corpus of some dozen clips."
    return simulate(n=n, seed=seed, **knobs)


CORPORA = [small(seed) for seed in range(3)]


def with_text(corpus, sentences):
    "The corpus with other transcripts; sentences: fold name, row -> str."
    def said(name, s): return tuple(sentences(name, i) for i in range(len(s)))
    return replace(
        corpus, splits={k: replace(s, text=said(k, s)) for k, s in corpus.splits.items()}
    )


def with_values(corpus, fold, key, change):
    "The corpus with changed features; change works on a copy of the values [F, d]."
    rows = corpus.splits[fold].sequences[key]
    values = rows.values.copy()
    change(values, rows.offsets)
    sequences = {**corpus.splits[fold].sequences, key: Ragged(values, rows.offsets)}
    split = replace(corpus.splits[fold], sequences=sequences)
    return replace(corpus, splits={**corpus.splits, fold: split})


# ---------------------------------------------------------------- text

SPACED = ("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil")
SPACED += ("Telugu", "Georgian", "Armenian", "Hangul", "Ethiopic", "Gujarati", "Sinhala")
DENSE = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Yi")
DENSE += ("Tai_Le", "New_Tai_Lue", "Bopomofo", "Tangut", "Javanese", "Balinese")


def _letters():
    "Letters of each script that lower case and composition leave as they are."
    codes = (*range(0x41, 0xD800), *range(0xF900, 0xFFF0), *range(0x17000, 0x17100))
    chars = (chr(c) for c in codes)
    stable = "".join(c for c in chars if c.isalpha() and normalize("NFC", c) == c.lower() == c)
    return {s: regex.findall(rf"\p{{Script={s}}}", stable) for s in SPACED + DENSE}


LETTERS = _letters()


def words_of(scripts, **size):
    def one(script): return st.lists(st.text(st.sampled_from(LETTERS[script]), **size), max_size=9)
    return st.sampled_from(scripts).flatmap(one)


@INPUTS
@given(words_of(SPACED, min_size=1, max_size=9))
def test_scripts_with_spaces_are_split_as_before(words):
    sentence = normalize("NFC", " ".join(words))
    assert split_words(sentence) == sentence.lower().split()


@INPUTS
@given(words_of(DENSE, min_size=2, max_size=20))
def test_scripts_without_spaces_fall_into_letters(words):
    whole = normalize("NFC", "".join(words))
    pieces = split_words(whole)
    assert "".join(pieces) == whole  # nothing lost, nothing moved
    assert len(pieces) == len(regex.findall(r"\X", whole))


@INPUTS
@given(st.text(max_size=60))
def test_any_text_is_split_without_loss(sentence):
    kept = regex.sub(r"[\s\u1361\u200b\x1c-\x1f]", "", normalize("NFC", sentence).lower())
    assert regex.sub("[\u200b]", "", "".join(split_words(sentence))) == kept
    tokens = WordTokeniser.fit([sentence])([sentence])
    assert len(tokens[0]) >= 1 and (1 not in tokens[0] or not split_words(sentence))


def test_a_corpus_in_a_script_without_spaces_is_learned():
    good, bad, rest = "好棒赞喜欢爱美妙", "差烂坏讨厌糟糕", "这部电影剧情演员我他真的很了吧是"
    rng = np.random.default_rng(0)

    def sentence(name, i):
        words = good if corpus.splits[name].labels["multimodal"][i] > 0 else bad
        def pick(s, k): return "".join(rng.choice(list(s), k))
        return pick(rest, 5) + pick(words, 4) + pick(rest, 3)

    corpus = small(n=(160, 40, 40)).only("text")
    run = fit("late_fusion", with_text(corpus, sentence), epochs=5, batch_size=16, progress=False)
    assert run.metrics["acc2_non0"] > 85 and not any("unknown" in s for s in run.notices)


def test_unknown_words_are_said():
    corpus = small().only("text")
    other = with_text(corpus, lambda name, i: f"foreign{i} words{i}" if name == "test" else "so so")
    with collect() as said:
        read_text(other, "tiny")
    assert [s for s in said if "unknown to the vocabulary: 100 % of test" in s]
    with collect() as silence:
        read_text(corpus, "tiny")
    assert silence == []


# ---------------------------------------------------------------- lengths and ids


def bert_ids(corpus, rows):
    "The corpus with BERT ids instead of transcripts; rows: fold name, row -> ids."

    def split(name, s):
        ids = Ragged.from_rows([np.asarray(rows(name, i), np.int64) for i in range(len(s))])
        return replace(s, text=None, sequences={"text_bert": ids})

    return replace(corpus, splits={k: split(k, s) for k, s in corpus.splits.items()})


def test_max_tokens_holds_for_every_text_encoder(tmp_path):
    corpus = with_text(
        small(n=(6, 4, 4)).only("text"), lambda name, i: "word " * (300 if i == 0 else 3)
    )
    ids = bert_ids(corpus, lambda name, i: [2, *[7] * (300 if i == 0 else 3), 3])
    folder = toy_folder(tmp_path, "bert", positions=40)
    def wide(n): return Ragged.from_rows([np.ones((n, 4), np.float32)])
    vectors = {
        k: replace(s, text=None, sequences={"text": wide(300)}) for k, s in corpus.splits.items()
    }
    features = replace(corpus, splits=vectors)
    for c, text, most in (
        (corpus, "tiny", 16),
        (corpus, "random:bert", 16),
        (corpus, folder, 16),
        (corpus, folder, 40),
        (ids, folder, 16),
        (ids, folder, 40),
        (ids, "no-such-network", 16),
        (features, "features", 16),
    ):
        with collect() as said:
            read, _ = read_text(c, text, 16 if most == 16 else 128)
        for split in read.splits.values():
            assert split.sequences["text"].lengths.max() == most, text
        assert len(said) == 1 and "clips were cut" in said[0] and "row 0 first" in said[0]
        if c is ids:
            assert [int(s.sequences["text"][0][-1]) for s in read.splits.values()] == [3, 3, 3]


def test_a_very_long_transcript_costs_little():
    corpus = small(n=(16, 4, 4))
    def long(name, i): return "word " * 100_000 if (name, i) == ("train", 0) else "so so"
    had = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with collect() as said:
        fit("late_fusion", with_text(corpus, long), **QUICK)
    assert any("1 of 16 in train (row 0 first); the longest has 100000 tokens" in s for s in said)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - had < 400_000  # kilobytes


@INPUTS
@given(st.data())
def test_cut_tokens(data):
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=12))
    limit, close = data.draw(st.integers(2, 30)), data.draw(st.booleans())
    rows = [np.arange(n) + 100 * i for i, n in enumerate(lengths)]
    short, cut = cut_tokens(Ragged.from_rows(rows), limit, close)
    assert cut == {i: n for i, n in enumerate(lengths) if n > limit}
    for i, row in enumerate(rows):
        whole = list(row) if len(row) <= limit else [*row[: limit - close], *([row[-1]] * close)]
        assert list(short[i]) == whole


@INPUTS
@given(st.data())
def test_ids_of_another_vocabulary_are_found_where_they_are(data):
    size = data.draw(st.integers(5, 40))
    fold = st.lists(
        st.lists(st.integers(0, size - 1), min_size=1, max_size=6), min_size=1, max_size=6
    )
    folds = {name: data.draw(fold) for name in ("train", "valid", "test")}
    planted = {}
    for name in data.draw(st.sets(st.sampled_from(sorted(folds)))):
        row = data.draw(st.integers(0, len(folds[name]) - 1))
        at = data.draw(st.integers(0, len(folds[name][row]) - 1))
        folds[name][row][at] = data.draw(st.sampled_from([-1, -7, size, size + 1, 2**40]))
        planted[name] = row
    tokens = {k: Ragged.from_rows([np.array(r, np.int64) for r in f]) for k, f in folds.items()}
    try:
        check_vocabulary(tokens, size, "some-bert", "text_bert")
        found = {}
    except CorpusError as e:
        found = {f.split: f.rows for f in e.findings}
        assert all("some-bert" in str(f) and "text_bert" in str(f) for f in e.findings)
    assert found == {name: (row,) for name, row in planted.items()}


# ---------------------------------------------------------------- networks of every make

SIZES = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
TOYS = {
    "bert": SIZES,
    "roberta": SIZES,
    "mpnet": SIZES,
    "xlm-roberta": SIZES,
    "camembert": SIZES,
    "deberta-v2": {**SIZES, "position_biased_input": True},
    "electra": {**SIZES, "embedding_size": 16},
    "albert": {**SIZES, "embedding_size": 16},
    "distilbert": dict(dim=16, n_layers=1, n_heads=2, hidden_dim=16),
    "t5": dict(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2),
    "bart": dict(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
    ),
    "fnet": dict(hidden_size=16, num_hidden_layers=1, intermediate_size=16),
    "gpt2": dict(n_embd=16, n_layer=1, n_head=2),
    "modernbert": {**SIZES, "pad_token_id": 0, "global_attn_every_n_layers": 1},
}
LIMIT = {
    "bert": 40,
    "roberta": 38,
    "mpnet": 38,
    "xlm-roberta": 38,
    "camembert": 38,
    "t5": None,
    "deberta-v2": 40,
    "electra": 40,
    "albert": 40,
    "distilbert": 40,
    "bart": 40,
    "fnet": 40,
    "gpt2": 40,
    "modernbert": None,
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "so", "fine", "word", "a", "film"]


def toy_folder(place, kind, positions=40, vocabulary=50):
    "A folder with a small network of this kind and a tokeniser."
    from transformers import AutoConfig, AutoModel, BertTokenizer

    folder = Path(place) / kind
    table = {"distilbert": "max_position_embeddings", "gpt2": "n_positions", "t5": None}
    key = table.get(kind, "max_position_embeddings")
    options = {**TOYS[kind], **({key: positions} if key else {}), "vocab_size": vocabulary}
    if kind == "gpt2":
        options |= dict(bos_token_id=2, eos_token_id=3)
    torch.manual_seed(1)
    AutoModel.from_config(AutoConfig.for_model(kind, **options)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("kind", TOYS)
def test_any_encoder_serves(kind, tmp_path):
    folder = toy_folder(tmp_path, kind)
    encoder = text_network(folder)
    size, most = network_limits(encoder.model)
    assert (size, most) == (50, LIMIT[kind])
    rows = [np.array([2, *[6] * (n - 2), 3]) for n in (3, most or 60, 5)]
    together = encoder(pad(rows))
    assert together.shape == (3, 16) and torch.isfinite(together).all()
    for i, row in enumerate(rows):
        torch.testing.assert_close(encoder(pad([row])), together[i : i + 1], atol=1e-4, rtol=1e-3)
    if most:
        with pytest.raises((IndexError, RuntimeError)):  # what users would see without the limit
            encoder(pad([np.full(most + 1, 6)]))


@pytest.mark.parametrize("kind", ["mpnet", "bart"])
def test_fit_on_a_folder_with_sentences_beyond_its_positions(kind, tmp_path):
    folder = toy_folder(tmp_path, kind, positions=20)
    corpus = with_text(small(n=(8, 4, 4)).only("text"), lambda name, i: "so fine a film " * 20)
    run = fit("late_fusion", corpus, text=folder, **QUICK)
    assert any("positions" in s for s in run.notices)
    frozen = fit("late_fusion", corpus, text=folder, freeze_text=True, **QUICK)
    assert np.isfinite([run.metrics["mae"], frozen.metrics["mae"]]).all()


def damage(folder, how):
    "Spoil one file of a model folder."
    weights, config = folder / "model.safetensors", folder / "config.json"
    if how == "no weights":
        weights.unlink()
    if how == "half of the weights":
        weights.write_bytes(weights.read_bytes()[:400])
    if how == "weights of another network":
        weights.unlink()
        torch.save({"x": torch.zeros(2)}, folder / "pytorch_model.bin")
    if how == "a pickle that is none":
        weights.unlink()
        (folder / "pytorch_model.bin").write_bytes(b"hello")
    if how == "config cut":
        config.write_text(config.read_text()[:30])
    if how == "config is a list":
        config.write_text("[1, 2]")
    if how == "config of no network":
        config.write_text('{"model_type": "nonsense"}')
    if how == "config brings code":
        content = json.loads(config.read_text()) | {"auto_map": {"AutoConfig": "evil.Config"}}
        content["model_type"] = "evil"
        config.write_text(json.dumps(content))
    if how == "config of a picture network":
        config.write_text('{"model_type": "vit"}')
    if how == "no config":
        config.unlink()
    if how == "no tokeniser":
        for p in folder.glob("*token*"):
            p.unlink()
        (folder / "vocab.txt").unlink()
    if how == "tokeniser cut":
        (folder / "tokenizer.json").write_text("{")
    if how == "empty folder":
        for p in folder.iterdir():
            p.unlink()


@pytest.mark.parametrize(
    "how",
    [
        "no weights",
        "half of the weights",
        "weights of another network",
        "a pickle that is none",
        "config cut",
        "config is a list",
        "config of no network",
        "config brings code",
        "no config",
        "config of a picture network",
        "no tokeniser",
        "tokeniser cut",
        "empty folder",
    ],
)
def test_a_damaged_folder_is_refused_in_words(how, tmp_path):
    folder = toy_folder(tmp_path, "bert")
    damage(Path(folder), how)
    with pytest.raises((OSError, ValueError), match="text=") as caught:
        fit("late_fusion", small(n=(8, 4, 4)).only("text"), text=folder, **QUICK)
    assert "bert" in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.parametrize("config", ["config.json", "bert_config.json"])
def test_old_bert_folders_are_read(config, tmp_path):
    from transformers import BertConfig, BertModel

    plain = dict(vocab_size=50, max_position_embeddings=40, type_vocab_size=2, **SIZES)
    model = BertModel(BertConfig(**plain))
    def old(k): return "bert." + k.replace("LayerNorm.weight", "LayerNorm.gamma")
    torch.save({old(k): v for k, v in model.state_dict().items()}, tmp_path / "pytorch_model.bin")
    (tmp_path / config).write_text(json.dumps(plain))
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    loaded = text_network(str(tmp_path)).model.state_dict()
    assert all(torch.equal(v, loaded[k]) for k, v in model.state_dict().items())
    corpus = with_text(small(n=(8, 4, 4)).only("text"), lambda name, i: "so fine a film")
    assert fit("late_fusion", corpus, text=str(tmp_path), **QUICK).metrics["mae"] > 0


# ---------------------------------------------------------------- features


@pytest.mark.parametrize(
    "method, encoder, more",
    [
        ("late_fusion", "lstm", {}),
        ("late_fusion", "transformer", {}),
        ("mfon", "lstm", dict(teacher_epochs=1)),  # it has encoders of its own
        ("mug", "lstm", dict(pretrain_epochs=1, meta_epochs=1, b=1)),
        ("mug", "transformer", dict(pretrain_epochs=1, meta_epochs=1, b=1)),
    ],
)
def test_a_dead_column_cannot_drive_predictions(method, encoder, more):
    def dead(values, offsets):
        values[:, 2] = 0.25

    corpus = small(n=(32, 8, 8))
    for fold in corpus.splits:
        corpus = with_values(corpus, fold, "vision", dead)

    def wake(values, offsets):
        values[:, 2] += 1e4

    run = fit(method, corpus, encoder=encoder, **more, **QUICK)
    before = predict_with(run, corpus).multimodal
    after = predict_with(run, with_values(corpus, "test", "vision", wake)).multimodal
    assert (before == after).all() and before.std() > 0
    assert any(s.startswith("train, vision: columns 2 never change") for s in run.notices)


@INPUTS
@given(st.data())
def test_bad_values_are_found_where_they_are(data):
    corpus, planted = CORPORA[data.draw(st.integers(0, 2))], {}
    values = {"refused": [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e25], "noted": [1e10, -1e9, 1e7]}
    for fold, key in data.draw(
        st.sets(
            st.sampled_from([(f, k) for f in corpus.splits for k in ("audio", "vision")]),
            max_size=3,
        )
    ):
        rows = corpus.splits[fold].sequences[key]
        row = data.draw(st.integers(0, len(rows) - 1))
        frame = data.draw(st.integers(0, int(rows.lengths[row]) - 1))
        column = data.draw(st.integers(0, rows.width - 1))
        action = data.draw(st.sampled_from(["refused", "noted"]))
        value = data.draw(st.sampled_from(values[action]))

        def plant(x, offsets, row=row, frame=frame, column=column, value=value):
            x[offsets[row] + frame, column] = value

        corpus = with_values(corpus, fold, key, plant)
        planted[fold, key] = (action, (row,), f"in column {column} (row {row}, frame {frame})")
    found = {(f.split, f.field): f for f in value_findings(corpus)}
    assert found.keys() == planted.keys()
    for place, (action, rows, where) in planted.items():
        assert (found[place].action, found[place].rows) == (action, rows) and where in found[
            place
        ].what
    for way in ("zero", "clip", "drop"):
        mended = clean(corpus, way)
        assert value_findings(mended) == []
        lost = {
            f: sum(len(s) for s in (corpus.splits[f],)) - len(mended.splits[f])
            for f in corpus.splits
        }
        hit = {f: len({rows for (g, _), (_, rows, _) in planted.items() if g == f}) for f in lost}
        assert lost == (hit if way == "drop" else dict.fromkeys(lost, 0))


@INPUTS
@given(st.data())
def test_still_columns_are_found(data):
    corpus = CORPORA[data.draw(st.integers(0, 2))]
    width = corpus.splits["train"].sequences["audio"].width
    columns = sorted(data.draw(st.sets(st.integers(0, width - 1), max_size=3)))

    def still(values, offsets):
        values[:, columns] = data.draw(st.sampled_from([0, 1, -7.5, 1e4]))

    found = value_findings(with_values(corpus, "train", "audio", still))
    named = [f"columns {', '.join(map(str, columns))} never change: they are left out"]
    assert [f.what for f in found if f.split == "train"] == (named if columns else [])


@pytest.mark.parametrize("fold", ["train", "valid", "test"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_fit_refuses_before_it_trains(fold, value, tmp_path):
    def plant(values, offsets):
        values[offsets[3], 1] = value

    corpus = with_values(small(), fold, "vision", plant)
    for _ in range(2):
        with pytest.raises(CorpusError, match=rf"{fold}, vision, row 3: .*column 1") as caught:
            fit("late_fusion", corpus, folder=tmp_path / "run", **QUICK)
        assert "clean(corpus" in str(caught.value) and not (tmp_path / "run").exists()
    assert fit("late_fusion", clean(corpus, "drop"), **QUICK).metrics["mae"] > 0


def test_an_outlier_is_said_and_clean_brings_the_score_back():
    def plant(values, offsets):
        values[offsets[5], :] = 1e10

    corpus = small(n=(160, 40, 40)).only("audio")
    spoiled = with_values(corpus, "train", "audio", plant)
    def train(c): return fit("late_fusion", c, epochs=6, batch_size=16, progress=False)
    plain, bad, mended = train(corpus), train(spoiled), train(clean(spoiled, "clip"))
    assert any(s.startswith("train, audio, row 5: 1e+10 in column 0") for s in bad.notices)
    def gap(run): return abs(run.metrics["mae"] - plain.metrics["mae"])
    assert gap(mended) < gap(bad)


def test_the_check_of_sound_values_changes_no_bit():
    corpus = small()
    assert clean(corpus).splits["train"].sequences == corpus.splits["train"].sequences
    assert value_findings(corpus) == [] and repeated_clips(corpus.splits) == []


# ---------------------------------------------------------------- nonsense that must be said


def said_by_fit(corpus, method="late_fusion", **options):
    return "\n".join(fit(method, corpus, **{**QUICK, **options}).notices)


def test_constant_labels_and_answers():
    corpus = small()
    def flat(s): return replace(s, labels={k: np.full(len(s), 0.4, np.float32) for k in s.labels})
    said = said_by_fit(replace(corpus, splits={k: flat(s) for k, s in corpus.splits.items()}))
    assert said.count("all of the multimodal labels of") == 3
    corpus = with_values(corpus.only("audio"), "test", "audio", lambda x, o: None)
    assert "same answer to every clip" in said_by_fit(
        corpus, lr=1e-12, audio_width=1, fusion_width=1
    )


def test_a_modality_without_content():
    corpus = small()

    def silence(values, offsets):
        values[:] = 0

    for fold in corpus.splits:
        corpus = with_values(corpus, fold, "audio", silence)
    said = said_by_fit(corpus)
    assert "audio: all features of the training fold are 0" in said
    assert "take corpus.only('text', 'vision')" in said
    wordless = said_by_fit(with_text(small(), lambda name, i: " "))
    assert "text: all transcripts of the training fold are empty" in wordless


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_repeated_clips_are_found(data):
    corpus = CORPORA[data.draw(st.integers(0, 2))]
    train, fold = corpus.splits["train"], data.draw(st.sampled_from(["valid", "test"]))
    other = corpus.splits[fold]
    rows = sorted(data.draw(st.sets(st.integers(0, len(other) - 1), max_size=3)))
    sequences, text = {}, list(other.text)
    for key, old in other.sequences.items():
        sequences[key] = Ragged.from_rows(
            [train.sequences[key][i] if i in rows else old[i] for i in range(len(other))]
        )
    for i in rows:
        text[i] = train.text[i]
    splits = {**corpus.splits, fold: replace(other, sequences=sequences, text=tuple(text))}
    assert [f.rows for f in repeated_clips(splits)] == ([tuple(rows)] if rows else [])


def test_pieces_named_twice_are_refused():
    for name in ("self_mm+dgm+dgm", "ugf+dgm", "ugf+align+ufm"):
        with pytest.raises(ValueError, match="dgm|ufm"):
            fit(name, small(), **QUICK)
    assert fit("ugf+dgm", small(), dgm=False, pretrain_epochs=0, **QUICK).metrics["mae"] > 0


def test_mfon_finds_a_guide_without_text():
    said = said_by_fit(small().only("audio", "vision"), "mfon", teacher_epochs=1)
    assert "audio is the guide" in said


# ---------------------------------------------------------------- options without effect

SHORT = {
    "mug": dict(pretrain_epochs=1, meta_epochs=1, b=1),
    "mfon": dict(teacher_epochs=1),
    "mug_mlc": dict(pretrain_epochs=1, meta_epochs=1, b=1),
    "ugf": dict(pretrain_epochs=1),
    "mult": dict(common_width=8, heads=2, layers=1, memory_layers=1),
    "misa": dict(common_width=8),
    "mfn": dict(memory=8),
    "mmim": dict(bound="steps"),
    "graph_mfn": dict(memory=8, node=6),
    "mfm": dict(memory=8),
}
LATER = {  # baselines that came after MMSA's
    "almt": dict(common_width=8, heads=2, tokens=2, reader_layers=1, layers=1, fusion_layers=1),
    "cubemlp": dict(steps=4, common_width=8, middle_steps=3, last_steps=2, last_width=4),
    "confede": dict(common_width=8),
    "sugrm": dict(common_width=8, heads=2, layers=1),
    "dmd": dict(common_width=8, heads=2, layers=1, memory_layers=1),
}
SHORT |= LATER
FLIPS = dict(
    text_hidden=8,
    audio_hidden=8,
    vision_hidden=8,
    text_width=8,
    audio_width=8,
    vision_width=8,
    fusion_width=8,
    head_depth=1,
    encoder="transformer",
    pooling="first",
    dropout=0.4,
    max_tokens=2,
    text_lr=0.1,
    lr=0.01,
    epochs=2,
    patience=1,
    batch_size=5,
    weight_decay=0.5,
    clip=1e-3,
    precision="bf16",
    optimiser="adam",
    audio_lr=0.1,
    vision_lr=0.1,
    text_covers="encoder",
    text_decay=0.5,
    audio_decay=0.5,
    vision_decay=0.5,
    decay_all=True,
    schedule="linear",
    warmup=0.5,
    accumulate=2,
    like_length=2,
)


@pytest.mark.parametrize(
    "method", ["late_fusion", "self_mm", "ugf", "spil", "mug", "mug_mlc", "mfon", "tfn", "lmf",
               "ef_lstm", "misa", "mult", "mfn", "graph_mfn", "mmim", "mfm",
               "mag_bert", *LATER]
)
def test_exactly_the_options_named_idle_change_no_bit(method, monkeypatch):
    known = {f.name for o in ("model", "train") for f in fields(choose(method, {})[o])}
    assert known - set(FLIPS) == {"text", "freeze_text"}, "a new shared option: flip it here"
    corpus = small(n=(12, 4, 4))
    unread = parse(method)[0].unused(ModelOptions())
    for option in unread:  # refused by name; below they are let through, to see that nothing moves
        with pytest.raises(ValueError, match=f"{option}=.*{method} never reads it"):
            fit(method, corpus, progress=False, **{option: FLIPS[option]})
    monkeypatch.setattr(runs, "check_unused", lambda *_: None)
    idle = idle_options(ModelOptions(), corpus.modalities) | unread
    common = dict(epochs=1, batch_size=6, progress=False, **SHORT.get(method, {}))
    trained = {}
    for option, value in FLIPS.items():
        base = {**common, **({"lr": 1.0, "epochs": 12} if option == "patience" else {})}
        key = base["epochs"]
        if key not in trained:
            trained[key] = fit(method, corpus, **base)
        options = {**base, option: value}
        if _other_shape(method, corpus, options, trained[key]):
            same = False
        else:
            run = fit(method, corpus, **options)
            same = _same_bits(run, trained[key])
            said = f"option {option}=" in "\n".join(run.notices)
            assert said == (option in idle and option not in unread)
        assert same == (option in idle), (option, value)


def _same_bits(run, other):
    weights = all(torch.equal(v, other.state[k]) for k, v in run.state.items())
    return weights and len(run.history) == len(other.history)


def _other_shape(method, corpus, options, run):
    "Is it a model of another size, so that nothing needs to be trained?"
    chosen = choose(method, {k: v for k, v in options.items() if k != "progress"})
    ready, words = ready_for(corpus, chosen["model"])
    from msa_lit.model.options import ModelSpec

    state = build(method, ModelSpec.of(ready, chosen["model"], words), chosen, 1111).state_dict()
    def shapes(s): return {k: tuple(v.shape) for k, v in s.items()}
    return shapes(state) != shapes(run.state)
