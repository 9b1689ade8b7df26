# make quickstart: see the method work. make test: what every change needs. make test-all: all tests. make bench: time it.
# All set up everything themselves.
# make evidence: run or resume the tables of docs/record/results.md (hours; it tells how many).
# make docs: build the site of these pages. make lint: what is written, code and pages.
# make bench-gpu: time the published networks with the jax and PyTorch of BENCH_PYTHON.
PYTHON ?= python3
BIN := .venv/bin
RUNS := .venv/.runs
READY := .venv/.installed
WORKDIR ?= runs/quickstart
BENCH_PYTHON ?= python3
# make test-slow begins no test after so many minutes, and names those that it left out.
MINUTES ?= inf
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: quickstart test test-slow test-all bench bench-gpu evidence install lint format docs clean

install: $(READY)

# what training needs
$(RUNS): requirements.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $(RUNS)

# and what tests need
$(READY): $(RUNS) requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $(READY)

quickstart: $(RUNS)
	$(BIN)/python -m sde_seg_jax.cli.pipeline --config=configs/quickstart.py --workdir=$(WORKDIR)

test: $(READY)
	$(PYTEST) -m "not slow and not whole"

test-slow: $(READY)
	$(PYTEST) -m "slow and not whole" --minutes=$(MINUTES)

test-all: $(READY)
	$(PYTEST)

bench: $(READY)
	$(BIN)/python benchmarks/bench.py

bench-gpu:
	$(BENCH_PYTHON) benchmarks/bench.py --gpu

evidence: $(RUNS)
	$(BIN)/python benchmarks/evidence.py $(EVIDENCE)

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy \
		&& $(BIN)/python tests/tools/check_pages.py

# the site, in build/site; pages that are made from the code are made anew before
docs: $(READY)
	$(BIN)/python docs/tools/configuration_page.py
	$(BIN)/python docs/tools/commands_page.py
	$(BIN)/python docs/tools/api_page.py
	$(BIN)/python docs/tools/build_site.py

format: $(READY)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:
	rm -rf .venv .jax_cache build *.egg-info
