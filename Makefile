# make demo, make test, make parity, make bench: each sets up .venv on first use and is quick
# afterwards. Some tests alone: make test TESTS=tests/minid2
PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
TESTS  ?=
COVERAGE ?=
# the source tree of the real Detectron2, never compiled
TREE   ?= $(or $(D2FREQ_DETECTRON2_TREE),$(HOME)/.d2freq-detectron2/tree)
DEMO   := output/demo
CONFIG ?= configs/demo/faster_rcnn_R18_HSFPN_scenes.yaml
# A file stays with one worker, which builds what its tests share once.
PYTEST := $(PY) -m pytest -n 2 --dist loadfile
# the key of the output folder in a lazy and in a YAML config
OUTPUT_KEY := $(if $(filter %.py,$(CONFIG)),train.output_dir,OUTPUT_DIR)

.PHONY: setup demo test parity lint bench clean

setup: $(VENV)/.installed

# setup.py decides what is installed, so a change there installs again.
$(VENV)/.installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --upgrade --quiet pip
	$(PY) -m pip install --quiet -e ".[dev]"
	touch $@

demo: setup
	$(PY) -m d2freq.cli generate scenes
	$(PY) train_net.py --config-file $(CONFIG) --overwrite $(OUTPUT_KEY) $(DEMO)
	$(PY) -m d2freq.cli visualize detections --dataset tiny_scenes_val \
	    --predictions $(DEMO)/inference/coco_instances_results.json --output $(DEMO)/pictures --count 12
	$(PY) -m d2freq.cli visualize losses --metrics $(DEMO)/metrics.json --output $(DEMO)/loss.png
	@echo "The demo's results:"
	@ls -1 $(DEMO)/inference/*.json $(DEMO)/loss.png $(DEMO)/pictures/*.png | sed 's/^/  /'

# COVERAGE=1 prints the share of lines that the whole suite runs, and fails below pyproject.toml's floor.
test: setup
	$(PYTEST) $(if $(COVERAGE),--cov --cov-report=term) $(TESTS)

# Every test on the real Detectron2, tests/host_parity among them.
parity: setup
	D2FREQ_HOST=detectron2 PYTHONPATH="$(CURDIR):$(TREE)" $(PYTEST) $(TESTS)

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench: setup
	$(PY) benchmarks/run_all.py

clean:
	rm -rf $(VENV) output build dist *.egg-info
