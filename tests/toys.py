"""Tiny corpora in the published layouts, and toy text networks, to rehearse what needs a GPU."""
from dataclasses import replace

import numpy as np

from msa_lit.data.corpus import Ragged
from msa_lit.data.layouts import mmsa_fields
from msa_lit.simulate.world import simulate

SIZES = (32, 12, 12)  # train, valid, test
# As MMSA distributes them: file, frames that text, audio and vision are padded to, their widths.
PUBLISHED = {"MOSI": ("unaligned_50.pkl", (50, 375, 500), (768, 5, 20)),
             "MOSEI": ("unaligned_50.pkl", (50, 500, 500), (768, 74, 35)),
             "SIMS": ("unaligned_39.pkl", (39, 400, 55), (768, 33, 709))}
NETWORKS = {"bert-base-uncased": "bert", "bert-base-chinese": "bert",
            "google-t5/t5-base": "t5", "google/mt5-base": "mt5"}
SHORT = """seeds = [1111, 1112]
trials = 1
[options]
epochs = 1
pretrain_epochs = 1
meta_epochs = 1
teacher_epochs = 1
batch_size = 8
b = 2
"""


def widened(rows, width, rng):
    "Frames of another width: the simulated ones times a fixed random matrix."
    mix = rng.normal(size=(rows.width, width)).astype(np.float32) / np.sqrt(rows.width)
    return Ragged((rows.values @ mix).astype(np.float32), rows.offsets)


def toy_corpus(dataset):
    "A simulated corpus with the published widths, text vectors and token ids among them."
    _, _, widths = PUBLISHED[dataset]
    corpus = simulate(n=SIZES, seed=0, scheme=dataset.lower())
    def dressed(split):
        rng, n = np.random.default_rng(7), [len(s.split()) + 2 for s in split.text]
        ends = np.cumsum([0, *n])
        text = Ragged(rng.normal(size=(ends[-1], widths[0])).astype(np.float32), ends)
        ids = Ragged(rng.integers(5, 20, ends[-1]), ends)
        own = {m: widened(split.sequences[m], w, rng)
               for m, w in zip(("audio", "vision"), widths[1:], strict=True)}
        labels = split.labels if dataset == "SIMS" else {
            "multimodal": split.labels["multimodal"]}
        return replace(split, sequences={"text": text, "text_bert": ids, **own}, labels=labels)
    return replace(corpus, splits={k: dressed(s) for k, s in corpus.splits.items()})


def longer(block, frames):
    "Padded to as many frames as the published file is."
    room = np.zeros((len(block), frames, *block.shape[2:]), block.dtype)
    room[:, :block.shape[1]] = block
    return room


def write_corpora(folder):
    "The three pickles where the book looks for them; said by `full.toml` how short a run is."
    import pickle
    for dataset, (name, frames, _) in PUBLISHED.items():
        folds = {k: mmsa_fields(s) for k, s in toy_corpus(dataset).splits.items()}
        for fold in folds.values():
            for m, t in zip(("text", "audio", "vision"), frames, strict=True):
                fold[m] = longer(fold[m], t)
            fold["text_bert"] = np.stack([longer(fold["text_bert"][:, i], frames[0])
                                          for i in range(3)], 1)
        place = folder / dataset / "Processed"
        place.mkdir(parents=True)
        (place / name).write_bytes(pickle.dumps(folds, protocol=4))
    (folder / "full.toml").write_text(SHORT)


# -- text networks -------------------------------------------------------------------------------

def words():
    said = {w for d in PUBLISHED for s in toy_corpus(d).splits.values() for t in s.text
            for w in t.lower().split()}
    return sorted(said)


def toy_bert(folder):
    from transformers import BertConfig, BertModel, BertTokenizerFast
    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words()]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2,
                        num_attention_heads=2, intermediate_size=32, max_position_embeddings=64)
    BertModel(config).save_pretrained(folder)


def toy_t5(folder, kind):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import MT5Config, MT5Model, PreTrainedTokenizerFast, T5Config, T5Model
    vocabulary = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *words()])}
    rules = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    rules.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    rules.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=rules, pad_token="<pad>", eos_token="</s>",
                                   unk_token="<unk>")
    made.save_pretrained(folder)
    config, model = (MT5Config, MT5Model) if kind == "mt5" else (T5Config, T5Model)
    model(config(vocab_size=len(vocabulary), d_model=16, d_kv=8, d_ff=32, num_layers=2,
                 num_heads=2)).save_pretrained(folder)


def write_networks(folder):
    "A folder for every text network that the tables ask for, under its name."
    for name, kind in NETWORKS.items():
        toy_bert(folder / name) if kind == "bert" else toy_t5(folder / name, kind)
