# The two commands of the README: `make audit` and `make test`. Everything else is for development.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: audit test validate lint format figures bench bench-gpu clean

$(VENV)/.base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "linreg_dyn needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@echo "Installing into $(VENV): a minute or two."
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) torch==2.13.0
	$(PIP) -e '.[test,lint,cuda]'
	@touch $@

$(VENV)/.bench: $(VENV)/.base
	$(PIP) -e '.[bench]'
	@touch $@

audit: $(VENV)/.base
	@$(BIN)/linreg-dyn figures --out report/figures --format png
	$(BIN)/linreg-dyn audit --json report/claims.json --html report --certificates report/certificates

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

validate: $(VENV)/.dev  # into records of its own: those of validation/records are not touched
	$(BIN)/python -m validation next --scale quick --device cpu --minutes 60 --records report/records
	$(BIN)/python -m validation report --records report/records

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

figures: $(VENV)/.base
	$(BIN)/linreg-dyn figures --out report/figures

bench: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks.run

bench-gpu:  # in the environment if there is one, else from the source tree with what is installed
	@export PYTHONPATH=".$${PYTHONPATH:+:$$PYTHONPATH}"; python="$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))"; \
	$$python -m tests.benchmarks.gpu; first=$$?; \
	$$python -m tests.benchmarks.gpu_training; exit $$((first | $$?))

clean:
	rm -rf $(VENV) report build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
