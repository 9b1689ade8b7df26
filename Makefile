# make quickstart: see the method work. make test: run all tests. Both set up everything themselves.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
WORKDIR ?= runs/quickstart

.PHONY: quickstart test install lint format clean

install: $(READY)

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $(READY)

quickstart: $(READY)
	$(BIN)/python -m sde_seg_jax.cli.pipeline --config=configs/quickstart.py --workdir=$(WORKDIR)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf .venv .jax_cache build *.egg-info
