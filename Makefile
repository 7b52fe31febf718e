# All set-up there is: `make quickstart`, `make test`. Everything lands in .venv; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install quickstart test test-quickstart test-chaos test-browser lint orchestration storage-benchmark viewing-benchmark clean

install: $(VENV)/installed

# torch and torchvision first and by their exact versions: a range would fetch gigabytes of GPU libraries on a CPU machine
$(VENV)/installed: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep -E '^(torch|torchvision)==' constraints.txt)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dashboard]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

quickstart: install
	$(BIN)/tuner launch search_spaces/quickstart.yaml

test: $(VENV)/installed-test lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not quickstart and not chaos and not browser"

test-quickstart: $(VENV)/installed-test
	$(BIN)/python -m pytest -m quickstart

test-chaos: $(VENV)/installed-test
	$(BIN)/python -m pytest -m chaos

test-browser: $(VENV)/installed-test
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

orchestration: $(VENV)/installed-test
	$(BIN)/python -m benchmarks.orchestration

storage-benchmark: $(VENV)/installed-test
	$(BIN)/python -m benchmarks.storage

viewing-benchmark: $(VENV)/installed-test
	$(BIN)/python -m benchmarks.viewing

clean:
	rm -rf $(VENV) build dist *.egg-info
