# make demo, make test, make parity, make docs, make bench: each sets up .venv on first use and is quick
# afterwards. Some tests alone: make test TESTS=tests/minid2
# The demo with other settings: make demo OPTS="SOLVER.MAX_ITER 100"
PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
TESTS  ?=
COVERAGE ?=
OPTS ?=
# Where pip finds torch: empty for its usual index. For a machine without a GPU of NVIDIA's, the CPU
# wheel index that pytorch.org names saves most of the disk: make setup TORCH_INDEX=https://...
TORCH_INDEX ?=
# the source tree of the real Detectron2, never compiled
TREE   ?= $(or $(D2FREQ_DETECTRON2_TREE),$(HOME)/.d2freq-detectron2/tree)
DEMO   := output/demo
CONFIG ?= demo/faster_rcnn_R18_HSFPN_scenes_quick
# glibc gives large blocks back to the system at once, and to fetch them anew takes longer than a
# small layer does: these two keep them. They change no result, and other systems know neither.
MALLOC := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000
# A file stays with one worker, which builds what its tests share once.
PYTEST := $(MALLOC) $(PY) -m pytest -n 2 --dist loadfile

.PHONY: setup demo test parity lint docs bench clean distclean help

# One line for each word that make takes here
help:
	@echo "make demo       install, train on generated scenes, show what is found (OPTS=\"KEY VALUE\")"
	@echo "make setup      install d2freq and what its tests need into .venv (TORCH_INDEX=URL: CPU wheels)"
	@echo "make test       install and run every test (TESTS=tests/minid2: some alone)"
	@echo "make parity     every test on the real Detectron2 (TREE=its source tree)"
	@echo "make lint       ruff and mypy"
	@echo "make docs       the site, into output/site"
	@echo "make bench      every benchmark that takes a few minutes"
	@echo "make clean      remove .venv and what was built; make distclean also removes output/"

# d2freq with what the checks need, as CONTRIBUTING.md says
setup: $(VENV)/.installed

# setup.py decides what is installed, so a change there installs again.
$(VENV)/.runs: setup.py
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --upgrade pip
	$(if $(TORCH_INDEX),$(PY) -m pip install --index-url "$(TORCH_INDEX)" torch torchvision)
	$(PY) -m pip install -e .
	touch $@

$(VENV)/.installed: $(VENV)/.runs
	$(PY) -m pip install -e ".[dev]"
	touch $@

# The demo needs d2freq alone. Interrupted, it goes on when it is called again.
demo: $(VENV)/.runs
	$(MALLOC) $(PY) -m d2freq_command demo --config-file $(CONFIG) --output $(DEMO) $(OPTS)

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

# The site, strictly: a warning fails it. Open output/site/index.html.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build

bench: setup
	$(PY) benchmarks/run_all.py

# The environment and what was built; trainings stay.
clean:
	rm -rf $(VENV) build dist *.egg-info

# Trainings, too: all that is under output/
distclean: clean
	rm -rf output
