PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
EXAMPLES ?= 2000
# Tests to take, as a pytest marker expression.
MARKS ?= not slow and not wheel and not gpu_on_cpu

# `make gpu`: the Python that has torch for the card, the device, and where figures are kept.
GPU_PYTHON ?= $(if $(wildcard $(VENV)/bin/python),$(VENV)/bin/python,$(PYTHON))
DEVICE ?= cuda:0
FIGURES ?= gpu-figures

BIN := $(VENV)/bin
# What runs studies, and what tests them besides.
BASE := $(VENV)/.base
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo results test slow-test fuzz coverage gpu gpu-test lint format wheel-test mutants clean

help:  ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BASE)  ## Set up where needed, then run the study preact_vs_postact.
	$(BIN)/python -m ablate +exp=preact_vs_postact

results: $(BASE)  ## Run every study that has no result yet (an hour or more), then write RESULTS.md and its picture.
	$(BIN)/python -m ablate results --from docs/results/h200

test: $(STAMP)  ## Run the tests but for the slow ones; those of browser, gpu, ray, slurm skip where these are missing.
	$(BIN)/python -m pytest -n $(WORKERS) -m "$(MARKS)"

slow-test: $(STAMP)  ## Run the tests that take more than about ten seconds each, some minutes in all.
	$(BIN)/python -m pytest -n $(WORKERS) -m "slow and not wheel and not gpu_on_cpu"

fuzz: $(STAMP)  ## Throw EXAMPLES generated inputs at `plan`, and as much damage at a stored study (default 2,000: hours).
	ABLATE_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n $(WORKERS) tests/cli/test_fuzz.py tests/run/test_stored_fuzz.py

gpu:  ## What needs a GPU: tests, bench, memory; from the source tree, without .venv. DEVICE=cpu: all at its smallest.
	PYTHONPATH="$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH}" $(GPU_PYTHON) -m ablate.bench.gpu --device $(DEVICE) --folder $(FIGURES)

coverage: $(STAMP)  ## Run the tests with branch coverage of ablate/, and print it, the least covered files last.
	$(BIN)/python -m pytest -n $(WORKERS) -m "$(MARKS)" -q --cov --cov-branch --cov-report=
	$(BIN)/python -m coverage report --sort=-cover

gpu-test: $(STAMP)  ## Run every part of `make gpu` at its smallest on the CPU, and look at all that it keeps.
	$(BIN)/python -m pytest -m gpu_on_cpu tests/bench

wheel-test: $(STAMP)  ## Build the wheel, install it in an empty environment, and run a study there.
	$(BIN)/python -m pytest -m wheel tests/packaging

lint: $(STAMP)  ## Check style, imports, docstrings, types, and who imports whom; changes nothing.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(STAMP)  ## Bring imports and layout into shape.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

mutants: $(STAMP)  ## Mutation testing of the statistics and verdicts; goes on where it was stopped (docs/mutation.md).
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'mutmut>=3.8,<4'
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children $(WORKERS)
	$(BIN)/mutmut results

clean:  ## Remove the environment, builds and caches; runs/ stays.
	rm -rf $(VENV) dist build mutants .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# The stamp is written last, so an environment without one was cut short and is made anew.
$(BASE): pyproject.toml constraints.txt
	@test -f $@ && $(BIN)/python -c '' 2>/dev/null || { \
		echo "Setting up $(VENV): some minutes, once."; \
		$(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(STAMP): $(BASE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
