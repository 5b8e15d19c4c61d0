# make demo   install everything into .venv, then transcribe and tag the shipped clips and compare with what was said
# make demo-train  install everything, then train the demo's models on a new clinic: a quarter of an hour on two cores
# make test   install everything into .venv, then run the tests
# make test-faults  kill runs, fill disks, break files and nodes: what a run has to survive, long trials included
# make gpu-check  measure the tagger, a LoRA step and both ASR models at their real sizes on this machine's GPU
# make setup  install alone;  make lint  style and types;  make lock  requirements.in -> requirements.txt

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# uv does not read pip's settings: where pip knows a folder of local wheels, hand it on.
export UV_FIND_LINKS ?= $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null || echo $$PIP_FIND_LINKS)
export UV_LINK_MODE ?= copy
# Once, here: where Python may not write bytecode, each of Ray's processes would compile all that it imports.
export UV_COMPILE_BYTECODE ?= 1
STAMP := $(VENV)/installed

.PHONY: setup demo demo-train test test-faults gpu-check lint lock clean

setup: $(STAMP)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || { echo "$(PYTHON) is not Python 3.11 or 3.12: try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

$(STAMP): requirements.txt requirements-gpu.txt | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python -r requirements.txt
	@if command -v nvidia-smi > /dev/null; then $(UV) pip install --quiet --python $(BIN)/python -r requirements-gpu.txt; fi
	@touch $@

lock: | $(UV)  # versions stay as they are where requirements.in allows it; of nvidia's packages only nvidia-ml-py is ours
	cp requirements.txt requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header requirements.in -o requirements.lock
	grep -vE '^(nvidia-[^m]|cuda-toolkit)' requirements.lock > requirements.txt
	rm requirements.lock

demo: $(STAMP)
	$(BIN)/python -m jobs.demo

demo-train: $(STAMP)
	$(BIN)/python -m jobs.demo --train

test: $(STAMP)
	$(BIN)/python -m pytest

test-faults: $(STAMP)
	$(BIN)/python -m pytest -m faults

# Needs no network: without .venv it takes PYTHON with whatever that has; WHEELS=FOLDER lends it what it lacks.
gpu-check:
	$(if $(wildcard $(STAMP)),$(BIN)/python,$(PYTHON)) -m tests.benchmarks.gpu_check $(if $(WHEELS),--wheels $(WHEELS))

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs
