# `make app` starts Journey Arena, `make test` checks it. Both make the environments they need on first use.
PYTHON ?= python3
PROFILE ?= cpu
OUT ?= build/space-$(PROFILE)
RUN := .venv/bin/python
COMPILE := .venv/bin/uv pip compile --universal --python-version 3.11 --no-annotate --no-header --quiet --upgrade

.PHONY: app test lint install install-dev chromium bench distil space lock

app: install
	$(RUN) app.py $(if $(PORT),--port $(PORT))

# What starts model servers or a browser needs the machine for itself; the rest is spread over the cores.
test: install-dev chromium lint
	$(RUN) -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not engine and not browser"
	$(RUN) -m pytest -m "engine or browser"

lint: install-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: install-dev
	$(RUN) -m bench

# By itself glibc gives buffers back after every training step, and page faults take a sixth of the time. Only those over
# 32 MiB may go: kept as well, they fragment, and memory grows from step to step. With RESUME=1 a stopped run goes on.
distil: install
	MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=100000000000 .venv/bin/arena train distil recipes/smol-135m.yaml \
		$(if $(RESUME),--resume)

space: install
	.venv/bin/arena space --profile $(PROFILE) --out $(OUT)

# The newest versions of everything that requirements.txt and requirements/engine*.txt do not pin.
lock: install-dev
	$(COMPILE) requirements.txt requirements/space-builder.txt -o requirements/locked.txt
	$(COMPILE) requirements/engine.txt requirements/engine-cpu.txt --overrides requirements/engine-cpu-overrides.txt \
		-o requirements/engine-locked.txt

install:
	@$(PYTHON) install.py

install-dev:
	@$(PYTHON) install.py --dev

chromium: install-dev
	@$(PYTHON) install.py --chromium
