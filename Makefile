# make demo   install everything into .venv, then transcribe and tag the shipped clips
# make test   install everything into .venv, then run the tests
# make setup  install alone;  make lint  style and types;  make lock  requirements.in -> requirements.txt

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
# uv does not read pip's settings: where pip knows a folder of local wheels, hand it on.
export UV_FIND_LINKS ?= $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null || echo $$PIP_FIND_LINKS)
export UV_LINK_MODE ?= copy
STAMP := $(VENV)/installed

.PHONY: setup demo test lint lock clean

setup: $(STAMP)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

$(STAMP): requirements.txt | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python -r requirements.txt
	@touch $@

lock: | $(UV)
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header requirements.in -o requirements.lock
	grep -vE '^(nvidia-|cuda-toolkit)' requirements.lock > requirements.txt
	rm requirements.lock

demo: $(STAMP)
	$(BIN)/python -m jobs.predict --audio pipeline/demo/clips --out runs/demo --overwrite

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs
