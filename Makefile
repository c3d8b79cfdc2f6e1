PYTHON ?= python3
PINS ?= dev
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test coverage lint types clean

demo: .venv/run  ## install into .venv and run the main job on the embedded sample
	$(BIN)/cjm demo cjm-demo

test: .venv/dev lint types  ## install into .venv, then lint, types, tests, notebooks
	CJM_SCREENSHOTS=screenshots $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile
	$(BIN)/python -m pytest --nbmake notebooks -p no:cacheprovider -n 2

coverage: .venv/dev  ## the tests once more, with the lines that none of them reaches
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term-missing:skip-covered

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

.venv/bin/python:
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'cjm needs Python 3.11 or newer'"
	$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python pyproject.toml .ci/pins/run.txt
	$(PIP) -r .ci/pins/run.txt
	$(PIP) --no-deps -e .
	touch $@

.venv/dev: .venv/bin/python pyproject.toml .ci/pins/$(PINS).txt
	$(PIP) -r .ci/pins/$(PINS).txt
	$(PIP) --no-deps -e .
	touch $@

clean:
	rm -rf .venv cjm-demo dist build screenshots
